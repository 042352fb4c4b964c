"""The feed's events, and the MongoDB change streams that they are read from.

A *position* is a place in MongoDB's log of one data set: the data set's mark
(``canary.stores.changestream.dataset``), followed by the text in a resume token, which can be
compared and sorted according to MongoDB's documentation. Every change stream, whoever opens it,
returns the same events in the same order with the same positions. So a position that one process
gave to a client means the same to every other process, and to the same one after a restart.
Positions with different marks can't be compared: they are places in different logs.

There are also positions without an event, because a stream goes on while nothing is published.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.timestamp import Timestamp
from pymongo.change_stream import ChangeStream
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from canary.stores.changestream.dataset import COLLECTION, MARK_LENGTH, latest
from canary.stores.mongo.documents import Document
from canary.stores.mongo.passing import is_passing
from canary.stores.mongo.shapes import CHANGE, GAP
from canary.stores.queries.board_status import BoardNow

CALL_LIMIT: Final = 5.0  # seconds for one call, well above the await time that MongoDB gets

# The same for every stream: MongoDB finds a position only with the pipeline that gave it.
_TOLD: Final = {"changes": "change", "gaps": "gap"}  # collections, and what their documents are
# Operations that replace a collection by another one.
_BREAKING: Final = ("drop", "rename")
_PIPELINE: Final[list[Document]] = [
    {
        "$match": {
            "$or": [
                {
                    "ns.coll": {"$in": [*_TOLD]},
                    "operationType": {"$in": ["insert", *_BREAKING]},
                },
                {"to.coll": {"$in": [*_TOLD]}},
                {"ns.coll": {"$in": ["boards", COLLECTION]}},
            ]
        }
    },
    # What was posted before an edit is published nowhere, and may be as large as any payload.
    {"$unset": "fullDocument.edit.before.payload.text"},
]

# What was damaged in MongoDB is decoded as far as possible: it must not end the stream for all.
_AS_READ: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)

# How a resume token of MongoDB begins: the type of its first part, and that part, a timestamp.
_MOMENT: Final = re.compile("82([0-9A-F]{8})([0-9A-F]{8})")


_SHAPES: Final = {"change": CHANGE, "gap": GAP}


class Damaged(ValueError):  # noqa: N818 -- as the leaves of CanaryError
    """A document that Canary can't have written."""


class EventName(StrEnum):
    """What an event is about."""

    BOARD = "board"
    CHANGE = "change"
    GAP = "gap"
    STORE = "store"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``path`` is its board's, None if it is about all boards.

    ``board`` is a board's state, None once it is no longer registered. ``document`` and
    ``position`` are those of a change or a gap. ``available`` is whether events come at all, since
    ``since``; ``reason`` is why they do not.
    """

    name: EventName
    path: str | None = None
    board: BoardNow | None = None
    document: Mapping[str, Any] | None = None
    position: str | None = None
    available: bool = True
    since: datetime | None = None
    reason: str | None = None


class Listener(Protocol):
    """What a feed calls, from two threads; its methods must not wait."""

    def tell(self, event: Event) -> None:
        """Take one event."""

    def reach(self, position: str) -> None:
        """Record that all events up to ``position`` were delivered."""


def opened(
    database: Database[Document],
    token: Mapping[str, Any] | None,
    *,
    await_ms: int,
    batch_size: int,
) -> AbstractContextManager[ChangeStream[Document]]:
    """Open a change stream of everything that events are made of, from ``token`` or from now.

    ``await_ms`` is how many milliseconds MongoDB holds a call open while nothing happens. Raises
    pymongo's errors.
    """
    with pymongo.timeout(CALL_LIMIT):
        majority = database.with_options(_AS_READ, read_concern=ReadConcern("majority"))
        return majority.watch(
            _PIPELINE,
            resume_after=token,
            # Without it, a stream's first position lies behind the end of MongoDB's log. A reader
            # of the log gets there only when something is written: after ten seconds, at worst.
            start_at_operation_time=latest(database) if token is None else None,
            max_await_time_ms=await_ms,
            batch_size=batch_size,
        )


def may_pass(error: Exception) -> bool:
    """Return whether a retry from the same place may succeed; not if the server refuses it.

    Its log may no longer reach back that far, or the next event can't be sent or decoded.
    """
    if isinstance(error, OperationFailure):
        return is_passing(error)
    return not isinstance(error, BSONError)


def collection_of(raw: Mapping[str, Any]) -> str | None:
    """Return which collection an event of a change stream is about."""
    name: str | None = raw.get("ns", {}).get("coll")
    return name


def breaks(raw: Mapping[str, Any]) -> bool:
    """Return whether another history may begin after this event of a change stream."""
    return raw["operationType"] in {*_BREAKING, "dropDatabase", "invalidate"}


def event_of(raw: Mapping[str, Any], mark: str) -> Event | None:
    """Return the event of a change or a gap in a change stream; None for any other.

    Raises Damaged for a document that Canary can't have written.
    """
    name = _TOLD.get(collection_of(raw) or "")
    if name is None:
        return None
    document = raw.get("fullDocument") or {}
    if not isinstance(document.get("board"), str) or not _SHAPES[name].is_as_written(document):
        raise Damaged(f"a {name} is not as Canary writes it")
    position = position_of(raw["_id"], mark)
    return Event(EventName(name), document["board"], document=document, position=position)


def position_of(token: Mapping[str, Any], mark: str) -> str:
    """Return the position in a resume token of the data set with this mark."""
    return f"{mark}{token['_data']}"


def token_of(position: str) -> Document:
    """Return the resume token of a position."""
    return {"_data": position[MARK_LENGTH:]}


def mark_of(position: str) -> str:
    """Return the mark of the data set that a position belongs to."""
    return position[:MARK_LENGTH]


def timestamp_of(position: str) -> Timestamp | None:
    """Return the moment of a position in MongoDB's log; None if it is not a position."""
    found = _MOMENT.match(position, MARK_LENGTH)
    return Timestamp(int(found[1], 16), int(found[2], 16)) if found else None


def identity_of(position: str) -> str:
    """Return a position as the id of an event: as short as it can be in ASCII."""
    return base64.urlsafe_b64encode(bytes.fromhex(position)).decode().rstrip("=")


def position_from(identity: str) -> str | None:
    """Return the position that ``identity_of`` made an id of; None if it never made that id.

    Only MongoDB can say whether there was ever such a position.
    """
    try:
        padded = identity.encode("ascii") + b"=" * (-len(identity) % 4)
        raw = base64.b64decode(padded, b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    position = raw.hex().upper()
    return position if raw and identity_of(position) == identity else None
