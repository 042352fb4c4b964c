"""What happens, as it happens: one MongoDB change stream a process, told to one listener.

One thread follows ``changes`` and ``gaps`` and notices that a board's document changed; another
asks once a second, and whenever that was noticed, what every board's freshness really is, and tells
of those that differ: so a board whose watcher died silently is told of too. Under gevent both are
greenlets. Neither ends by itself: after an error they go on, with backoff, from where they were.

Promises: each change and each gap that is written while a feed runs is told once, those of one
board in the order of their revisions, whatever connections are lost in between. Where MongoDB's log
no longer reaches back it tells ``RESET``: something was missed, look anew.

Does not promise an order between the events of two boards, nor between a board's changes and its
state; does not tell what was before its start.
"""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import pymongo
from bson.errors import BSONError
from pymongo.change_stream import ChangeStream
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from canary.errors import StoreError
from canary.stores.boards import BoardNow
from canary.stores.documents import Document
from canary.stores.mongo import is_passing
from canary.stores.reading import Reading

LOG = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 1.0  # seconds between two looks at freshness; heartbeats come as often
LOOK_PAUSE: Final = 0.05  # seconds at least between two looks, however often boards change
AWAIT_MS: Final = 500  # how long MongoDB holds a call open when there is nothing to tell
CALL_LIMIT: Final = 5.0  # seconds for one call, well above AWAIT_MS
BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one again and again
RESUME_TRIES: Final = 3  # from one place, before it is given up and RESET is told
BREATH: Final = 100  # events told before the greenlets that send them to clients get their turn

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
# Of a board's document, the fields that its event tells of.
_BOARD_FIELDS: Final = {"epoch", "registered", "writer", "freshness", "freshness_since"}


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
    change or a gap. ``available`` is whether events come at all, since ``since``.
    """

    name: EventName
    path: str | None = None
    board: BoardNow | None = None
    document: Mapping[str, Any] | None = None
    available: bool = True
    since: datetime | None = None


class Listener(Protocol):
    """Whom a feed tells. Called from two threads; must not wait."""

    def tell(self, event: Event) -> None:
        """Take one event."""


class Feed:
    """The process's one change stream.

    It tells its listener first that the store is available, with all boards told before it.
    """

    def __init__(self, database: Database[Document], reading: Reading, listener: Listener) -> None:
        self._database, self._reading, self._listener = database, reading, listener
        self._boards: dict[str, BoardNow] = {}
        self._token: Mapping[str, Any] | None = None
        self._failures = 0  # in a row
        self._state = threading.Lock()  # over the three below
        self._is_following = self._is_looking = False
        self._is_available = False
        self._look_now = threading.Event()
        self._is_ending = False

    def start(self) -> None:
        """Begin to follow. In a process that forks, call it after the fork."""
        for work in (self._follow, self._look):
            threading.Thread(target=work, name=f"feed{work.__name__}", daemon=True).start()

    def end(self) -> None:
        """Ask for the end, without waiting for it. Fit for a signal handler."""
        self._is_ending = True

    # The change stream.

    def _follow(self) -> None:
        while not self._is_ending:
            try:
                with self._open() as stream:
                    if self._token is None:
                        self._listener.tell(Event(EventName.RESET))
                    self._answers(following=True)
                    self._look_now.set()
                    self._take_all(stream)
            except Exception as error:
                is_foreseen = isinstance(error, PyMongoError | BSONError)
                LOG.warning(
                    "the change stream ended and is opened again: %s",
                    str(error)[:300],
                    exc_info=None if is_foreseen else error,
                )
                self._answers(following=False)
                time.sleep(BACKOFF[min(self._failures, len(BACKOFF) - 1)])
                self._failures += 1
                if self._failures >= RESUME_TRIES and not _may_pass(error):
                    self._token = None

    def _open(self) -> AbstractContextManager[ChangeStream[Document]]:
        with pymongo.timeout(CALL_LIMIT):
            majority = self._database.with_options(read_concern=ReadConcern("majority"))
            return majority.watch(
                _PIPELINE,
                resume_after=self._token,
                max_await_time_ms=AWAIT_MS,
                batch_size=10 * BREATH,
            )

    def _take_all(self, stream: ChangeStream[Document]) -> None:
        taken = 0
        while not self._is_ending:
            with pymongo.timeout(CALL_LIMIT):
                event = stream.try_next()
            self._token, self._failures = stream.resume_token, 0
            if event is not None:
                self._take(event)
                taken += 1
                if taken % BREATH == 0:
                    time.sleep(0.001)
            if not stream.alive:
                self._token = None  # the database was dropped: what comes now is another history
                return

    def _take(self, event: Mapping[str, Any]) -> None:
        collection = event.get("ns", {}).get("coll")
        if collection == "boards":
            updated = event.get("updateDescription", {}).get("updatedFields")
            if updated is None or _BOARD_FIELDS & {field.split(".")[0] for field in updated}:
                self._look_now.set()
        elif document := event.get("fullDocument"):
            name = EventName.CHANGE if collection == "changes" else EventName.GAP
            try:
                self._listener.tell(Event(name, document["board"], document=document))
            except Exception:  # of another version's making, perhaps; the next one may be told
                facts = {"board": document.get("board"), "revision": document.get("revision")}
                LOG.exception("a document of %s could not be told", collection, extra=facts)

    # Freshness, by heartbeat.

    def _look(self) -> None:
        while not self._is_ending:
            self._look_now.clear()
            try:
                boards = self._reading.boards()
                self._tell_boards({board.path: board for board in boards})
            except StoreError as error:
                self._answers(looking=False)
                LOG.warning("the boards could not be read: %s", error)
            except Exception:  # a document of another version's making must not end the feed
                self._answers(looking=False)
                LOG.exception("the boards could not be told")
            else:
                self._answers(looking=True)
            time.sleep(LOOK_PAUSE)
            self._look_now.wait(LOOK_INTERVAL)

    def _tell_boards(self, boards: dict[str, BoardNow]) -> None:
        """Tell of the boards that differ from what was told last."""
        for path in self._boards.keys() - boards.keys():
            self._listener.tell(Event(EventName.BOARD, path))
        for path, board in boards.items():
            if _told(board) != _told(self._boards.get(path)):
                self._listener.tell(Event(EventName.BOARD, path, board))
        self._boards = boards

    def _answers(self, *, following: bool | None = None, looking: bool | None = None) -> None:
        """Note whether MongoDB serves this thread, and tell when that changes for both."""
        with self._state:
            if following is not None:
                self._is_following = following
            if looking is not None:
                self._is_looking = looking
            available = self._is_following and self._is_looking
            if available == self._is_available:
                return
            self._is_available = available
            now = datetime.now(UTC)
            self._listener.tell(Event(EventName.STORE, available=available, since=now))


def _told(board: BoardNow | None) -> BoardNow | None:
    """Return of a board what its event is told for: not its clock and counters."""
    return board and replace(
        board, now=board.freshness_since, live_until=None, watched_since=None, revision=0
    )


def _may_pass(error: Exception) -> bool:
    """Tell whether what failed may succeed from the same place: not where the server refuses it.

    Its log may no longer reach back that far, or what comes next cannot be sent or decoded.
    """
    if isinstance(error, OperationFailure):
        return is_passing(error)
    return not isinstance(error, BSONError)
