"""The events after some position, read from MongoDB for a client that resumes there.

Promises: the events that the feed published after that position, in the same order, each once.
Memory is bounded by what one ``read`` is asked for and a batch. Raises StoreUnavailable, or
PlaceLost if MongoDB can't continue: its log does not reach back so far, there was no such position,
it is of another data set, or something after it can't be published.

Used by one greenlet. Does not wait for what has not happened yet.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import bson
import pymongo
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from canary.clock import CLOCK, Clock
from canary.errors import PlaceLost, StoreRefused
from canary.stores.changestream.dataset import find, latest
from canary.stores.changestream.events import (
    CALL_LIMIT,
    Damaged,
    Event,
    breaks,
    event_of,
    mark_of,
    may_pass,
    opened,
    position_of,
    timestamp_of,
    token_of,
)
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document

PAUSE: Final = 0.005  # seconds between two calls that return nothing
BATCH: Final = 500  # events; decoding more at a time holds up the process's other greenlets


class Replay:
    """A change stream from a position on. ``position`` is up to where it has been read."""

    def __init__(self, database: Database[Document], position: str, clock: Clock = CLOCK) -> None:
        """Open it. The caller must close it."""
        self.position, self._mark, self._clock = position, mark_of(position), clock
        _check(database, position)
        with ExitStack() as stack:
            with _errors_as_ours():
                self._stream = stack.enter_context(
                    opened(database, token_of(position), await_ms=1, batch_size=BATCH)
                )
            self._close = stack.pop_all().close

    def read(self, until: str, limit: int, size: int, deadline: float) -> list[Event]:
        """Return the events up to the position ``until``; set ``position`` to where it ends.

        It stops earlier after ``limit`` events, after ``size`` bytes of events, or when the
        clock's elapsed() reaches ``deadline``. An event after ``until`` may be the last one: then
        it is at ``position``.
        """
        found: list[Event] = []
        while (
            self.position < until
            and len(found) < limit
            and size > 0
            and self._clock.elapsed() < deadline
        ):
            with _errors_as_ours(), pymongo.timeout(CALL_LIMIT):
                raw = self._stream.try_next()
                if not self._stream.alive:
                    raise PlaceLost("The database was dropped after that position")
            if raw is None:
                self._clock.sleep(PAUSE)  # MongoDB is not there yet
            elif event := self._event(raw):
                found.append(event)
                size -= len(bson.encode(event.document or {}))
            if token := self._stream.resume_token:
                self.position = position_of(token, self._mark)
        return found

    def _event(self, raw: Mapping[str, Any]) -> Event | None:
        if breaks(raw):
            raise PlaceLost("A collection of Canary's was replaced after that position")
        try:
            return event_of(raw, self._mark)
        except Damaged as error:
            raise PlaceLost(f"What comes after that position can't be sent: {error}") from error

    def close(self) -> None:
        """Free what MongoDB holds for it. May be called again; raises nothing."""
        with suppress(PyMongoError):
            self._close()


def _check(database: Database[Document], position: str) -> None:
    """Raise PlaceLost if a position can't be one of this data set; MongoDB need not notice.

    MongoDB would wait for a position in the future. If its log was never truncated, it would return
    all of it for a position in 1970.
    """
    moment = timestamp_of(position)
    if moment is None:
        raise PlaceLost("Not a position in MongoDB's log")
    with _errors_as_ours(), pymongo.timeout(CALL_LIMIT):
        dataset, present = find(database), latest(database)
    if dataset is not None and dataset.mark != mark_of(position):
        raise PlaceLost("The position is from another MongoDB, or from before a restore")
    if dataset is not None and dataset.since is not None and moment < dataset.since:
        raise PlaceLost("The position is older than this MongoDB's data")
    if present is not None and moment > present:
        raise PlaceLost("The position is in the future")


@contextmanager
def _errors_as_ours() -> Iterator[None]:
    try:
        with errors_as_ours():
            yield
    except StoreRefused as refusal:
        if isinstance(refusal.__cause__, Exception) and not may_pass(refusal.__cause__):
            raise PlaceLost(f"MongoDB cannot continue from that position: {refusal}") from refusal
        raise
    except BSONError as error:
        raise PlaceLost(f"What comes after that position cannot be read: {error}") from error
