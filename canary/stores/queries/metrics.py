"""Figures of all boards for metrics: what is on each, its freshness, and what was ever missed.

A handful of queries, whatever the number of boards, about the present only: nothing that grows with
the time for which jobs, changes and gaps are kept. Raises StoreUnavailable or StoreRefused, and
writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pymongo
from pymongo.database import Database

from canary.model.jobs import JobState
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document
from canary.stores.mongo.shapes import fitting, is_of
from canary.stores.queries.board_status import BEAT_LIMIT, BoardNow, boards_now
from canary.stores.queries.counts import OnBoard, Tallies


@dataclass(frozen=True, slots=True)
class Missed:
    """All gaps that a board ever had: their number, by reason, and what was unseen in them."""

    gaps: Mapping[str, int] = field(default_factory=dict)
    creates: int = 0
    deletes: int = 0


@dataclass(frozen=True, slots=True)
class BoardFigures:
    """The figures of one registered board.

    ``jobs`` is the number of jobs on it, by state. ``oldest_unclaimed`` is for how many seconds the
    job that has waited longest has waited, ``oldest_claimed`` for how many the oldest claim has
    lasted; 0 if there is none. ``collisions`` is the number of claimed jobs that can't be trashed.
    """

    now: BoardNow
    jobs: Mapping[str, int]
    oldest_unclaimed: float
    missed: Missed
    oldest_claimed: float = 0.0
    collisions: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """All registered boards, and the number of workers that have a heartbeat."""

    boards: tuple[BoardFigures, ...]
    workers: int


def figures(database: Database[Document], timeout: float) -> Figures:
    """Read the figures, within ``timeout`` seconds."""
    registered = {"registered": True}
    with errors_as_ours(), pymongo.timeout(timeout):
        boards = boards_now(database, registered)
        missed = {
            board["_id"]: _missed(fitting(board.get("missed"), dict, {}))
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
    jobs = {JobState.UNCLAIMED.value: there.unclaimed, JobState.CLAIMED.value: there.claimed}
    waits, lasts = (_since(each, now.now) for each in (there.waits_from, there.claimed_from))
    return BoardFigures(now, jobs, waits, missed, lasts, there.collisions)


def _since(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _missed(document: Mapping[str, Any]) -> Missed:
    counts = fitting(document.get("gaps"), dict, {})
    gaps = {reason: int(count) for reason, count in counts.items() if is_of(count, int)}
    creates, deletes = (fitting(document.get(name), int, 0) for name in ("creates", "deletes"))
    return Missed(gaps, int(creates), int(deletes))
