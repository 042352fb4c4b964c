"""What happened after some position, read from MongoDB for a client that comes back from there.

Promises: the events that the feed told after that position, in the same order, each once; memory
is bounded by what one ``read`` is asked for and a batch. Raises PlaceLost where MongoDB cannot
tell, because its log does not reach back so far or there was no such position, and
StoreUnavailable.

Used by one greenlet. Does not wait for what has not happened yet.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

import pymongo
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from canary.errors import PlaceLost, StoreRefused
from canary.stores.documents import Document
from canary.stores.events import (
    CALL_LIMIT,
    Event,
    event_of,
    may_pass,
    opened,
    position_of,
    token_of,
)
from canary.stores.mongo import errors_as_ours

PAUSE: Final = 0.005  # seconds between two calls that bring nothing
BATCH: Final = 500  # events; decoding more at a time holds up the process's other greenlets


class Past:
    """A change stream from a position on. ``position`` is up to where it has been read."""

    def __init__(self, database: Database[Document], position: str) -> None:
        """Open it. Whoever did must close it."""
        self.position = position
        with ExitStack() as stack:
            with _errors_as_ours():
                self._stream = stack.enter_context(
                    opened(database, token_of(position), await_ms=1, batch_size=BATCH)
                )
            self._close = stack.pop_all().close

    def read(self, until: str, limit: int, deadline: float) -> list[Event]:
        """Return the events up to the position ``until``; ``position`` says how far it came.

        It comes less far where ``limit`` events are returned, or where the monotonic clock shows
        ``deadline``. An event after ``until`` may be the last one: then it is at ``position``.
        """
        found: list[Event] = []
        while self.position < until and len(found) < limit and time.monotonic() < deadline:
            with _errors_as_ours(), pymongo.timeout(CALL_LIMIT):
                raw = self._stream.try_next()
                if not self._stream.alive:
                    raise PlaceLost("The database was dropped after that place")
            if raw is None:
                time.sleep(PAUSE)  # MongoDB is not there yet
            elif event := event_of(raw):
                found.append(event)
            if token := self._stream.resume_token:
                self.position = position_of(token)
        return found

    def close(self) -> None:
        """Free what MongoDB holds for it. May be called again; raises nothing."""
        with suppress(PyMongoError):
            self._close()


@contextmanager
def _errors_as_ours() -> Iterator[None]:
    try:
        with errors_as_ours():
            yield
    except StoreRefused as refusal:
        if isinstance(refusal.__cause__, Exception) and not may_pass(refusal.__cause__):
            raise PlaceLost(f"MongoDB cannot go on from that place: {refusal}") from refusal
        raise
    except BSONError as error:
        raise PlaceLost(f"What comes after that place cannot be read: {error}") from error
