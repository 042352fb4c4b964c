"""Canary's own jobboard: one job a watched board.

A watch job is a TaskFlow job without a logbook: what it has to remember is in MongoDB. Its details
are ``{"path": BOARD}``. Promises: ``add`` leaves one watch job a board however often and by however
many at once it is called; nothing here touches the watched boards themselves.
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
from taskflow import exceptions as taskflow_exceptions
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob, ZookeeperJobBoard

from canary.config import check_board_path
from canary.errors import BoardMissing, CanaryError, UsageError, ZooKeeperUnavailable
from canary.model.names import basename, is_job, job_sequence, lock_name
from canary.model.observations import Stat
from canary.zookeeper import Client, errors_as_ours, wait

LOG = logging.getLogger(__name__)

JOB_NAME: Final = "watch"
LOCK_FOLDER: Final = ".register"  # beside the board, as TaskFlow puts .trash and .entities


class WatchJobBoard(ZookeeperJobBoard):
    """TaskFlow's jobboard for Canary's own board, without a memory of its own.

    TaskFlow's keeps every job that it ever saw listed, and a znode that is no job makes it raise;
    ``Registry`` reads the board instead, and hands over the jobs that are to be claimed.
    """

    def __init__(self, name: str, client: Client, path: str) -> None:
        super().__init__(name, {"path": path}, client=client, emit_notifications=False)

    @property
    def client(self) -> Client:
        """The client that it was made with."""
        client: Client = self._client
        return client

    def connect(self, timeout: float = 10.0) -> None:
        """Make the board's znode and its trash, where they are missing."""
        with self.limited(timeout):
            self._client.ensure_path(self.path)
            self._client.ensure_path(self.trash_path)
        self._connected = True

    def hold(self, job: "WatchJob") -> ZookeeperJob:
        """Return TaskFlow's view of a watch job; it may be claimed until it is let go."""
        held = ZookeeperJob(
            self,
            JOB_NAME,
            self._client,
            f"{self.path}/{job.name}",
            uuid=job.uuid,
            details={"path": job.path},
        )
        self._known_jobs[held.path] = held
        return held

    def let_go(self, job: ZookeeperJob) -> None:
        """Forget a job that was held."""
        self._known_jobs.pop(job.path, None)

    def _state_change_listener(self, state: str) -> None:
        """Do nothing: who uses this board follows the connection itself."""

    @contextmanager
    def limited(self, timeout: float) -> Iterator[None]:
        """Bound TaskFlow's calls in the ``with``, which would wait for a connection for ever."""
        with errors_as_ours(timeout), gevent.Timeout(timeout):
            try:
                yield
            except taskflow_exceptions.UnclaimableJob:
                raise  # a JobFailure too, but an answer
            except taskflow_exceptions.JobFailure as error:
                if isinstance(error.__cause__, KazooException):
                    raise error.__cause__ from error
                raise ZooKeeperUnavailable(f"TaskFlow could not do it: {error}") from error


@dataclass(frozen=True, slots=True)
class WatchJob:
    """One board's watch job, as it stands on Canary's board."""

    name: str  # its znode's
    uuid: str
    path: str  # the board's
    czxid: int
    claimed: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """What one look at Canary's own board found."""

    stat: Stat | None  # None where there is no such board yet
    jobs: tuple[WatchJob, ...]  # in the order in which they were posted
    children: frozenset[str]


class Registry:
    """Reads Canary's own board; adds to it and removes from it."""

    def __init__(self, board: WatchJobBoard) -> None:
        self.board = board
        self._client = board.client
        # What was read of one incarnation of the board, in which names come but once.
        self._known: tuple[int, dict[str, WatchJob | None]] = (-1, {})

    def look(self) -> Registered:
        """Return the watch jobs there are. What is no watch job is passed over, and logged once.

        Several may look at one time: each goes by what it reads itself.
        """
        timeout = self._client.call_timeout
        try:
            names, stat = wait(
                self._client.get_children_async(self.board.path, include_data=True), timeout
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
            name: self._client.get_async(f"{self.board.path}/{name}")
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
        """Return the boards that have a watch job now, not at some moment before the call."""
        wait(self._client.sync_async(self.board.path), self._client.call_timeout)
        return frozenset(job.path for job in self.look().jobs)

    def is_registered(self, path: str) -> bool:
        """Tell whether the board at ``path`` has a watch job."""
        return any(job.path == path for job in self.look().jobs)

    def check(self, paths: Iterable[str]) -> list[str]:
        """Return ``paths`` without repeats. Raises UsageError for what can be no watched board."""
        checked = dict.fromkeys(check_board_path(path) for path in paths)
        if self.board.path in checked:
            raise UsageError(
                f"{self.board.path} is Canary's own board ([canary] jobboard); leave it out"
            )
        return list(checked)

    def add(self, paths: Iterable[str]) -> list[str]:
        """Post a watch job for each of ``paths`` that has none; return those."""
        wished = self.check(paths)
        self.board.connect(self._client.call_timeout)
        with self._locked():
            there = {job.path for job in self.look().jobs}
            missing = [path for path in wished if path not in there]
            for path in missing:
                with self.board.limited(self._client.call_timeout):
                    self.board.post(JOB_NAME, details={"path": path})
        return missing

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Delete the watch jobs of ``paths``, claimed or not; return the paths that had one."""
        wished = set(self.check(paths))
        removed = []
        with self._locked():
            for job in self.look().jobs:
                if job.path in wished:
                    self.end(job)
                    removed.append(job.path)
        return list(dict.fromkeys(removed))

    def end(self, job: WatchJob) -> None:
        """Delete a watch job with its lock, whoever may claim or abandon it meanwhile.

        Returns also where it is gone already. Raises CanaryError where it can't be deleted.
        """
        path = f"{self.board.path}/{job.name}"
        for with_lock in (job.claimed, not job.claimed, job.claimed):
            transaction: TransactionRequest = self._client.transaction()
            if with_lock:
                transaction.delete(lock_name(path))
            transaction.delete(path)
            results = wait(transaction.commit_async(), self._client.call_timeout)
            if not any(isinstance(result, KazooException) for result in results):
                return
        if wait(self._client.exists_async(path), self._client.call_timeout) is not None:
            raise CanaryError(f"{job.path}: its watch job changes hands all the time; try again")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock under which watch jobs are added and removed."""
        folder = self.board.path.replace(basename(self.board.path), LOCK_FOLDER)
        lock = self._client.Lock(folder, "canary-producer")
        timeout = self._client.call_timeout
        is_mine = False
        # The outer limit is for calls that kazoo does not bound: it would leave our place in the
        # queue behind, so that kazoo's own comes first.
        with (
            suppress(LockTimeout),
            errors_as_ours(timeout, answers=(LockTimeout,)),
            gevent.Timeout(timeout),
        ):
            is_mine = lock.acquire(timeout=0.8 * timeout)
        if not is_mine:
            raise ZooKeeperUnavailable(
                f"the lock below {folder} was not to be had within {timeout:g} s: another"
                " canary-producer holds it, or ZooKeeper does not answer; try again"
            )
        try:
            yield
        finally:
            try:
                with errors_as_ours(timeout), gevent.Timeout(timeout):
                    lock.release()
            except CanaryError as error:
                LOG.debug("the lock goes with the session: %s", error)

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
        "passed over on Canary's own board, it is no watch job: %s",
        type(error).__name__,
        extra={"job": name},
    )
