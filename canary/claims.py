"""Claims on watch jobs: made by TaskFlow, read back, and given up by who holds that very lock.

TaskFlow's claim returns nothing but success, and its answer may be lost after the lock was made;
its ``abandon`` compares the owner's name alone, which all workers share. So a claim is known by its
lock's czxid and session.

Promises: ``make`` returns a claim only where the lock is this session's; a claim whose answer was
lost is found by the next ``make``. Calls are made by one greenlet each, and bounded. Counts claims
that were made and those that it gave up; what goes with a session is not given up.
"""

import logging
from dataclasses import dataclass, field

from kazoo.exceptions import NoNodeError
from taskflow import exceptions as taskflow_exceptions
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob

from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.jobboard import WatchJobBoard
from canary.registry import WatchJob
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
        """What log records about it carry; the job is the watch job, on Canary's own board."""
        return {"board": self.job.path, "job": self.job.name, "epoch": self.epoch}


class Claims:
    """What one conductor claims on Canary's own board, as ``owner``."""

    def __init__(self, board: WatchJobBoard, owner: str) -> None:
        self._board, self._owner = board, owner
        self._client = board.client
        self._uncertain: set[str] = set()  # claimed perhaps: the answer was lost
        self.made = self.abandoned = 0  # so far

    def may_be_made(self, job: WatchJob) -> bool:
        """Tell whether a job is free, or may have been claimed here without our knowing."""
        return not job.claimed or job.name in self._uncertain

    def make(self, job: WatchJob) -> Claim | None:
        """Claim a job, or find that it is claimed here already; None where others were faster."""
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
            claim = self._read_back(job, held)  # the claim may be one whose answer was lost
        except taskflow_exceptions.NotFound:
            LOG.debug("it was removed", extra={"board": job.path, "job": job.name})
        finally:
            self._board.let_go(held)
        self._uncertain.discard(job.name)
        self.made += claim is not None
        return claim

    def holds(self, claim: Claim) -> bool:
        """Tell, by reading it back from ZooKeeper, whether a claim still stands."""
        found = self._read_back(claim.job, claim.held)
        return found is not None and found.epoch == claim.epoch

    def abandon(self, claim: Claim) -> None:
        """Delete the lock of this very claim, if it is there still; at worst the session does."""
        timeout = self._client.call_timeout
        try:
            if self.holds(claim):
                with errors_as_ours(timeout, answers=(NoNodeError,)):
                    self._client.delete_async(claim.held.lock_path).get(timeout=timeout)
                self.abandoned += 1
        except NoNodeError:
            LOG.debug("it was abandoned already", extra=claim.extra)
        except CanaryError as error:
            LOG.warning(
                "not abandoned, its lock goes with the session: %s", error, extra=claim.extra
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
            LOG.debug("whose lock it is can't be told: %s", error, extra=extra)
            self._uncertain.add(job.name)
            return
        finally:
            self._board.let_go(held)
        if claim is not None:
            self.abandon(claim)

    def forget_all_but(self, names: set[str]) -> None:
        """Drop what is remembered of jobs that are not on the board any more."""
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
            raise ZooKeeperUnavailable("the connection was lost; whose lock it is can't be told")
        if stat.ephemeralOwner != session:
            return None
        return Claim(job, stat.czxid, stat.ephemeralOwner, held)
