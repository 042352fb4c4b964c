"""Canary's own jobboard as TaskFlow's: watch jobs are posted there, and claimed by a conductor."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import gevent
from kazoo.exceptions import KazooException
from taskflow import exceptions as taskflow_exceptions
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob, ZookeeperJobBoard

from canary.errors import ZooKeeperUnavailable
from canary.registry.registry import Registry, WatchJob
from canary.zookeeper import Client, errors_as_ours

JOB_NAME: Final = "watch"


class WatchJobBoard(ZookeeperJobBoard):
    """TaskFlow's jobboard for Canary's own board, without a memory of its own.

    TaskFlow's class keeps every job that it ever saw listed, and raises if a znode is not a job.
    ``Registry`` reads the board instead, and passes the jobs that are to be claimed.
    """

    def __init__(self, name: str, client: Client, path: str) -> None:
        super().__init__(name, {"path": path}, client=client, emit_notifications=False)

    @property
    def client(self) -> Client:
        """The client that it was made with."""
        client: Client = self._client
        return client

    def connect(self, timeout: float = 10.0) -> None:
        """Create the board's znode and its trash, if they are missing."""
        with self.limited(timeout):
            self._client.ensure_path(self.path)
            self._client.ensure_path(self.trash_path)
        self._connected = True

    def hold(self, job: WatchJob) -> ZookeeperJob:
        """Return TaskFlow's view of a watch job. It can be claimed until ``let_go``."""
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
        """Do nothing: the users of this board follow the connection themselves."""

    @contextmanager
    def limited(self, timeout: float) -> Iterator[None]:
        """Limit the time of TaskFlow's calls, which would wait for a connection for ever."""
        with errors_as_ours(timeout), gevent.Timeout(timeout):
            try:
                yield
            except taskflow_exceptions.UnclaimableJob:
                raise  # a JobFailure too, but an answer
            except taskflow_exceptions.JobFailure as error:
                if isinstance(error.__cause__, KazooException):
                    raise error.__cause__ from error
                raise ZooKeeperUnavailable(f"TaskFlow failed: {error}") from error


class Registrar(Registry):
    """A registry to which boards can be added."""

    def __init__(self, board: WatchJobBoard) -> None:
        super().__init__(board.client, board.path)
        self._board = board

    def add(self, paths: Iterable[str]) -> list[str]:
        """Post a watch job for each of ``paths`` that has none; return those paths.

        Afterwards each board has exactly one, even if several processes call this at the same time.
        """
        wished = self.check(paths)
        self._board.connect(self._client.call_timeout)
        with self.locked():
            there = {job.path for job in self.look().jobs}
            missing = [path for path in wished if path not in there]
            for path in missing:
                with self._board.limited(self._client.call_timeout):
                    self._board.post(JOB_NAME, details={"path": path})
        return missing
