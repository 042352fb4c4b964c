"""What happens, as it happens: one MongoDB change stream a process, told to one listener.

One thread follows ``changes`` and ``gaps`` and notices that a board's document changed; another
asks once a second, whenever that was noticed, and the moment a watcher has been silent for too
long, what every board's freshness really is, and tells of those that differ: so a board whose
watcher died silently is told of too, and at once. Under gevent both are greenlets. Neither ends by
itself: after an error they go on, with backoff, from where they were.

Promises: each change and each gap that is written while a feed runs is told once, in the order of
their positions, which for one board is that of its revisions, whatever connections are lost in
between; and how far it has come, every half second at least. Where MongoDB's log no longer reaches
back it tells ``RESET``: something was missed, look anew.

Does not promise an order between the events of two boards, nor between a board's changes and its
state; does not tell what was before its start.

It also sets this process's clock by MongoDB's, as long as there is a board to ask about.
"""

import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import pymongo
from bson.errors import BSONError
from pymongo.change_stream import ChangeStream
from pymongo.database import Database
from pymongo.errors import PyMongoError

from canary.clock import CLOCK, elapsed, now
from canary.errors import StoreError
from canary.stores.boards import BoardNow
from canary.stores.documents import Document
from canary.stores.events import (
    CALL_LIMIT,
    Event,
    EventName,
    Listener,
    collection_of,
    event_of,
    may_pass,
    opened,
    position_of,
)
from canary.stores.reading import Reading

LOG = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 1.0  # seconds between two looks at freshness; heartbeats come as often
LOOK_PAUSE: Final = 0.05  # seconds at least between two looks, however often boards change
AWAIT_MS: Final = 500  # how long MongoDB holds a call open when there is nothing to tell
BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one again and again
RESUME_TRIES: Final = 3  # from one place, before it is given up and RESET is told
BREATH: Final = 100  # events told before the greenlets that send them to clients get their turn

# Of a board's document, the fields that its event tells of.
_BOARD_FIELDS: Final = {"epoch", "registered", "writer", "freshness", "freshness_since"}


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
                with opened(
                    self._database, self._token, await_ms=AWAIT_MS, batch_size=10 * BREATH
                ) as stream:
                    if self._token is None:
                        self._listener.tell(Event(EventName.RESET))
                    self._token = stream.resume_token
                    self._reach()
                    self._answers(following=True)
                    self._look_now.set()
                    self._take_all(stream)
            except Exception as error:
                is_foreseen = isinstance(error, PyMongoError | BSONError)
                LOG.warning(
                    "MongoDB's change stream is not open, is tried again (see [mongo] uri): %s",
                    str(error)[:300],
                    exc_info=None if is_foreseen else error,
                )
                self._answers(following=False)
                time.sleep(BACKOFF[min(self._failures, len(BACKOFF) - 1)])
                self._failures += 1
                if self._failures >= RESUME_TRIES and not may_pass(error):
                    self._token = None

    def _take_all(self, stream: ChangeStream[Document]) -> None:
        taken = 0
        while not self._is_ending:
            with pymongo.timeout(CALL_LIMIT):
                raw = stream.try_next()
            self._token, self._failures = stream.resume_token, 0
            if raw is not None:
                self._take(raw)
                taken += 1
            self._reach()
            if raw is not None and taken % BREATH == 0:
                time.sleep(0.001)
            if not stream.alive:
                self._token = None  # the database was dropped: what comes now is another history
                return

    def _take(self, raw: Mapping[str, Any]) -> None:
        if collection_of(raw) == "boards":
            updated = raw.get("updateDescription", {}).get("updatedFields")
            if updated is None or _BOARD_FIELDS & {field.split(".")[0] for field in updated}:
                self._look_now.set()
        elif event := event_of(raw):
            try:
                self._listener.tell(event)
            except Exception:  # of another version's making, perhaps; the next one may be told
                document = event.document or {}
                facts = {"board": event.path, "revision": document.get("revision")}
                LOG.exception("a document of %s could not be told", collection_of(raw), extra=facts)

    def _reach(self) -> None:
        """Say how far all has been told."""
        if self._token is not None:
            self._listener.reach(position_of(self._token))

    # Freshness, by heartbeat.

    def _look(self) -> None:
        while not self._is_ending:
            self._look_now.clear()
            pause = LOOK_INTERVAL
            try:
                sent = elapsed()
                boards = self._reading.boards(with_own=True)
                if boards:  # ages are told by MongoDB's clock, as everything else is
                    CLOCK.compare(sent, boards[0].now)
                self._tell_boards({board.path: board for board in boards})
                pause = _until_a_silence(boards)
            except StoreError as error:
                self._answers(looking=False)
                LOG.warning("the boards could not be read: %s", error)
            except Exception:  # a document of another version's making must not end the feed
                self._answers(looking=False)
                LOG.exception("the boards could not be told")
            else:
                self._answers(looking=True)
            time.sleep(LOOK_PAUSE)
            self._look_now.wait(pause)

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
            since = now()
            self._listener.tell(Event(EventName.STORE, available=available, since=since))


def _until_a_silence(boards: Collection[BoardNow]) -> float:
    """Return in how many seconds to look again; sooner where a watcher may be silent by then."""
    silent = [board.silent_from - board.now for board in boards if board.silent_from]
    return min([LOOK_INTERVAL, *(left.total_seconds() for left in silent)])


def _told(board: BoardNow | None) -> BoardNow | None:
    """Return of a board what its event is told for: not its clock and counters."""
    return board and replace(
        board,
        now=board.freshness_since,
        live_until=None,
        watched_since=None,
        silent_from=None,
        revision=0,
    )
