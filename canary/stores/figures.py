"""All boards in numbers, for metrics: what is on each, how fresh it is, what was ever missed of it.

A handful of queries whatever the number of boards, each of them over what is now: nothing that
grows with the time for which jobs, changes and gaps are kept. Raises StoreUnavailable or
StoreRefused, and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pymongo
from pymongo.database import Database

from canary.model.jobs import JobState
from canary.stores.boards import BEAT_LIMIT, BoardNow, boards_now
from canary.stores.documents import Document
from canary.stores.mongo import errors_as_ours
from canary.stores.tallies import OnBoard, Tallies


@dataclass(frozen=True, slots=True)
class Missed:
    """What was ever in gaps of a board: how many there were, by reason, and the unseen in them."""

    gaps: Mapping[str, int] = field(default_factory=dict)
    creates: int = 0
    deletes: int = 0


@dataclass(frozen=True, slots=True)
class BoardFigures:
    """One registered board.

    ``jobs`` are how many are on it, by state; ``oldest_unclaimed`` is for how many seconds that one
    waits which waits longest, 0 where none does.
    """

    now: BoardNow
    jobs: Mapping[str, int]
    oldest_unclaimed: float
    missed: Missed


@dataclass(frozen=True, slots=True)
class Figures:
    """All registered boards, and how many workers have a heartbeat."""

    boards: tuple[BoardFigures, ...]
    workers: int


def figures(database: Database[Document], timeout: float) -> Figures:
    """Read them, within ``timeout`` seconds."""
    registered = {"registered": True}
    with errors_as_ours(), pymongo.timeout(timeout):
        boards = boards_now(database, registered)
        missed = {
            board["_id"]: _missed(board.get("missed", {}))
            for board in database.boards.find(registered, {"missed": 1})
        }
        there = Tallies(database).on_boards([board.path for board in boards])
        workers = next(iter(database.workers.aggregate(_ALIVE)), {"workers": 0})
    return Figures(
        tuple(
            _board(board, there[board.path], missed.get(board.path, Missed())) for board in boards
        ),
        workers["workers"],
    )


_ALIVE: list[Document] = [
    {
        "$match": {
            "$expr": {
                "$gt": [
                    "$beat",
                    {"$subtract": ["$$NOW", int(BEAT_LIMIT.total_seconds() * 1000)]},
                ]
            }
        }
    },
    {"$count": "workers"},
]


def _board(now: BoardNow, there: OnBoard, missed: Missed) -> BoardFigures:
    waits = now.now - (there.waits_from or now.now)
    jobs = {JobState.UNCLAIMED.value: there.unclaimed, JobState.CLAIMED.value: there.claimed}
    return BoardFigures(now, jobs, max(0.0, waits.total_seconds()), missed)


def _missed(document: Mapping[str, Any]) -> Missed:
    gaps = {reason: int(count) for reason, count in document.get("gaps", {}).items()}
    return Missed(gaps, int(document.get("creates", 0)), int(document.get("deletes", 0)))
