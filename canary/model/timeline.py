"""A job's changes folded into what it was at one moment, and how long it had waited and run.

Promises: the same moves always give the same result, whatever their moments. ZooKeeper's clock and
Canary's may disagree, so moves are folded in the order in which they were recorded, and no duration
is ever negative. If the log does not reach back to the first move (it has a time to live), the
oldest remaining move says what was before, as far as it can.

Does not invent: a duration is None if a part of it is not known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from canary.model.changes import ENDINGS, Kind
from canary.model.durations import Durations
from canary.model.jobs import JobState, Outcome


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one job after its posting: a claim, its edit or abandoning, or the job's end.

    ``moment`` is its time by ZooKeeper if known, else when Canary saw it. ``owner`` is that of the
    claim that began or ended, or the one that an edit set.
    """

    kind: Kind
    moment: datetime
    owner: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class JobThen:
    """What a job was at one moment.

    ``owner`` and ``claimed_at`` are those of the current claim; for an ended job, of the claim that
    it ended under. ``waiting`` and ``running`` are seconds, summed over all its claims, including
    the time since the last move. ``running`` is None as long as nobody has claimed the job.
    """

    state: JobState
    owner: str | None
    claimed_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    waiting: float | None
    running: float | None


def fold(posted_at: datetime, moves: Sequence[Move], at: datetime) -> JobThen:
    """Return what all of ``moves``, in their order, made of a job; ``at`` is now."""
    return _fold(posted_at, moves, at, _was_claimed(moves[:1]))


def then(posted_at: datetime, moves: Sequence[Move], at: datetime) -> JobThen | None:
    """Return what a job was at the moment ``at``; None if it was not posted yet."""
    if posted_at > at:
        return None
    until = [move for move in moves if move.moment <= at]
    return _fold(posted_at, until, at, _was_claimed(moves[:1]))


def _was_claimed(oldest: Sequence[Move]) -> Move | None:
    """Return the oldest move if it ends a claim whose beginning is no longer known."""
    for move in oldest:
        by_owner = move.owner is not None or move.kind in {Kind.CONSUMED, Kind.TRASHED}
        is_of_claim = move.kind in {Kind.ABANDONED, Kind.EDITED}
        if is_of_claim or (move.kind in ENDINGS and by_owner):
            return move
    return None


def _fold(
    posted_at: datetime, moves: Iterable[Move], at: datetime, claimed_before: Move | None
) -> JobThen:
    spent = Durations.posted(posted_at)
    owner = ended_at = outcome = None
    if claimed_before:
        spent, owner = Durations(JobState.CLAIMED, posted_at, None, None), claimed_before.owner
    for move in moves:
        if move.kind is Kind.EDITED:
            owner = move.owner
            continue
        spent = spent.after(move.kind, move.moment, move.outcome)
        if move.kind in ENDINGS:
            ended_at, outcome = move.moment, move.outcome
        else:
            owner = move.owner if move.kind is Kind.CLAIMED else None
    return JobThen(
        spent.state,
        owner,
        spent.claimed_at,
        ended_at,
        outcome,
        spent.waiting(at),
        spent.running(at),
    )
