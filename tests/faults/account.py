"""The account: how many creates and deletes were made, seen, and counted in gaps.

It closes for each life of the board's node by itself. Only where a gap says that it can't know how
many there were, as when a board is deleted or its ensemble is another one, what is left over is
taken for its size; that gap's life, and the next one where it reaches into it, is one account.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Window = tuple[datetime, datetime]
Row = dict[str, Any]
Counts = tuple[int, int]  # creates and deletes


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a board's node: not born before ``start``, nor ``operations`` lines of log."""

    start: datetime
    operations: int


@dataclass(frozen=True, slots=True)
class Course:
    """What happened when: the load, the faults and their recoveries, the lives of the board.

    ``unknowable`` are the reasons of the gaps whose size nobody can know here.
    """

    load: Window
    faults: Sequence[Window]
    lives: Sequence[Life]
    unknowable: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Told:
    """Creates and deletes together: ``lost`` were not told, ``beyond`` were told and not made."""

    made: int
    seen: int
    unseen: int
    lost: int
    beyond: int


def account(
    operations: Sequence[Row], changes: Sequence[Row], gaps: Sequence[Row], course: Course
) -> Told:
    """Close the account of each life."""
    starts = [life.start for life in course.lives]

    def at(moment: datetime) -> int:
        return max(0, bisect_right(starts, moment) - 1)

    ends = [life.operations for life in course.lives[1:]] + [len(operations)]
    bounds = zip([life.operations for life in course.lives], ends, strict=True)
    made = [_sum(operations[first:last]) for first, last in bounds]
    seen = [_sum([c for c in changes if at(c["seen_at"]) == life]) for life in range(len(starts))]
    known = [gap for gap in gaps if gap["creates"] is not None]
    unseen = [_sum([g for g in known if at(g["to"]) == life]) for life in range(len(starts))]
    together = list(range(len(starts)))  # of each life, the first one of its account
    unknown = set()
    for gap in gaps:
        if gap["creates"] is None:
            first, last = together[at(gap["from"])], at(gap["to"])
            together = [first if first <= each <= last else each for each in together]
            unknown.add(first)
    lost = beyond = guessed = 0
    for one in sorted(set(together)):
        lives = [life for life, first in enumerate(together) if first == one]
        for count in range(2):
            left = sum(made[n][count] - seen[n][count] - unseen[n][count] for n in lives)
            beyond += max(0, -left)
            if one in unknown:
                guessed += max(0, left)
            else:
                lost += max(0, left)
    totals = [sum(map(sum, counts)) for counts in (made, seen, unseen)]
    return Told(totals[0], totals[1], totals[2] + guessed, lost, beyond)


def _sum(rows: Sequence[Row]) -> Counts:
    return sum(row["creates"] for row in rows), sum(row["deletes"] for row in rows)
