"""TaskFlow's jobboard, with a ledger of what was done on it, at a pace at which people work."""

import time
from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient
from taskflow.exceptions import NotFound, UnclaimableJob
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob, ZookeeperJobBoard

from demo import ledger
from demo.ledger import Ledger
from demo.pace import Pace

Operation = Callable[[ZookeeperJob, str], None]


class RecordingJobBoard(ZookeeperJobBoard):
    """One conductor's or poster's view of the board, with a session of its own."""

    def __init__(
        self, name: str, path: str, client: KazooClient, books: Any, ledger_: Ledger, pace: Pace
    ) -> None:
        super().__init__(name, {"path": path}, client=client, persistence=books)
        self._ledger, self._pace = ledger_, pace

    def post(self, name: str, *args: Any, **kwargs: Any) -> ZookeeperJob:
        """Post a job."""
        job = super().post(name, *args, **kwargs)
        self._pace.touch(job.path)
        self._ledger.write(ledger.POSTED, job.uuid, None)
        return job

    def claim(self, job: ZookeeperJob, who: str) -> None:
        """Claim a job, unless something has just happened to it."""
        if self._pace.left(job.path):
            raise UnclaimableJob(f"Job {job.uuid} is left alone for a moment")
        try:
            super().claim(job, who)
        except (UnclaimableJob, NotFound):
            raise  # another conductor has it, or had it: nothing was done
        except Exception as error:
            self._ledger.write(ledger.CLAIMED, job.uuid, who, f"failed: {error}")
            raise
        self._pace.touch(job.path)
        self._ledger.write(ledger.CLAIMED, job.uuid, who)

    def consume(self, job: ZookeeperJob, who: str) -> None:
        """End a job that is done."""
        self._paced(ledger.CONSUMED, super().consume, job, who)

    def abandon(self, job: ZookeeperJob, who: str) -> None:
        """Give a job back."""
        self._paced(ledger.ABANDONED, super().abandon, job, who)

    def trash(self, job: ZookeeperJob, who: str) -> None:
        """End a job that nobody can do."""
        self._paced(ledger.TRASHED, super().trash, job, who)

    def _paced(self, kind: str, operation: Operation, job: ZookeeperJob, who: str) -> None:
        time.sleep(self._pace.left(job.path))
        # Before it too: a conductor that claims between ZooKeeper's answer and the next line
        # would be too quick.
        self._pace.touch(job.path)
        try:
            operation(job, who)
        except Exception as error:
            self._ledger.write(kind, job.uuid, who, f"failed: {error}")
            raise
        self._pace.touch(job.path)
        self._ledger.write(kind, job.uuid, who)
