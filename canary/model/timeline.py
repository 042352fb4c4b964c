"""A job's changes folded back into what it was at one moment, and how long it waited and ran.

Promises: the same moves always give the same answer, whatever their moments: ZooKeeper's clock and
Canary's may disagree, so moves are folded in the order in which they were recorded and no duration
is ever negative. Where the log does not reach back to the first move (it has a time to live), what
was before is told by the oldest move that is left, as far as that tells it.

Does not invent: a duration is None where a part of it is not known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from canary.model.changes import ENDINGS, Kind
from canary.model.jobs import JobState, Outcome
from canary.model.spent import Spent


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one job after its posting: a claim, an abandoning or its end.

    ``moment`` is ZooKeeper's time of it where known, else when Canary saw it. ``owner`` is that of
    the claim that began or ended.
    """

    kind: Kind
    moment: datetime
    owner: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class JobThen:
    """What a job was at one moment.

    ``owner`` and ``claimed_at`` are those of the claim that held, for an ended job of the claim
    that it ended under. ``waiting`` and ``running`` are seconds, summed over all its claims, the
    time since the last move included; ``running`` is None as long as nobody claimed it.
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
    """Return the oldest move if it ends a claim, whose beginning is then not known any more."""
    for move in oldest:
        by_owner = move.owner is not None or move.kind in {Kind.CONSUMED, Kind.TRASHED}
        if move.kind is Kind.ABANDONED or (move.kind in ENDINGS and by_owner):
            return move
    return None


def _fold(
    posted_at: datetime, moves: Iterable[Move], at: datetime, claimed_before: Move | None
) -> JobThen:
    spent = Spent.posted(posted_at)
    owner = ended_at = outcome = None
    if claimed_before:
        spent, owner = Spent(JobState.CLAIMED, posted_at, None, None), claimed_before.owner
    for move in moves:
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
