"""Claims on watch jobs: made by TaskFlow, read back, and given up only by the holder of that lock.

TaskFlow's claim returns only success, and its answer may be lost after the lock was created.
TaskFlow's ``abandon`` compares only the owner's name, which all workers share. So a claim is
identified by its lock's czxid and session.

Promises: ``make`` returns a claim only if the lock is this session's. A claim whose answer was lost
is found by the next ``make``. Each call is made by one greenlet, and bounded. Claims that were made
and claims that were given up are counted; a claim that ends with its session does not count as
given up.
"""

import logging
from dataclasses import dataclass, field

from kazoo.exceptions import NoNodeError
from taskflow import exceptions as taskflow_exceptions
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob

from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.registry.jobboard import WatchJobBoard
from canary.registry.registry import WatchJob
from canary.zookeeper import errors_as_ours

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim on a watch job: ``epoch`` is the czxid of its lock, ``session`` the lock's owner."""

    job: WatchJob
    epoch: int
    session: int
    held: ZookeeperJob = field(repr=False, compare=False)  # TaskFlow's view of the job

    @property
    def extra(self) -> dict[str, str | int]:
        """The fields of its log records; ``job`` is the watch job, on Canary's own board."""
        return {"board": self.job.path, "job": self.job.name, "epoch": self.epoch}


class Claims:
    """The claims of one conductor on Canary's own board, as ``owner``."""

    def __init__(self, board: WatchJobBoard, owner: str) -> None:
        self._board, self._owner = board, owner
        self._client = board.client
        self._uncertain: set[str] = set()  # perhaps claimed: the answer was lost
        self.made = self.abandoned = 0  # so far

    def may_be_made(self, job: WatchJob) -> bool:
        """Return whether a job is free, or may be claimed here: its claim's answer was lost."""
        return not job.claimed or job.name in self._uncertain

    def make(self, job: WatchJob) -> Claim | None:
        """Return a new claim or the one that exists here; None if another worker was faster."""
        held = self._board.hold(job)
        claim = None
        try:
            if job.name in self._uncertain:
                claim = self._read_back(job, held)
            if claim is None:
                self._uncertain.add(job.name)
                with self._board.limited(self._client.call_timeout):
                    self._board.claim(held, self._owner)
                claim = self._read_back(job, held)
        except taskflow_exceptions.UnclaimableJob:
            claim = self._read_back(job, held)  # perhaps it is a claim whose answer was lost
        except taskflow_exceptions.NotFound:
            LOG.debug("the watch job was removed", extra={"board": job.path, "job": job.name})
        finally:
            self._board.let_go(held)
        self._uncertain.discard(job.name)
        self.made += claim is not None
        return claim

    def holds(self, claim: Claim) -> bool:
        """Return whether a claim still holds, by reading it from ZooKeeper."""
        found = self._read_back(claim.job, claim.held)
        return found is not None and found.epoch == claim.epoch

    def abandon(self, claim: Claim) -> None:
        """Delete the lock of this very claim, if it still exists.

        If that fails, the lock ends with the session.
        """
        timeout = self._client.call_timeout
        try:
            if self.holds(claim):
                with errors_as_ours(timeout, answers=(NoNodeError,)):
                    self._client.delete_async(claim.held.lock_path).get(timeout=timeout)
                self.abandoned += 1
        except NoNodeError:
            LOG.debug("the claim was already abandoned", extra=claim.extra)
        except CanaryError as error:
            LOG.warning(
                "the claim was not abandoned; its lock ends with the session: %s",
                error,
                extra=claim.extra,
            )
            self._uncertain.add(claim.job.name)

    def give_back(self, job: WatchJob) -> None:
        """Delete the lock of a job that may have been claimed here, if it is this session's."""
        if job.name not in self._uncertain:
            return
        self._uncertain.discard(job.name)
        held = self._board.hold(job)
        try:
            claim = self._read_back(job, held)
        except CanaryError as error:
            extra = {"board": job.path, "job": job.name}
            LOG.debug("the owner of the lock is not known: %s", error, extra=extra)
            self._uncertain.add(job.name)
            return
        finally:
            self._board.let_go(held)
        if claim is not None:
            self.abandon(claim)

    def forget_all_but(self, names: set[str]) -> None:
        """Forget jobs that are no longer on the board."""
        self._uncertain &= names

    def _read_back(self, job: WatchJob, held: ZookeeperJob) -> Claim | None:
        """Return the claim on ``job`` if its lock is this session's, else None."""
        timeout = self._client.call_timeout
        answer = self._client.get_async(held.lock_path)
        try:
            with errors_as_ours(timeout, answers=(NoNodeError,)):
                _, stat = answer.get(timeout=timeout)
        except NoNodeError:
            return None
        session = self._client.session
        if session is None:
            raise ZooKeeperUnavailable(
                "the connection was lost; the owner of the lock is not known"
            )
        if stat.ephemeralOwner != session:
            return None
        return Claim(job, stat.czxid, stat.ephemeralOwner, held)
