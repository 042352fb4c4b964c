"""A job as Canary knows it, and the claim on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobState(StrEnum):
    """TaskFlow's states of a job; COMPLETE means that its znode is gone."""

    UNCLAIMED = "UNCLAIMED"
    CLAIMED = "CLAIMED"
    COMPLETE = "COMPLETE"


class Outcome(StrEnum):
    """How a job ended, as far as it can be told."""

    CONSUMED = "consumed"  # by its owner, done
    TRASHED = "trashed"  # by its owner, into the trash
    REMOVED = "removed"  # by someone else's hand
    BOARD_DELETED = "board_deleted"  # with its board
    UNKNOWN = "unknown"  # it is gone; nothing says how


@dataclass(frozen=True, slots=True)
class Lock:
    """A claim: the ephemeral sibling of a job's znode.

    ``czxid``, ``session`` (its ephemeralOwner) and ``at`` (ZooKeeper's time of the claim) are None
    where the lock was listed but gone before it could be read, or its ACL hides it; ``owner`` also
    where it is garbage.
    """

    czxid: int | None
    owner: str | None
    session: int | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is on a board.

    ``czxid`` and ``at`` (ZooKeeper's time of the posting) are None where it was listed but gone
    before it could be read, or its ACL hides it; ``uuid`` and ``job_name`` also where its payload
    is malformed.
    """

    name: str
    czxid: int | None
    uuid: str | None
    job_name: str | None
    at: datetime | None
    seen_at: datetime
    lock: Lock | None = None

    @property
    def made_at(self) -> datetime:
        """When its znode was made; where that was never read, when the job was first seen."""
        return self.at or self.seen_at

    @property
    def state(self) -> JobState:
        """UNCLAIMED or CLAIMED: a job that is on a board is never COMPLETE."""
        return JobState.CLAIMED if self.lock else JobState.UNCLAIMED

    @property
    def is_unread(self) -> bool:
        """Whether it, or its lock, was gone or hidden when it was to be read."""
        return self.czxid is None or (self.lock is not None and self.lock.czxid is None)
