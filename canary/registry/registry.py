"""What is on Canary's own jobboard: one job per watched board.

A watch job is a TaskFlow job without a logbook: what it has to remember is in MongoDB. Its details
are ``{"path": BOARD}``. This module reads and removes watch jobs, with kazoo alone. ``jobboard``
posts and claims them, with TaskFlow, which takes long to import. Nothing here touches the watched
boards themselves.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import gevent
from kazoo.client import TransactionRequest
from kazoo.exceptions import KazooException, LockTimeout, NoAuthError, NoNodeError
from oslo_serialization import jsonutils

from canary.config import check_board_path
from canary.errors import BoardMissing, CanaryError, UsageError, ZooKeeperUnavailable
from canary.model.names import is_job, job_sequence, lock_name
from canary.model.observations import Stat
from canary.zookeeper import Client, errors_as_ours, wait

LOG = logging.getLogger(__name__)

LOCK_FOLDER: Final = ".register"  # beside the board


@dataclass(frozen=True, slots=True)
class WatchJob:
    """The watch job of one board, as it is on Canary's board."""

    name: str  # its znode's
    uuid: str
    path: str  # the board's
    czxid: int
    claimed: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """The result of one read of Canary's own board."""

    stat: Stat | None  # None if there is no such board yet
    jobs: tuple[WatchJob, ...]  # in the order in which they were posted
    children: frozenset[str]


class Registry:
    """Reads Canary's own board at ``path``, and removes watch jobs from it."""

    def __init__(self, client: Client, path: str) -> None:
        self.path = path
        self._client = client
        # What was read of one incarnation of the board, in which no name occurs twice.
        self._known: tuple[int, dict[str, WatchJob | None]] = (-1, {})

    def look(self) -> Registered:
        """Return the existing watch jobs. What is not a watch job is skipped, and logged once.

        Several greenlets may call it at once: each uses what it reads itself.
        """
        timeout = self._client.call_timeout
        try:
            names, stat = wait(
                self._client.get_children_async(self.path, include_data=True), timeout
            )
        except BoardMissing:
            return Registered(None, (), frozenset())
        children = frozenset(names)
        incarnation, known = self._known
        read = {
            name: job
            for name, job in known.items()
            if name in children and incarnation == stat.czxid
        }
        answers = {
            name: self._client.get_async(f"{self.path}/{name}")
            for name in children
            if is_job(name) and name not in read
        }
        for name, answer in answers.items():
            try:
                with errors_as_ours(timeout, answers=(NoNodeError, NoAuthError)):
                    data, node = answer.get(timeout=timeout)
            except NoNodeError:
                continue
            except NoAuthError as error:
                _pass_over(name, error)
                read[name] = None
            else:
                read[name] = self._decode(name, data, node.czxid)
        self._known = stat.czxid, read
        jobs = [
            WatchJob(job.name, job.uuid, job.path, job.czxid, lock_name(job.name) in children)
            for job in read.values()
            if job is not None
        ]
        jobs.sort(key=lambda job: job_sequence(job.name) or 0)
        board = Stat(stat.czxid, stat.pzxid, stat.cversion, stat.numChildren)
        return Registered(board, tuple(jobs), children)

    def paths(self) -> frozenset[str]:
        """Return the boards that have a watch job. The result is not older than the call."""
        wait(self._client.sync_async(self.path), self._client.call_timeout)
        return frozenset(job.path for job in self.look().jobs)

    def is_registered(self, path: str) -> bool:
        """Return whether the board at ``path`` has a watch job."""
        return any(job.path == path for job in self.look().jobs)

    def check(self, paths: Iterable[str]) -> list[str]:
        """Return ``paths`` without repeats. Raises UsageError if one can't be watched."""
        checked = dict.fromkeys(check_board_path(path) for path in paths)
        if self.path in checked:
            raise UsageError(f"{self.path} is Canary's own board ([canary] jobboard); leave it out")
        return list(checked)

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Delete the watch jobs of ``paths``, claimed or not; return the paths that had one."""
        wished = set(self.check(paths))
        removed = []
        with self.locked():
            for job in self.look().jobs:
                if job.path in wished:
                    self.end(job)
                    removed.append(job.path)
        return list(dict.fromkeys(removed))

    def end(self, job: WatchJob) -> None:
        """Delete a watch job and its lock, even if it is claimed or abandoned at the same time.

        Does nothing if the job does not exist. Raises CanaryError if it can't be deleted.
        """
        path = f"{self.path}/{job.name}"
        for with_lock in (job.claimed, not job.claimed, job.claimed):
            transaction: TransactionRequest = self._client.transaction()
            if with_lock:
                transaction.delete(lock_name(path))
            transaction.delete(path)
            results = wait(transaction.commit_async(), self._client.call_timeout)
            if not any(isinstance(result, KazooException) for result in results):
                return
        if wait(self._client.exists_async(path), self._client.call_timeout) is not None:
            raise CanaryError(
                f"{job.path}: its watch job was not removed, because workers keep claiming it;"
                " try again"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which watch jobs are added and removed."""
        folder = f"{self.path.rpartition('/')[0]}/{LOCK_FOLDER}"
        lock = self._client.Lock(folder, "canary-producer")
        timeout = self._client.call_timeout
        is_mine = False
        # The outer limit is for calls that kazoo does not bound. It would leave this process's
        # place in the queue behind, so kazoo's own limit is shorter.
        with (
            suppress(LockTimeout),
            errors_as_ours(timeout, answers=(LockTimeout,)),
            gevent.Timeout(timeout),
        ):
            is_mine = lock.acquire(timeout=0.8 * timeout)
        if not is_mine:
            raise ZooKeeperUnavailable(
                f"could not take the lock below {folder} within {timeout:g} s: another"
                " canary-producer holds it, or ZooKeeper does not answer; try again"
            )
        try:
            yield
        finally:
            try:
                with errors_as_ours(timeout), gevent.Timeout(timeout):
                    lock.release()
            except CanaryError as error:
                LOG.debug("the lock was not released; it ends with the session: %s", error)

    def _decode(self, name: str, data: bytes, czxid: int) -> WatchJob | None:
        try:
            posting: Any = jsonutils.loads(data)
            [path] = self.check([posting["details"]["path"]])
            return WatchJob(name, str(posting["uuid"]), path, czxid, claimed=False)
        except (ValueError, TypeError, KeyError, RecursionError, UsageError) as error:
            _pass_over(name, error)
            return None


def _pass_over(name: str, error: Exception) -> None:
    LOG.warning(
        "ignored a child of Canary's own board that is not a watch job: %s",
        type(error).__name__,
        extra={"job": name},
    )
