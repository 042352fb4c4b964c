"""What is true of a board now, of its document and of its watcher's heartbeat.

Promises: a board whose watcher has not written its heartbeat for ``BEAT_LIMIT`` is unwatched,
whatever its document says, and so is one that its watcher has left; one of which something has
waited to be stored for ``BEHIND_LIMIT`` is catching up. MongoDB's clock alone decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.freshness import SEEING, Freshness
from canary.stores.documents import Document

# Two heartbeats missed and the third late: nobody watches. Who asks or listens is promised to hear
# of it within three seconds, so there is a quarter of one to notice and to tell it.
BEAT_LIMIT: Final = timedelta(seconds=2.75)
BEHIND_LIMIT: Final = timedelta(seconds=1)  # that long what happened may take to be stored


@dataclass(frozen=True, slots=True)
class BoardNow:
    """A board at the moment ``now``, by MongoDB's clock.

    ``live_until`` is the last moment of which Canary knows that nothing happened on the board
    unseen, but for what gaps say; ``watched_since`` the first. Both are None before the first look.
    ``drift`` is how many differences were ever found by comparing everything, and mended.
    ``silent_from`` is when nobody will be watching if the watcher's last heartbeat was its last;
    None where nobody is watching now.
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
    # Not another process that has come to have the writer's name.
    is_same = {"$eq": ["$$this.started_at", "$writer.started_at"]}
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
                "behind": {"$first": {"$filter": {"input": "$worker.behind", "cond": mine}}},
                "is_beating": {"$gt": ["$worker.beat", silent]},
            }
        },
        {"$unset": "worker"},
    ]
    return [
        _board_now(document) for document in database.boards.aggregate(pipeline, session=session)
    ]


def _board_now(document: Mapping[str, Any]) -> BoardNow:
    """Make of a board's document and its watcher's heartbeat what is true of it now."""
    freshness, since, live_until = _freshness(document)
    epoch, writer = document["epoch"], document["writer"]
    return BoardNow(
        document["path"],
        document["registered"],
        None if epoch is None else int(epoch),
        int(document["revision"]),
        writer["worker"] if writer else None,
        freshness,
        since,
        document["watched_since"],
        live_until if document["watched_since"] else None,
        int(document["drift"]),
        None if freshness is Freshness.UNWATCHED else document["beat"] + BEAT_LIMIT,
        document["now"],
    )


def _freshness(document: Mapping[str, Any]) -> tuple[Freshness, datetime, datetime]:
    """Return what a board's freshness is, since when, and up to when all of it is known."""
    written, since = Freshness(document["freshness"]), document["freshness_since"]
    if written is Freshness.UNWATCHED:
        return written, since, document["seen_at"] or since
    behind: Mapping[str, Any] | None = document.get("behind")
    is_left = behind is not None and not behind["watched"]
    if is_left or not document["is_beating"]:
        return _abandoned(document, behind, is_left=is_left)
    if written not in SEEING:
        return written, since, since if behind is None else min(since, behind["since"])
    if behind is not None and document["beat"] - behind["noticed"] > BEHIND_LIMIT:
        return Freshness.CATCHING_UP, behind["noticed"], behind["since"]
    return written, since, document["now"]


def _abandoned(
    document: Mapping[str, Any], behind: Mapping[str, Any] | None, *, is_left: bool
) -> tuple[Freshness, datetime, datetime]:
    """Return the same for a board whose watcher said nothing of the end that its watch came to.

    What it wrote last was true when it wrote it, and for as long as its heartbeat says.
    """
    since = document["freshness_since"]
    known = [moment for moment in (since, document["seen_at"]) if moment]
    last = document.get("beat") or max(known)
    if Freshness(document["freshness"]) not in SEEING:
        until = since
    elif behind is not None:
        until = behind["since"]
    else:
        until = document.get("until") or last
    until = min(until, last)
    return Freshness.UNWATCHED, until if is_left else last, until
