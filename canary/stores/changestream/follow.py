"""The feed: events as they happen, from one MongoDB change stream per process, for one listener.

One thread follows ``changes`` and ``gaps`` and notices changed documents of boards. Another thread
reads every board's actual freshness once a second, whenever a document changed, and at the moment
at which a watcher has been silent for too long. It publishes the boards that differ. So a board
whose watcher died silently is published as well, and at once. Under gevent both are greenlets.
Neither ends by itself: after an error they continue, with backoff, from where they were.

Promises: each change and each gap that is written while a feed runs is published once, in the order
of positions, which for one board is that of its revisions, whatever connections are lost in
between. So is the position that was reached, every half second at least. ``RESET`` is published if
something was missed and must be fetched again: if MongoDB's log no longer reaches back; if a
document can't be published because it was damaged; if the database or a collection of Canary's was
dropped; and if the data set is another than before, as after a restore. The last is noticed at once
as far as MongoDB's log contains it, else within ``LOOK_INTERVAL``.

Does not promise an order between the events of two boards, nor between a board's changes and its
state. Does not publish what was before its start.

It also sets its clock by MongoDB's, as long as there is a board to read.
"""

import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any, Final

import pymongo
from bson.errors import BSONError
from pymongo.change_stream import ChangeStream
from pymongo.database import Database
from pymongo.errors import PyMongoError

from canary.clock import CLOCK, Clock
from canary.errors import StoreError, StoreUnavailable
from canary.logs.complaint import Complaint
from canary.logs.output import redact
from canary.stores.changestream.dataset import COLLECTION, DataSet, DataSets
from canary.stores.changestream.events import (
    CALL_LIMIT,
    Event,
    EventName,
    Listener,
    breaks,
    collection_of,
    event_of,
    may_pass,
    opened,
    position_of,
)
from canary.stores.mongo.client import NOT_INITIATED, as_ours
from canary.stores.mongo.documents import Document
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.jobs_at import Queries

LOG = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 1.0  # seconds between two reads of freshness; heartbeats come as often
LOOK_PAUSE: Final = 0.05  # seconds at least between two reads, however often boards change
AWAIT_MS: Final = 500  # how long MongoDB holds a call open while nothing happens
BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one again and again
RESUME_TRIES: Final = 3  # from one place, before it is given up with a RESET
CHECK_LIMIT: Final = 2.0  # seconds for MongoDB to say what kind of server it is
ID_SHOWN: Final = 200  # characters of a document's id that are logged
BREATH: Final = 100  # events before the greenlets that send them to clients get a turn

# The fields of a board's document that its event contains.
_BOARD_FIELDS: Final = {"epoch", "registered", "writer", "freshness", "freshness_since"}


