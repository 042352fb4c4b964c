"""What happened: changes and gaps, the model's output."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from canary.model.jobs import Job, Outcome
from canary.model.names import lock_name
from canary.model.payload import Payload


class Kind(StrEnum):
    """What a change is. The last two are about children of a board that are no jobs."""

    POSTED = "posted"
    MALFORMED = "malformed"  # posted, with a payload that no conductor can take
    CLAIMED = "claimed"
    ABANDONED = "abandoned"
    CONSUMED = "consumed"
    TRASHED = "trashed"
    REMOVED = "removed"
    ENDED = "ended"  # outcome unknown, or the board was deleted
    NODE_CREATED = "node_created"
    NODE_DELETED = "node_deleted"


BEGINNINGS = frozenset({Kind.POSTED, Kind.MALFORMED})
ENDINGS = frozenset({Kind.CONSUMED, Kind.TRASHED, Kind.REMOVED, Kind.ENDED})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened on a board.

    ``creates`` and ``deletes`` say how many creates and deletes of the board's children it
    explains; none where a gap has counted them already. ``at`` is ZooKeeper's own time where a
    znode tells it, else None; ``seen_at`` is Canary's. ``czxid``, ``made_at`` (the job's) and
    ``incarnation`` identify the job (``names.job_id``), ``lock_czxid`` the claim. ``session`` is
    the ZooKeeper session of a claim. ``payload`` comes with the first change of a job.
    ``lock_stays`` tells of an ending that the job's lock outlived it.
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
    made_at: datetime | None = None  # the job's; None of what is no job

    @property
    def other_added(self) -> str | None:
        """The name of a child that is, from this change on, neither a job nor a job's lock.

        Beside a new one that is the lock of a job that ended, where the lock outlived it.
        """
        if self.kind is Kind.NODE_CREATED:
            return self.name
        return lock_name(self.name) if self.lock_stays else None

    @property
    def other_removed(self) -> str | None:
        """The name of a child that is, from this change on, no longer such a one.

        Beside one that was deleted that is a lock that stood there before its job was posted.
        """
        if self.kind is Kind.NODE_DELETED:
            return self.name
        adopted = self.kind is Kind.CLAIMED and self.creates == 0
        return lock_name(self.name) if adopted else None


def ending_of(
    job: Job, incarnation: int, seen_at: datetime, deletes: int, outcome: Outcome
) -> Change:
    """Return the change that ends ``job``, which no znode tells of."""
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
    """Return the change that tells of a child that is neither a job nor a job's lock."""
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
    LATE = "late"  # nobody looked for a while: a server or the worker stood still, or a look lasted
    SUSPENDED = "suspended"  # the connection to ZooKeeper was lost
    HANDOVER = "handover"  # a worker gave the board up in good order, until one took it again
    UNREGISTERED = "unregistered"  # nobody was to watch the board, until it was registered again
    RESTART = "restart"  # a worker ended without giving the board up, until one took it again
    OVERFLOW = "overflow"  # the store was slower than the board for too long
    DENIED = "denied"  # the board's ACL did not let Canary read it
    BOARD_DELETED = "board_deleted"  # what happened just before it is known from below only
    DRIFT = "drift"  # what Canary had noted was wrong: a defect, found by comparing everything
    ERA = "era"  # the ensemble was rebuilt or restored: its counters cannot be compared


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval in which changes happened that Canary did not see one by one, as they happened.

    ``creates`` and ``deletes`` count the unseen ones, exactly; None where they cannot be known.
    Both are 0 where all was found afterwards, by comparing, and only when it happened is not known.
    """

    start: datetime
    end: datetime
    reason: Reason
    creates: int | None
    deletes: int | None
