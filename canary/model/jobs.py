"""A job as Canary knows it, and the claim on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class JobState(StrEnum):
    """TaskFlow's states of a job; COMPLETE means that its znode is gone."""

    UNCLAIMED = "UNCLAIMED"
    CLAIMED = "CLAIMED"
    COMPLETE = "COMPLETE"


class Outcome(StrEnum):
    """How a job ended, as far as this is known."""

    CONSUMED = "consumed"  # by its owner, done
    TRASHED = "trashed"  # by its owner, into the trash
    REMOVED = "removed"  # by somebody else, by hand
    BOARD_DELETED = "board_deleted"  # with its board
    UNKNOWN = "unknown"  # it is gone; nothing says how


class Edition(NamedTuple):
    """Which data a znode holds, if somebody has set them since its creation.

    ``version`` counts how often; ``mzxid`` and ``at`` (ZooKeeper's time) are of the last time. Data
    that were never set again have no edition (None): TaskFlow writes jobs and locks once.
    """

    version: int
    mzxid: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Lock:
    """A claim: the ephemeral sibling of a job's znode.

    ``czxid``, ``session`` (its ephemeralOwner) and ``at`` (ZooKeeper's time of the claim) are None
    if the lock was listed but gone before it could be read, or if its ACL hides it. ``owner`` is
    None also if it is garbage.
    """

    czxid: int | None
    owner: str | None
    session: int | None
    at: datetime | None
    edition: Edition | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is on a board.

    ``czxid`` and ``at`` (ZooKeeper's time of the posting) are None if the job was listed but gone
    before it could be read, or if its ACL hides it. ``uuid`` and ``job_name`` are None also if its
    payload is malformed. If an edit made the payload malformed, they keep their values.
    """

    name: str
    czxid: int | None
    uuid: str | None
    job_name: str | None
    at: datetime | None
    seen_at: datetime
    lock: Lock | None = None
    edition: Edition | None = None

    @property
    def written_at(self) -> int | None:
        """The zxid of the last write of its data."""
        return self.edition.mzxid if self.edition else self.czxid

    @property
    def made_at(self) -> datetime:
        """When its znode was created; if that was never read, when the job was first seen."""
        return self.at or self.seen_at

    @property
    def state(self) -> JobState:
        """UNCLAIMED or CLAIMED: a job that is on a board is never COMPLETE."""
        return JobState.CLAIMED if self.lock else JobState.UNCLAIMED

    @property
    def is_unread(self) -> bool:
        """Whether it, or its lock, was gone or hidden when it was to be read."""
        return self.czxid is None or (self.lock is not None and self.lock.czxid is None)
