"""All boards in numbers, for metrics: what is on each, how fresh it is, what was ever missed of it.

A handful of queries whatever the number of boards, each of them over what is now: nothing that
grows with the time for which jobs, changes and gaps are kept. Raises StoreUnavailable or
StoreRefused, and writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pymongo
from pymongo.database import Database

from canary.stores.boards import BEAT_LIMIT, BoardNow, boards_now
from canary.stores.documents import ON_BOARD, Document
from canary.stores.mongo import errors_as_ours


@dataclass(frozen=True, slots=True)
class Missed:
    """What was ever in gaps of a board: how many there were, by reason, and the unseen in them."""

    gaps: Mapping[str, int] = field(default_factory=dict)
    creates: int = 0
    deletes: int = 0


@dataclass(frozen=True, slots=True)
class BoardFigures:
    """One registered board. ``jobs`` are those on it, by state; ``oldest_unclaimed`` in seconds."""

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
        jobs: dict[str, dict[str, Mapping[str, Any]]] = {}
        for group in database.jobs.aggregate(on_boards([board.path for board in boards])):
            jobs.setdefault(group["_id"]["board"], {})[group["_id"]["state"]] = group
        workers = next(iter(database.workers.aggregate(_ALIVE)), {"workers": 0})
    return Figures(
        tuple(
            _board(board, jobs.get(board.path, {}), missed.get(board.path, Missed()))
            for board in boards
        ),
        workers["workers"],
    )


def on_boards(paths: Sequence[str]) -> list[Document]:
    """Return the pipeline that counts the jobs on the boards at ``paths``.

    Boards are named for the index's sake: jobs that have ended are many, and are not looked at.
    """
    return [
        {"$match": {"board": {"$in": list(paths)}, "state": {"$in": ON_BOARD}}},
        {
            "$group": {
                "_id": {"board": "$board", "state": "$state"},
                "jobs": {"$sum": 1},
                "oldest": {"$min": "$posted_at"},
            }
        },
    ]


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


def _board(now: BoardNow, jobs: Mapping[str, Mapping[str, Any]], missed: Missed) -> BoardFigures:
    counts = {state: jobs[state]["jobs"] if state in jobs else 0 for state in ON_BOARD}
    oldest: datetime = jobs["UNCLAIMED"]["oldest"] if "UNCLAIMED" in jobs else now.now
    return BoardFigures(now, counts, max(0.0, (now.now - oldest).total_seconds()), missed)


def _missed(document: Mapping[str, Any]) -> Missed:
    gaps = {reason: int(count) for reason, count in document.get("gaps", {}).items()}
    return Missed(gaps, int(document.get("creates", 0)), int(document.get("deletes", 0)))
