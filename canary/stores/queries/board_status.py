"""What is true of a board now, given its document and its watcher's heartbeat.

Promises: a board whose watcher has not written its heartbeat for ``BEAT_LIMIT`` is unwatched,
whatever its document says, and so is a board that its watcher has left. A board for which something
has waited for ``BEHIND_LIMIT`` to be stored is catching up. MongoDB's clock alone decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.freshness import SEEING, Freshness
from canary.stores.mongo.documents import Document
from canary.stores.mongo.shapes import fitting

# Two heartbeats are missed and the third is late: nobody watches. Clients are promised to get this
# within three seconds, so there is a quarter of a second to notice and to publish it.
BEAT_LIMIT: Final = timedelta(seconds=2.75)
BEHIND_LIMIT: Final = timedelta(seconds=1)  # for so long what happened may take to be stored


@dataclass(frozen=True, slots=True)
class BoardNow:
    """A board at the moment ``now``, by MongoDB's clock.

    ``live_until`` is the last moment up to which Canary knows that nothing happened on the board
    unseen, except for what gaps say; ``watched_since`` is the first such moment. Both are None
    before the first round. ``drift`` is how many differences comparisons ever found and repaired.
    ``silent_from`` is when nobody will be watching if the watcher's last heartbeat was its last;
    None if nobody is watching now. ``clock_offset`` is by how many seconds ZooKeeper's clock is
    ahead of MongoDB's, as the watcher knows it; ``clock_off`` is whether that is a fault.
    """

    path: str
    registered: bool
    epoch: int | None
    revision: int
    watcher: str | None
    freshness: Freshness
    freshness_since: datetime
    watched_since: datetime | None
    live_until: datetime | None
    drift: int
    silent_from: datetime | None
    now: datetime
    clock_offset: float | None = None
    clock_off: bool = False


def boards_now(
    database: Database[Document],
    match: Document,
    session: ClientSession | None = None,
) -> list[BoardNow]:
    """Return the boards whose documents ``match``, in the order of their paths."""
    silent = {"$subtract": ["$$NOW", int(BEAT_LIMIT.total_seconds() * 1000)]}
    worker = {
        "from": "workers",
        "localField": "writer.worker",
        "foreignField": "_id",
        "as": "worker",
    }
    # Not a later process that has the writer's name.
    is_same = {"$eq": ["$$this.started_at", "$writer.started_at"]}
    behind = {"$cond": [{"$isArray": "$worker.behind"}, "$worker.behind", []]}
    mine = {"$and": [{"$eq": ["$$this.board", "$_id"]}, {"$eq": ["$$this.takes", "$takes"]}]}
    pipeline: list[Document] = [
        {"$match": match},
        {"$sort": {"_id": 1}},
        {"$lookup": worker},
        {
            "$set": {
                "now": "$$NOW",
                "worker": {"$first": {"$filter": {"input": "$worker", "cond": is_same}}},
            }
        },
        {
            "$set": {
                "beat": "$worker.beat",
                "until": "$worker.until",
                "clock_offset": "$worker.clock_offset",
                "clock_off": "$worker.clock_off",
                "behind": {"$first": {"$filter": {"input": behind, "cond": mine}}},
                "is_beating": {"$gt": ["$worker.beat", silent]},
            }
        },
        {"$unset": "worker"},
    ]
    return [
        _board_now(document) for document in database.boards.aggregate(pipeline, session=session)
    ]


def _board_now(document: Mapping[str, Any]) -> BoardNow:
    """Return what is true of a board now, given its document and its watcher's heartbeat."""
    document = _sound(document)
    freshness, since, live_until = _freshness(document)
    epoch, writer = document.get("epoch"), document.get("writer") or {}
    watched_since = document.get("watched_since")
    is_watched = freshness is not Freshness.UNWATCHED
    return BoardNow(
        document["_id"],
        bool(document.get("registered")),
        None if epoch is None else int(epoch),
        int(document.get("revision") or 0),
        fitting(writer.get("worker"), str),
        freshness,
        since,
        watched_since,
        live_until if watched_since else None,
        int(document.get("drift") or 0),
        document["beat"] + BEAT_LIMIT if is_watched else None,
        document["now"],
        document.get("clock_offset") if is_watched else None,
        is_watched and bool(document.get("clock_off")),
    )


def _sound(document: Mapping[str, Any]) -> Document:
    """Return a board's document without fields of a wrong type."""
    found = {
        name: value if name not in _TYPES else fitting(value, _TYPES[name])
        for name, value in document.items()
    }
    behind = found.get("behind")
    if behind and not all(isinstance(behind.get(name), datetime) for name in ("since", "noticed")):
        found["behind"] = None
    return found


_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("epoch", "revision", "drift"), int),
    **dict.fromkeys(("watched_since", "freshness_since", "seen_at", "beat", "until"), datetime),
    **dict.fromkeys(("writer", "behind"), Mapping),
    "freshness": str,
    "clock_offset": (int, float),
}


def _freshness(document: Mapping[str, Any]) -> tuple[Freshness, datetime, datetime]:
    """Return a board's freshness, since when, and up to when everything on it is known."""
    written = _written(document)
    since = document.get("freshness_since") or document.get("seen_at") or document["now"]
    if written is Freshness.UNWATCHED:
        return written, since, document.get("seen_at") or since
    behind: Mapping[str, Any] | None = document.get("behind")
    is_left = behind is not None and not behind.get("watched")
    if is_left or not document["is_beating"] or document.get("beat") is None:
        return _abandoned(document, behind, is_left=is_left)
    if written not in SEEING:
        return written, since, since if behind is None else min(since, behind["since"])
    if behind is not None and document["beat"] - behind["noticed"] > BEHIND_LIMIT:
        return Freshness.CATCHING_UP, behind["noticed"], behind["since"]
    return written, since, document["now"]


def _written(document: Mapping[str, Any]) -> Freshness:
    """Return the freshness in a board's document; unwatched if it has no valid one."""
    written = document.get("freshness")
    return Freshness(written) if written in set(Freshness) else Freshness.UNWATCHED


def _abandoned(
    document: Mapping[str, Any], behind: Mapping[str, Any] | None, *, is_left: bool
) -> tuple[Freshness, datetime, datetime]:
    """Return the same for a board whose watcher did not record the end of its watch.

    What the watcher wrote last was true when it was written, and for as long as its heartbeat says.
    """
    known = [document.get(name) for name in ("freshness_since", "seen_at")]
    since = known[0] or known[1] or document["now"]
    last = document.get("beat") or max([moment for moment in known if moment], default=since)
    if _written(document) not in SEEING:
        until = since
    elif behind is not None:
        until = behind["since"]
    else:
        until = document.get("until") or last
    until = min(until, last)
    return Freshness.UNWATCHED, until if is_left else last, until
