"""What the feed tells, and the change streams of MongoDB that it is told from.

A *position* is a place in the order of all that MongoDB tells: the text in a resume token, of which
MongoDB documents that it can be compared and sorted. Whoever opens a change stream, and wherever,
is told the same events in the same order with the same positions; so a position that one process
gave to a client means the same to every other, and to the same one after a restart.

Positions that nothing happened at are given too, as a stream goes on while nothing is told.
"""

import base64
import binascii
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.timestamp import Timestamp
from pymongo.change_stream import ChangeStream
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from canary.stores.boards import BoardNow
from canary.stores.documents import Document
from canary.stores.mongo import is_passing

CALL_LIMIT: Final = 5.0  # seconds for one call, well above what MongoDB is told to hold it open

# The same for every stream: MongoDB finds a position only with the pipeline that gave it.
_PIPELINE: Final[list[Document]] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": {"$in": ["changes", "gaps"]}, "operationType": "insert"},
                {"ns.coll": "boards"},
            ]
        }
    }
]

_AS_READ: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True)


class EventName(StrEnum):
    """What an event is about."""

    BOARD = "board"
    CHANGE = "change"
    GAP = "gap"
    STORE = "store"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``path`` is its board's, None where it is about all of them.

    ``board`` is a board's state, None once it is no longer registered. ``document`` is that of a
    change or a gap, and ``position`` its own. ``available`` is whether events come at all, since
    ``since``.
    """

    name: EventName
    path: str | None = None
    board: BoardNow | None = None
    document: Mapping[str, Any] | None = None
    position: str | None = None
    available: bool = True
    since: datetime | None = None


class Listener(Protocol):
    """Whom a feed tells. Called from two threads; must not wait."""

    def tell(self, event: Event) -> None:
        """Take one event."""

    def reach(self, position: str) -> None:
        """Take notice that everything up to ``position`` has been told."""


def opened(
    database: Database[Document],
    token: Mapping[str, Any] | None,
    *,
    await_ms: int,
    batch_size: int,
) -> AbstractContextManager[ChangeStream[Document]]:
    """Open a change stream of all that events are made of, from ``token`` on; from now for None.

    ``await_ms`` is how many milliseconds MongoDB holds a call open when there is nothing to tell.
    Raises pymongo's errors.
    """
    with pymongo.timeout(CALL_LIMIT):
        majority = database.with_options(read_concern=ReadConcern("majority"))
        return majority.watch(
            _PIPELINE,
            resume_after=token,
            # Without it a stream's first position lies behind the end of MongoDB's log, and nobody
            # who reads the log gets there before something is written: after ten seconds, at worst.
            start_at_operation_time=_latest(database) if token is None else None,
            max_await_time_ms=await_ms,
            batch_size=batch_size,
        )


def _latest(database: Database[Document]) -> Timestamp | None:
    """Return when MongoDB's last operation was."""
    moment: Timestamp | None = database.command("ping").get("operationTime")
    return moment


def may_pass(error: Exception) -> bool:
    """Tell whether what failed may succeed from the same place: not where the server refuses it.

    Its log may no longer reach back that far, or what comes next cannot be sent or decoded.
    """
    if isinstance(error, OperationFailure):
        return is_passing(error)
    return not isinstance(error, BSONError)


def collection_of(raw: Mapping[str, Any]) -> str | None:
    """Return which collection an event of a change stream is about."""
    name: str | None = raw.get("ns", {}).get("coll")
    return name


def event_of(raw: Mapping[str, Any]) -> Event | None:
    """Return the event of a change or a gap that a change stream tells; None for any other."""
    name = {"changes": EventName.CHANGE, "gaps": EventName.GAP}.get(collection_of(raw) or "")
    document = raw.get("fullDocument")
    if name is None or not document:
        return None
    return Event(name, document.get("board"), document=document, position=position_of(raw["_id"]))


def packed(event: Event) -> bytes:
    """Return a change or a gap in one piece of memory, where it would be a hundred small ones."""
    return bson.encode({"name": event.name, "path": event.path, "document": event.document})


def unpacked(raw: bytes, position: str) -> Event:
    """Return the event that ``packed`` was given, which was at ``position``."""
    kept = bson.decode(raw, _AS_READ)
    return Event(
        EventName(kept["name"]), kept["path"], document=kept["document"], position=position
    )


def position_of(token: Mapping[str, Any]) -> str:
    """Return the position in a resume token."""
    position: str = token["_data"]
    return position


def token_of(position: str) -> Document:
    """Return the resume token of a position."""
    return {"_data": position}


def identity_of(position: str) -> str:
    """Return a position as the id of an event: as short as it can be in ASCII."""
    return base64.urlsafe_b64encode(bytes.fromhex(position)).decode().rstrip("=")


def position_from(identity: str) -> str | None:
    """Return the position that ``identity_of`` made an id of, None for what it never made.

    Only MongoDB can tell whether there was ever such a position.
    """
    try:
        padded = identity.encode("ascii") + b"=" * (-len(identity) % 4)
        raw = base64.b64decode(padded, b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    position = raw.hex().upper()
    return position if raw and identity_of(position) == identity else None
