"""Job counts over time, per board, in equal steps: how many there were, came and went.

Promises: everything is counted in MongoDB, in a handful of queries whatever the number of boards,
and read from one snapshot. So the number of jobs at the end of each step is what there is now less
what happened since. Raises StoreUnavailable or StoreRefused, and writes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from canary.model.changes import BEGINNINGS, ENDINGS, Kind
from canary.model.jobs import JobState
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import ON_BOARD, Document
from canary.stores.mongo.shapes import fitting
from canary.stores.queries.counts import bucket_of, bucketed, if_moment, if_whole

_COUNTS = ("creates", "deletes")
_UNCLAIMED, _CLAIMED = JobState.UNCLAIMED.value, JobState.CLAIMED.value


@dataclass(slots=True)
class Bucket:
    """What happened in one step, and how many jobs there were at its end.

    ``waiting`` and ``running`` are buckets of seconds (``canary.model.quantiles``), counted at each
    claim and at each end.
    """

    posted: int = 0
    claimed: int = 0
    ended: int = 0
    unclaimed_then: int = 0
    claimed_then: int = 0
    waiting: Counter[int | None] = field(default_factory=Counter)
    running: Counter[int | None] = field(default_factory=Counter)

    def add(self, kind: Kind, count: int) -> None:
        """Count ``count`` changes of a kind."""
        self.posted += count * (kind in BEGINNINGS)
        self.claimed += count * (kind is Kind.CLAIMED)
        self.ended += count * (kind in ENDINGS)


@dataclass(frozen=True, slots=True)
class Scale:
    """``count`` steps from ``start``, each ``step`` long: whole milliseconds, as times are."""

    start: datetime
    step: timedelta
    count: int


@dataclass(frozen=True, slots=True)
class Course:
    """One board over time, and its gaps, the oldest first.

    Gaps of one reason within one step are merged: a busy board has thousands in a window.
    """

    steps: list[Bucket]
    gaps: list[Document]


class Series:
    """Counts over time in MongoDB."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def courses(self, paths: Collection[str], scale: Scale, until: datetime) -> dict[str, Course]:
        """Return the job counts over time of the boards at ``paths``, up to ``until`` (now)."""
        found = {path: Course([Bucket() for _ in range(scale.count)], []) for path in paths}
        moves: dict[str, list[Counter[str | None]]] = defaultdict(
            lambda: [Counter() for _ in range(scale.count)]
        )
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            boards = {"board": {"$in": sorted(paths)}}
            there = self._aggregate("jobs", _there(boards), session)
            for each in self._aggregate("changes", _happened(boards, scale), session):
                about, count = each["_id"], each["changes"]
                if not _is_sound(about, "board", "kind") or about.get("step") is None:
                    continue
                number = min(max(int(about["step"]), 0), scale.count - 1)
                step, kind = found[about["board"]].steps[number], Kind(about["kind"])
                step.add(kind, count)
                for buckets, name in ((step.waiting, "waiting"), (step.running, "running")):
                    bucketed(buckets, about[name], count)
                move = moves[about["board"]][number]
                move[fitting(about.get("state"), str)] += count
                move[fitting(about.get("before"), str)] -= count
            for gap in self._aggregate("gaps", _unseen(boards, scale, until), session):
                if _is_sound(gap["_id"], "board") and _is_sound(gap, "from", "to", of=datetime):
                    found[gap["_id"]["board"]].gaps.append(_folded(gap))
        now: dict[str, Mapping[str, int]] = defaultdict(dict)
        for each in there:
            if not _is_sound(each["_id"], "board", "state"):
                continue
            now[each["_id"]["board"]] = {
                **now[each["_id"]["board"]],
                each["_id"]["state"]: each["jobs"],
            }
        for path, course in found.items():
            _count_back(course.steps, moves[path], now[path])
        return found

    def _aggregate(self, collection: str, pipeline: list[Document], session: Any) -> list[Document]:
        found = self._database[collection].aggregate(pipeline, session=session, allowDiskUse=True)
        return list(found)


def _is_sound(found: Mapping[str, Any], *names: str, of: type = str) -> bool:
    """Return whether those fields have their type: a query matches a list by any of its values."""
    return all(isinstance(found.get(name), of) for name in names)


def _count_back(
    steps: list[Bucket], moves: list[Counter[str | None]], now: Mapping[str, int]
) -> None:
    """Set how many jobs there were at each step's end, from how many there are now."""
    unclaimed, claimed = now.get(_UNCLAIMED, 0), now.get(_CLAIMED, 0)
    for step, move in zip(reversed(steps), reversed(moves), strict=True):
        # Forgotten log entries and repairs must not make it negative.
        step.unclaimed_then, step.claimed_then = max(unclaimed, 0), max(claimed, 0)
        unclaimed -= move[_UNCLAIMED]
        claimed -= move[_CLAIMED]


def _there(boards: Document) -> list[Document]:
    return [
        {"$match": boards | {"state": {"$in": ON_BOARD}}},
        {"$group": {"_id": {"board": "$board", "state": "$state"}, "jobs": {"$sum": 1}}},
    ]


def _unseen(boards: Document, scale: Scale, until: datetime) -> list[Document]:
    begins, ends = _step_of("$from", scale), _step_of("$to", scale)
    # A merged gap that reached beyond now would make all of them do so.
    is_within_one = {"$and": [{"$eq": [begins, ends]}, {"$lte": ["$to", until]}]}
    return [
        {"$match": boards | {"to": {"$gte": scale.start}, "from": {"$lte": until}}},
        {
            "$group": {
                "_id": {
                    "board": "$board",
                    "reason": "$reason",
                    "gap": {"$cond": [is_within_one, begins, "$_id"]},
                },
                "from": {"$min": if_moment("$from")},
                "to": {"$max": if_moment("$to")},
                **{name: {"$sum": if_whole(f"${name}")} for name in _COUNTS},
                "unknown": {  # null or absent, or of another type
                    "$max": {"$or": [{"$lt": [if_whole(f"${name}", -1), 0]} for name in _COUNTS]},
                },
            }
        },
        {"$sort": {"from": 1}},
    ]


def _folded(found: Document) -> Document:
    """Return the gap that merges several. Its counts are unknown if one of theirs is."""
    about = {name: fitting(found["_id"].get(name), str, "") for name in ("board", "reason")}
    counts = {name: None if found["unknown"] else found[name] for name in _COUNTS}
    return {**about, "from": found["from"], "to": found["to"], **counts}


def _step_of(moment: str, scale: Scale) -> Document:
    """Return the expression for the number of the step in which a moment lies."""
    milliseconds = scale.step // timedelta(milliseconds=1)
    since = {"$subtract": [if_moment(moment), scale.start]}
    return {"$floor": {"$divide": [since, milliseconds]}}


def _happened(boards: Document, scale: Scale) -> list[Document]:
    kinds = sorted({*BEGINNINGS, *ENDINGS, Kind.CLAIMED, Kind.ABANDONED})
    is_claim = {"$eq": ["$kind", Kind.CLAIMED.value]}
    is_end = {"$in": ["$kind", sorted(ENDINGS)]}
    return [
        {"$match": boards | {"seen_at": {"$gte": scale.start}, "kind": {"$in": kinds}}},
        {
            "$group": {
                "_id": {
                    "board": "$board",
                    "step": _step_of("$seen_at", scale),
                    "kind": "$kind",
                    "state": "$state",
                    "before": "$state_before",
                    "waiting": bucket_of("$waiting", is_claim),
                    "running": bucket_of("$running", is_end),
                },
                "changes": {"$sum": 1},
            }
        },
    ]
