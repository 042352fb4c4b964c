"""What is counted of boards, of jobs of a name or of an owner: how many, how often, how long.

Promises: what is counted is counted in MongoDB, so that memory is bounded by what is told;
quantiles are those of ``canary.model.quantiles``. Raises StoreUnavailable or StoreRefused.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo.database import Database

from canary.model.changes import BEGINNINGS, ENDINGS, Kind
from canary.model.filters import Filters
from canary.model.quantiles import GAMMA, SHORTEST
from canary.stores import filtering
from canary.stores.documents import Document
from canary.stores.mongo import errors_as_ours

UNCLAIMED: Final = "UNCLAIMED"
#: The field of ``changes`` and ``jobs`` that a group stands for.
GROUPS: Final = {"path": "board", "name": "job_name", "owner": "owner"}

_POSTED, _CLAIMED, _ENDED = "posted", "claimed", "ended"
_WORDS: Final = {
    **{kind.value: _POSTED for kind in BEGINNINGS},
    Kind.CLAIMED.value: _CLAIMED,
    **{kind.value: _ENDED for kind in ENDINGS},
}


#: What was there when a board was first looked at did not happen then.
_HAPPENED: Final[Document] = {"found": False}


@dataclass(slots=True)
class Tally:
    """What is counted of one group.

    ``waiting`` and ``running`` are buckets of seconds: by the time of each claim, and of each end.
    """

    posted: int = 0
    claimed: int = 0
    ended: int = 0
    waiting: Counter[int | None] = field(default_factory=Counter)
    running: Counter[int | None] = field(default_factory=Counter)
    backlog: int = 0
    waits_from: datetime | None = None  # the job that waits longest


@dataclass(slots=True)
class OnBoard:
    """How many jobs are on a board now, and since when the one that waits longest does."""

    unclaimed: int = 0
    claimed: int = 0
    waits_from: datetime | None = None


class Tallies:
    """MongoDB, counted."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def on_boards(self, paths: Collection[str]) -> dict[str, OnBoard]:
        """Return what is on each of the boards at ``paths``."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "state": {"$in": [UNCLAIMED, "CLAIMED"]}}},
            {
                "$group": {
                    "_id": {"board": "$board", "state": "$state"},
                    "jobs": {"$sum": 1},
                    "waits_from": {"$min": "$waiting_from"},
                }
            },
        ]
        found = {path: OnBoard() for path in paths}
        for group in self._aggregate("jobs", pipeline):
            board = found[group["_id"]["board"]]
            if group["_id"]["state"] == UNCLAIMED:
                board.unclaimed, board.waits_from = group["jobs"], group["waits_from"]
            else:
                board.claimed = group["jobs"]
        return found

    def happened(self, paths: Collection[str], since: datetime) -> dict[str, Tally]:
        """Return how many jobs were posted, claimed and ended on each board since ``since``."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "seen_at": {"$gte": since}, **_HAPPENED}},
            {"$group": {"_id": {"board": "$board", "kind": "$kind"}, "changes": {"$sum": 1}}},
        ]
        found = {path: Tally() for path in paths}
        for group in self._aggregate("changes", pipeline):
            _count(found[group["_id"]["board"]], group["_id"]["kind"], group["changes"])
        return found

    def unseen(self, paths: Collection[str], since: datetime) -> dict[str, tuple[int, int]]:
        """Return how many creates and deletes gaps that end after ``since`` count, by board."""
        pipeline: list[Document] = [
            {"$match": {"board": {"$in": sorted(paths)}, "to": {"$gte": since}}},
            {
                "$group": {
                    "_id": "$board",
                    "creates": {"$sum": "$creates"},
                    "deletes": {"$sum": "$deletes"},
                }
            },
        ]
        found = dict.fromkeys(paths, (0, 0))
        for group in self._aggregate("gaps", pipeline):
            found[group["_id"]] = (group["creates"], group["deletes"])
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
        """Return the groups with something to tell, in order: ``limit`` behind ``after``."""
        key = GROUPS[by]
        waiting = {"$and": [{"state": UNCLAIMED}, filtering.jobs(filters, now)]}
        pipeline: list[Document] = [
            {"$match": self._within(filters, now, since)},
            {"$group": {"_id": f"${key}"}},
            {
                "$unionWith": {
                    "coll": "jobs",
                    "pipeline": [{"$match": waiting}, {"$group": {"_id": f"${key}"}}],
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
        """Return what is counted of each of ``groups`` since ``since``."""
        key = GROUPS[by]
        mine: Document = {key: {"$in": list(groups)}}
        is_claim = {"$eq": ["$kind", Kind.CLAIMED.value]}
        is_end = {"$in": ["$kind", [kind.value for kind in ENDINGS]]}
        pipeline: list[Document] = [
            {"$match": {"$and": [mine, self._within(filters, now, since)]}},
            {
                "$group": {
                    "_id": {
                        "group": f"${key}",
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
            _count(tally, about["kind"], count)
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
                    "_id": f"${key}",
                    "jobs": {"$sum": 1},
                    "waits_from": {"$min": "$waiting_from"},
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

    def _aggregate(self, collection: str, pipeline: list[Document]) -> Any:
        with (
            errors_as_ours(),
            self._database[collection].aggregate(pipeline, allowDiskUse=True) as found,
        ):
            yield from found


# What a bucket's number can't be: of what is not known, and of less than a millisecond.
_UNKNOWN: Final = 1_000_000
_NOTHING: Final = -1_000_000


def bucket_of(seconds: str, is_counted: Document) -> Document:
    """Return the expression for the number of the bucket that a duration belongs in."""
    number = {"$ceil": {"$divide": [{"$ln": {"$max": [seconds, SHORTEST]}}, math.log(GAMMA)]}}
    is_known = {"$and": [is_counted, {"$ne": [seconds, None]}]}
    is_something = {"$gte": [seconds, SHORTEST]}
    return {"$cond": [is_known, {"$cond": [is_something, number, _NOTHING]}, _UNKNOWN]}


def bucketed(buckets: Counter[int | None], number: float, count: int) -> None:
    """Count so many in the bucket with the number that ``bucket_of`` gave."""
    if number != _UNKNOWN:
        buckets[None if number == _NOTHING else int(number)] += count


def _behind(group: str | None) -> Document:
    return {"_id": {"$ne": None}} if group is None else {"_id": {"$gt": group}}


def _count(tally: Tally, kind: str, count: int) -> None:
    word = _WORDS.get(kind)
    if word is not None:
        setattr(tally, word, getattr(tally, word) + count)
