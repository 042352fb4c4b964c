"""Counts per board, job name or owner: how many jobs, how many changes, how long.

Promises: everything is counted in MongoDB, so memory is bounded by the size of the answer.
Quantiles are those of ``canary.model.quantiles``. Raises StoreUnavailable or StoreRefused.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import BEGINNINGS, ENDINGS, Kind
from canary.model.filters import Filters
from canary.model.quantiles import GAMMA, SHORTEST
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document
from canary.stores.queries import filtering

UNCLAIMED, CLAIMED = "UNCLAIMED", "CLAIMED"
#: The field of ``changes`` and ``jobs`` that a group stands for.
GROUPS: Final = {"path": "board", "name": "job_name", "owner": "owner"}

_POSTED, _CLAIMED, _ENDED = "posted", "claimed", "ended"
_WORDS: Final = {
    **{kind.value: _POSTED for kind in BEGINNINGS},
    Kind.CLAIMED.value: _CLAIMED,
    **{kind.value: _ENDED for kind in ENDINGS},
}


#: What a board's first round found did not happen then.
_HAPPENED: Final[Document] = {"found": False}


@dataclass(slots=True)
class Tally:
    """The counts of one group.

    ``waiting`` and ``running`` are buckets of seconds, counted at each claim and at each end.
    """

    posted: int = 0
    claimed: int = 0
    ended: int = 0
    waiting: Counter[int | None] = field(default_factory=Counter)
    running: Counter[int | None] = field(default_factory=Counter)
    backlog: int = 0
    waits_from: datetime | None = None  # of the job that has waited longest


@dataclass(slots=True)
class OnBoard:
    """How many jobs are on a board now, and since when the one that has waited longest waits.

    ``claimed_from`` is when the oldest claim was made. ``collisions`` is the number of claimed jobs
    whose name is in the trash already.
    """

    unclaimed: int = 0
    claimed: int = 0
    waits_from: datetime | None = None
    claimed_from: datetime | None = None
    collisions: int = 0


class Tallies:
    """Counts in MongoDB."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def on_boards(
        self, paths: Collection[str], session: ClientSession | None = None
    ) -> dict[str, OnBoard]:
        """Return what is on each of the boards at ``paths``."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "state": {"$in": [UNCLAIMED, CLAIMED]}}},
            {
                "$group": {
                    "_id": {"board": "$board", "state": "$state"},
                    "jobs": {"$sum": 1},
                    "waits_from": {"$min": if_moment("$waiting_from")},
                    "claimed_from": {"$min": if_moment("$claimed_at")},
                    "collisions": {"$sum": {"$cond": [_is_of("$in_trash", "string"), 1, 0]}},
                }
            },
        ]
        found = {path: OnBoard() for path in paths}
        for group in self._aggregate("jobs", pipeline, session):
            path, state = group["_id"]["board"], group["_id"]["state"]
            board = found[path] if isinstance(path, str) else OnBoard()
            if state == UNCLAIMED:
                board.unclaimed, board.waits_from = group["jobs"], group["waits_from"]
            elif state == CLAIMED:
                board.claimed, board.claimed_from = group["jobs"], group["claimed_from"]
                board.collisions = group["collisions"]
        return found

    def happened(
        self, paths: Collection[str], since: datetime, session: ClientSession | None = None
    ) -> dict[str, Tally]:
        """Return how many jobs were posted, claimed and ended on each board since ``since``."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "seen_at": {"$gte": since}, **_HAPPENED}},
            {"$group": {"_id": {"board": "$board", "kind": "$kind"}, "changes": {"$sum": 1}}},
        ]
        found = {path: Tally() for path in paths}
        for group in self._aggregate("changes", pipeline, session):
            path = group["_id"]["board"]
            if isinstance(path, str):  # a query matches a list as well, by any of its values
                _count(found[path], group["_id"].get("kind"), group["changes"])
        return found

    def unseen(
        self, paths: Collection[str], since: datetime, session: ClientSession | None = None
    ) -> dict[str, tuple[int, int]]:
        """Return the creates and deletes in gaps that end after ``since``, by board."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "to": {"$gte": since}}},
            {
                "$group": {
                    "_id": "$board",
                    "creates": {"$sum": if_whole("$creates")},
                    "deletes": {"$sum": if_whole("$deletes")},
                }
            },
        ]
        found = dict.fromkeys(paths, (0, 0))
        for group in self._aggregate("gaps", pipeline, session):
            if isinstance(group["_id"], str):
                found[group["_id"]] = (int(group["creates"]), int(group["deletes"]))
        return found

    def groups(
        self,
        by: str,
        filters: Filters,
        now: datetime,
        since: datetime,
        *,
        after: tuple[str | None] | None = None,
        limit: int,
    ) -> list[str | None]:
        """Return the groups that have any counts, in order: ``limit`` after ``after``."""
        key = GROUPS[by]
        waiting = {"$and": [{"state": UNCLAIMED}, filtering.jobs(filters, now)]}
        pipeline: list[Document] = [
            {"$match": self._within(filters, now, since)},
            {"$group": {"_id": _if_of(f"${key}", "string")}},
            {
                "$unionWith": {
                    "coll": "jobs",
                    "pipeline": [
                        {"$match": waiting},
                        {"$group": {"_id": _if_of(f"${key}", "string")}},
                    ],
                }
            },
            {"$group": {"_id": "$_id"}},
            *([{"$match": _behind(after[0])}] if after else []),
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ]
        return [group["_id"] for group in self._aggregate("changes", pipeline)]

    def tally(
        self,
        by: str,
        groups: Collection[str | None],
        filters: Filters,
        now: datetime,
        since: datetime,
    ) -> dict[str | None, Tally]:
        """Return the counts of each of ``groups`` since ``since``."""
        key = GROUPS[by]
        mine: Document = {key: {"$in": list(groups)}}
        if None in groups:  # values that are no text belong there
            mine = {"$or": [mine, {key: {"$not": {"$type": "string"}}}, {key: {"$type": "array"}}]}
        is_claim = {"$eq": ["$kind", Kind.CLAIMED.value]}
        is_end = {"$in": ["$kind", [kind.value for kind in ENDINGS]]}
        pipeline: list[Document] = [
            {"$match": {"$and": [mine, self._within(filters, now, since)]}},
            {
                "$group": {
                    "_id": {
                        "group": _if_of(f"${key}", "string"),
                        "kind": "$kind",
                        "waiting": bucket_of("$waiting", is_claim),
                        "running": bucket_of("$running", is_end),
                    },
                    "changes": {"$sum": 1},
                }
            },
        ]
        found: dict[str | None, Tally] = defaultdict(Tally)
        for group in self._aggregate("changes", pipeline):
            about, count = group["_id"], group["changes"]
            tally = found[about.get("group")]
            _count(tally, about.get("kind"), count)
            for buckets, number in (
                (tally.waiting, about["waiting"]),
                (tally.running, about["running"]),
            ):
                bucketed(buckets, number, count)
        waiting = {"$and": [mine, {"state": UNCLAIMED}, filtering.jobs(filters, now)]}
        backlog: list[Document] = [
            {"$match": waiting},
            {
                "$group": {
                    "_id": _if_of(f"${key}", "string"),
                    "jobs": {"$sum": 1},
                    "waits_from": {"$min": if_moment("$waiting_from")},
                }
            },
        ]
        for group in self._aggregate("jobs", backlog):
            found[group["_id"]].backlog = group["jobs"]
            found[group["_id"]].waits_from = group["waits_from"]
        return found

    def _within(self, filters: Filters, now: datetime, since: datetime) -> Document:
        window = {"seen_at": {"$gte": since, "$lte": now}, "kind": {"$in": sorted(_WORDS)}}
        return {"$and": [window, _HAPPENED, filtering.changes(filters, now)]}

    def _aggregate(
        self, collection: str, pipeline: list[Document], session: ClientSession | None = None
    ) -> Any:
        documents = self._database[collection]
        with (
            errors_as_ours(),
            documents.aggregate(pipeline, session=session, allowDiskUse=True) as found,
        ):
            yield from found


# Numbers that no bucket has: for an unknown duration, and for less than a millisecond.
_UNKNOWN: Final = 1_000_000
_NOTHING: Final = -1_000_000
_LONGEST: Final = 1e12  # seconds: an infinite duration has no bucket


def if_moment(name: str) -> Document:
    """Return the expression for a field that is a moment; null if it is none."""
    return _if_of(name, "date")


def if_whole(name: str, otherwise: int = 0) -> Document:
    """Return the expression for a field that is a whole number; ``otherwise`` if it is none."""
    return _if_of(name, "int", "long", otherwise=otherwise)


def _is_of(name: str, *types: str) -> Document:
    return {"$in": [{"$type": name}, list(types)]}


def _if_of(name: str, *types: str, otherwise: Any = None) -> Document:
    return {"$cond": [_is_of(name, *types), name, otherwise]}


def bucket_of(seconds: str, is_counted: Document) -> Document:
    """Return the expression for the number of a duration's bucket."""
    number = {"$ceil": {"$divide": [{"$ln": {"$max": [seconds, SHORTEST]}}, math.log(GAMMA)]}}
    is_number = _is_of(seconds, "double", "int", "long")
    is_known = {"$and": [is_counted, is_number, {"$lt": [seconds, _LONGEST]}]}
    is_something = {"$gte": [seconds, SHORTEST]}
    return {"$cond": [is_known, {"$cond": [is_something, number, _NOTHING]}, _UNKNOWN]}


def bucketed(buckets: Counter[int | None], number: float, count: int) -> None:
    """Add ``count`` to the bucket with the number that ``bucket_of`` gave."""
    if number != _UNKNOWN:
        buckets[None if number == _NOTHING else int(number)] += count


def _behind(group: str | None) -> Document:
    return {"_id": {"$ne": None}} if group is None else {"_id": {"$gt": group}}


def _count(tally: Tally, kind: Any, count: int) -> None:
    word = _WORDS.get(kind) if isinstance(kind, str) else None
    if word is not None:
        setattr(tally, word, getattr(tally, word) + count)