class Feed:
    """The only change stream of the process.

    It publishes all boards before the first event that says that the store is available. While
    MongoDB does not serve, each try first asks what kind of server it is: a replica set that is not
    initiated fails all other calls at once, and pymongo would repeat them without any pause.
    """

    def __init__(
        self,
        database: Database[Document],
        queries: Queries,
        listener: Listener,
        clock: Clock = CLOCK,
    ) -> None:
        self._database, self._queries, self._listener = database, queries, listener
        self._clock = clock
        self._datasets, self._dataset = DataSets(database), DataSet("")
        self._boards: dict[str, BoardNow] = {}
        self._is_other = False  # the data set is another than ``_dataset``
        self._token: Mapping[str, Any] | None = None
        self._failures = 0  # in a row
        self._state = threading.Lock()  # of the four below
        self._is_following = self._is_looking = False
        self._is_available = False
        self._why: str | None = None
        self._closed = Complaint(LOG, "MongoDB's change stream is not open; trying again")
        self._unread = Complaint(LOG, "the boards could not be read")
        self._look_now = threading.Event()
        self._is_ending = False

    def start(self) -> None:
        """Start to follow. In a process that forks, call it after the fork."""
        for work in (self._follow, self._look):
            threading.Thread(target=work, name=f"feed{work.__name__}", daemon=True).start()

    def end(self) -> None:
        """Ask for the end, without waiting for it. Safe in a signal handler."""
        self._is_ending = True

    # The change stream.

    def _follow(self) -> None:
        while not self._is_ending:
            try:
                if not self._is_following:
                    self._queries.check(CHECK_LIMIT)
                self._recognise()
                with opened(
                    self._database, self._token, await_ms=AWAIT_MS, batch_size=10 * BREATH
                ) as stream:
                    if self._token is None:
                        self._listener.tell(Event(EventName.RESET))
                    self._token = stream.resume_token
                    self._reach()
                    self._closed.over()
                    self._answers(following=True)
                    self._look_now.set()
                    self._take_all(stream)
            except Exception as error:
                reason = self._reason(error)
                if not isinstance(error, PyMongoError | BSONError | StoreError):
                    LOG.exception("the change stream broke off")
                self._closed.say(str(reason))
                self._answers(reason, following=False)
                self._clock.sleep(BACKOFF[min(self._failures, len(BACKOFF) - 1)])
                self._failures += 1
                if self._failures >= RESUME_TRIES and not may_pass(error):
                    self._token = None

    def _recognise(self) -> None:
        """Read which data set MongoDB holds; if it is another than before, start again."""
        self._is_other = False
        with pymongo.timeout(CALL_LIMIT):
            dataset = self._datasets.read()
        if dataset != self._dataset:
            self._dataset, self._token = dataset, None

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
                self._clock.sleep(0.001)
            if not stream.alive or self._is_other:
                # The database was dropped, or the data set is another one, and so is what follows.
                self._token = None
                self._clock.sleep(BACKOFF[0])
                return

    def _take(self, raw: Mapping[str, Any]) -> None:
        if breaks(raw):
            self._is_other = True
        elif collection_of(raw) == COLLECTION:
            # This process itself may have done it before it began to follow.
            self._is_other = self._datasets.read() != self._dataset
        elif collection_of(raw) == "boards":
            updated = raw.get("updateDescription", {}).get("updatedFields")
            if updated is None or _BOARD_FIELDS & {field.split(".")[0] for field in updated}:
                self._look_now.set()
        else:
            self._tell(raw)

    def _tell(self, raw: Mapping[str, Any]) -> None:
        """Publish a change or a gap; if that is impossible, publish that something was missed."""
        try:
            if event := event_of(raw, self._dataset.mark):
                self._listener.tell(event)
        except Exception:  # damaged by hand, or written by another version
            LOG.exception(
                "a document of %s could not be published, so all clients are sent a reset",
                collection_of(raw),
                extra={"document": str(raw.get("documentKey", {}).get("_id"))[:ID_SHOWN]},
            )
            self._listener.tell(Event(EventName.RESET))

    def _reach(self) -> None:
        """Publish the position that was reached."""
        if self._token is not None:
            self._listener.reach(position_of(self._token, self._dataset.mark))

    # Freshness, by heartbeat.

    def _look(self) -> None:
        while not self._is_ending:
            self._look_now.clear()
            pause = LOOK_INTERVAL
            try:
                if not self._is_looking:
                    self._queries.check(CHECK_LIMIT)
                sent = self._clock.elapsed()
                boards = self._queries.boards(with_own=True)
                if boards:  # ages are computed by MongoDB's clock, as everything is
                    self._clock.compare(sent, boards[0].now)
                self._tell_boards({board.path: board for board in boards})
                if self._dataset.mark and self._datasets.read() != self._dataset:
                    self._is_other = True
                pause = _until_a_silence(boards)
            except StoreError as error:
                reason = self._reason(error)
                self._answers(reason, looking=False)
                self._unread.say(str(reason))
            except Exception:  # a document of another version must not end the feed
                self._answers(
                    StoreUnavailable("the boards' states could not be read"), looking=False
                )
                LOG.exception("the boards' states could not be read")
            else:
                self._unread.over()
                self._answers(looking=True)
            self._clock.sleep(LOOK_PAUSE)
            self._clock.wait(self._look_now, pause)

    def _tell_boards(self, boards: dict[str, BoardNow]) -> None:
        """Publish the boards that differ from what was published last."""
        for path in self._boards.keys() - boards.keys():
            self._listener.tell(Event(EventName.BOARD, path))
        for path, board in boards.items():
            if _told(board) != _told(self._boards.get(path)):
                self._listener.tell(Event(EventName.BOARD, path, board))
        self._boards = boards

    def _reason(self, error: Exception) -> StoreError:
        """Return why MongoDB does not serve: a problem of the whole server, if there is one."""
        try:
            self._queries.check(CHECK_LIMIT)
        except StoreError as told:
            return told
        if isinstance(error, StoreError):
            return error
        if isinstance(error, PyMongoError):
            return as_ours(error)
        return StoreUnavailable(f"the change stream broke off: {type(error).__name__}")

    def _answers(
        self,
        error: StoreError | None = None,
        *,
        following: bool | None = None,
        looking: bool | None = None,
    ) -> None:
        """Record whether MongoDB serves this thread; publish when that changes for both.

        ``error`` says why it does not.
        """
        reason = None if error is None else redact(str(error))
        passes = isinstance(error, StoreUnavailable) and reason != NOT_INITIATED
        with self._state:
            if following is not None:
                self._is_following = following
            if looking is not None:
                self._is_looking = looking
            available = self._is_following and self._is_looking
            if available or self._is_available:
                is_news = available != self._is_available
            else:  # one event per outage, unless it turns out that it will not pass
                is_news = reason is not None and reason != self._why and not passes
            if not is_news:
                return
            self._is_available = available
            self._why = None if available else reason
            since = self._clock.now()
            self._listener.tell(
                Event(EventName.STORE, available=available, since=since, reason=self._why)
            )


def _until_a_silence(boards: Collection[BoardNow]) -> float:
    """Return the seconds until the next read; fewer if a watcher may be silent by then."""
    silent = [board.silent_from - board.now for board in boards if board.silent_from]
    return min([LOOK_INTERVAL, *(left.total_seconds() for left in silent)])


def _told(board: BoardNow | None) -> tuple[object, ...] | None:
    """Return what a board's event contains: not its clocks and counters."""
    if board is None:
        return None
    return (
        board.registered,
        board.freshness,
        board.freshness_since,
        board.watcher,
        board.epoch,
    )
