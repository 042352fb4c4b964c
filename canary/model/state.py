"""What is known of a board between two rounds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from canary.model.changes import BEGINNINGS, ENDINGS, Change, Gap, Kind
from canary.model.editing import edited
from canary.model.jobs import Job, Lock
from canary.model.names import lock_name
from canary.model.observations import Stat

_NO_JOBS: Mapping[str, Job] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BoardState:
    """What is known of a board.

    ``stat`` is that of the last listing; None if the board was never listed, or did not exist in
    the last round. ``seen_at`` is when the last round was; None if there was none: then the next
    listing can't be compared with anything. ``children`` are all names of the last listing.
    ``others`` are those of children that are neither jobs nor a job's lock. ``unread`` are the
    names of jobs to read again, because they or their lock were gone, or replaced, when they were
    read. ``told_creates`` and ``told_deletes`` are what changes recorded since ``stat`` explain
    already: a store that could write only a part of a round leaves them behind, with
    ``told_incarnation``, the incarnation of the board that the last of these changes was about.
    """

    stat: Stat | None = None
    seen_at: datetime | None = None
    jobs: Mapping[str, Job] = field(default_factory=lambda: _NO_JOBS)
    others: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    told_creates: int = 0
    told_deletes: int = 0
    told_incarnation: int | None = None

    @classmethod
    def restore(
        cls,
        stat: Stat | None,
        seen_at: datetime | None,
        jobs: Iterable[Job],
        others: Iterable[str],
        *,
        told: tuple[int, int] = (0, 0),
        told_incarnation: int | None = None,
    ) -> "BoardState":
        """Build the state from what a store holds: the jobs that have not ended, and others.

        ``told`` are the creates and deletes that changes of ``told_incarnation`` have explained
        since ``stat``; ``after`` computes them.
        """
        by_name = {job.name: job for job in jobs}
        strays = frozenset(others)
        locks = {lock_name(job.name) for job in by_name.values() if job.lock}
        return cls(
            stat,
            seen_at,
            by_name,
            strays,
            strays | by_name.keys() | locks,
            frozenset(name for name, job in by_name.items() if job.is_unread),
            told_creates=told[0],
            told_deletes=told[1],
            told_incarnation=told_incarnation,
        )

    @property
    def incarnation(self) -> int | None:
        """The incarnation of the board that jobs and others belong to."""
        if self.told_incarnation is not None:
            return self.told_incarnation
        return self.stat.czxid if self.stat else None

    def known_until(self, moment: datetime | None) -> "BoardState":
        """Return the state, seen at ``moment`` if later: nothing has happened up to then."""
        if self.seen_at is None or moment is None or moment <= self.seen_at:
            return self
        return replace(self, seen_at=moment)

    def after(self, changes: Iterable[Change]) -> "BoardState":
        """Return the state once only ``changes``, the next ones in order, are recorded.

        A store is in this state if it wrote these changes, but not yet the listing that they came
        from.
        """
        changes = tuple(changes)
        jobs, others = dict(self.jobs), set(self.others)
        for change in changes:
            apply(change, jobs, others)
        incarnation, creates, deletes = told_after(
            self.incarnation, self.told_creates, self.told_deletes, changes
        )
        return BoardState.restore(
            self.stat,
            self.seen_at,
            jobs.values(),
            others,
            told=(creates, deletes),
            told_incarnation=incarnation,
        )


def told_after(
    incarnation: int | None, creates: int, deletes: int, changes: Iterable[Change]
) -> tuple[int | None, int, int]:
    """Return what is explained beyond a board's stat once ``changes`` are recorded.

    The result is the incarnation, the creates and the deletes.
    """
    for change in changes:
        if change.incarnation != incarnation:
            # What was explained in an older incarnation has no place in this one's account.
            incarnation, creates, deletes = change.incarnation, 0, 0
        creates += change.creates
        deletes += change.deletes
    return incarnation, creates, deletes


def apply(change: Change, jobs: dict[str, Job], others: set[str]) -> None:
    """Update ``jobs`` and ``others`` of a board to what they are after ``change``."""
    name = change.name
    if change.kind in BEGINNINGS:
        job_name = change.payload.name if change.payload else None
        jobs[name] = Job(name, change.czxid, change.uuid, job_name, change.at, change.seen_at)
    elif change.kind is Kind.CLAIMED:
        lock = Lock(change.lock_czxid, change.owner, change.session, change.at)
        jobs[name] = replace(jobs[name], lock=lock)
    elif change.kind is Kind.ABANDONED:
        jobs[name] = replace(jobs[name], lock=None)
    elif change.kind is Kind.EDITED:
        jobs[name] = edited(jobs[name], change)
    elif change.kind in ENDINGS:
        del jobs[name]
    if change.other_added is not None:
        others.add(change.other_added)
    if change.other_removed is not None:
        others.discard(change.other_removed)


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one observation. The changes are in the order in which they are published."""

    state: BoardState
    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
