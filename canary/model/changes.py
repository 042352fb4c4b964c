"""The model's output: changes and gaps."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from canary.model.jobs import Edition, Job, Outcome
from canary.model.names import lock_name
from canary.model.payload.payload import Payload


class Kind(StrEnum):
    """What a change is. The last two kinds are about children of a board that are not jobs."""

    POSTED = "posted"
    MALFORMED = "malformed"  # posted, with a payload that no conductor can use
    CLAIMED = "claimed"
    ABANDONED = "abandoned"
    EDITED = "edited"  # somebody has set the data of the job's znode, or of its lock's, anew
    CONSUMED = "consumed"
    TRASHED = "trashed"
    REMOVED = "removed"
    ENDED = "ended"  # outcome unknown, or the board was deleted
    NODE_CREATED = "node_created"
    NODE_DELETED = "node_deleted"


BEGINNINGS = frozenset({Kind.POSTED, Kind.MALFORMED})
ENDINGS = frozenset({Kind.CONSUMED, Kind.TRASHED, Kind.REMOVED, Kind.ENDED})


@dataclass(frozen=True, slots=True)
class Edit:
    """How somebody edited the data of a job's znode, or of its lock's if ``of_lock``.

    ``edition`` is the current one. ``edits`` is how often the data were set since the known
    edition; None if that is unknown, because a restored ensemble holds older data. The data before
    are known, unless it ``is_first``: then the znode was edited before it was first read. ``uuid``
    and ``owner`` are those that the job and its claim had before.
    """

    edition: Edition | None
    edits: int | None
    of_lock: bool
    is_first: bool
    uuid: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened on a board.

    ``creates`` and ``deletes`` say how many creates and deletes of the board's children it
    explains; 0 if a gap has counted them already. ``at`` is ZooKeeper's time if a znode has it,
    else None; ``seen_at`` is Canary's. ``czxid``, ``made_at`` (the job's) and ``incarnation``
    identify the job (``names.job_id``), ``lock_czxid`` the claim. ``session`` is the ZooKeeper
    session of a claim. ``payload`` comes with the first change of a job, and with its edits. For an
    edit, ``owner`` and ``session`` are those of the current claim. ``lock_stays`` says of an ending
    that the job's lock outlived it. ``moment`` is ``at`` by Canary's clock (``canary.model.skew``);
    None if it is not computed or ``at`` is None.
    """

    kind: Kind
    name: str
    incarnation: int
    czxid: int | None
    uuid: str | None
    at: datetime | None
    seen_at: datetime
    creates: int = 0
    deletes: int = 0
    owner: str | None = None
    session: int | None = None
    lock_czxid: int | None = None
    outcome: Outcome | None = None
    payload: Payload | None = None
    lock_stays: bool = False
    made_at: datetime | None = None  # the job's; None if it is not about a job
    moment: datetime | None = None
    edit: Edit | None = None  # of a change of kind EDITED

    @property
    def happened_at(self) -> datetime:
        """When it happened by Canary's clock, as far as known. Durations count from here."""
        return self.moment or self.at or self.seen_at

    @property
    def other_added(self) -> str | None:
        """The name of a child that is, from this change on, neither a job nor a job's lock.

        That is a new child, or the lock of a job that ended if the lock outlived it.
        """
        if self.kind is Kind.NODE_CREATED:
            return self.name
        return lock_name(self.name) if self.lock_stays else None

    @property
    def other_removed(self) -> str | None:
        """The name of a child that, from this change on, is no longer such a child.

        That is a deleted child, or a lock that existed before its job was posted.
        """
        if self.kind is Kind.NODE_DELETED:
            return self.name
        adopted = self.kind is Kind.CLAIMED and self.creates == 0
        return lock_name(self.name) if adopted else None


def ending_of(
    job: Job, incarnation: int, seen_at: datetime, deletes: int, outcome: Outcome
) -> Change:
    """Return the change that ends ``job``, when no znode says how it ended."""
    lock = job.lock
    return Change(
        Kind.ENDED,
        job.name,
        incarnation,
        job.czxid,
        job.uuid,
        None,
        seen_at,
        deletes=deletes,
        owner=lock.owner if lock else None,
        session=lock.session if lock else None,
        lock_czxid=lock.czxid if lock else None,
        outcome=outcome,
        made_at=job.made_at,
    )


def node_change(kind: Kind, name: str, incarnation: int, seen_at: datetime) -> Change:
    """Return the change of a child that is neither a job nor a job's lock."""
    created = kind is Kind.NODE_CREATED
    return Change(
        kind,
        name,
        incarnation,
        None,
        None,
        None,
        seen_at,
        creates=int(created),
        deletes=int(not created),
    )


class Reason(StrEnum):
    """Why changes were not seen one by one."""

    COALESCED = "coalesced"  # several between two reads: ZooKeeper's watches fire once
    LATE = "late"  # no round for a while: a server or worker stood still, or a round took long
    SUSPENDED = "suspended"  # the connection to ZooKeeper was lost
    HANDOVER = "handover"  # a worker released the board in good order, until one took it again
    UNREGISTERED = "unregistered"  # the board was not registered, until it was again
    RESTART = "restart"  # a worker ended without releasing the board, until one took it
    OVERFLOW = "overflow"  # the store was slower than the board for too long
    DENIED = "denied"  # the board's ACL did not let Canary read it
    BOARD_DELETED = "board_deleted"  # of what happened just before, only a lower bound is known
    DRIFT = "drift"  # what Canary had recorded was wrong: a defect, found by a comparison
    ERA = "era"  # the ensemble was rebuilt or restored: its counters cannot be compared


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval in which changes happened that Canary did not see one by one, as they happened.

    ``creates`` and ``deletes`` count the unseen ones, exactly; None if they cannot be known. Both
    are 0 if everything was found afterwards, by comparing, and only the times are unknown.

    It never ends before it begins. Two workers' clocks may differ, and one worker may record an
    earlier moment than the worker before: then the gap is what lies between the two.
    """

    start: datetime
    end: datetime
    reason: Reason
    creates: int | None
    deletes: int | None

    def __post_init__(self) -> None:
        """Put the earlier moment first."""
        earlier, later = sorted((self.start, self.end))
        object.__setattr__(self, "start", earlier)
        object.__setattr__(self, "end", later)
