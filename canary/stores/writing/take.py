"""The live store as workers use it: heartbeats, registration, and taking a board.

Promises of ``take``: the worker that takes a board held the lock of its watch job after it had read
who had the board before. Of two takers at once, one remains as the board's writer. The writer
before can't write any more. What is then written is described in
``canary.stores.writing.board_writer``.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pymongo
from bson import Int64
from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from canary.clock import now
from canary.errors import CanaryError, Fenced, StoreError, StoreUnavailable
from canary.model.changes import Reason
from canary.model.freshness import SEEING, Freshness
from canary.observer import NOBODY, Observer
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Behind, Document
from canary.stores.writing.batches import Told
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.fence import COUNTER, is_counter
from canary.stores.writing.stored import restored

LOG = logging.getLogger(__name__)

TAKE_TRIES: Final = 5
TRY_TIMEOUT: Final = 2.0  # seconds; only an open transaction holds the document for longer


class LiveStore:
    """MongoDB as the workers use it. ``observer`` is called with what is written."""

    def __init__(
        self, database: Database[Document], worker: str, observer: Observer = NOBODY
    ) -> None:
        self.database, self._observer = database, observer
        self.worker, self.started_at = worker, now()

    def beat(
        self, about: Mapping[str, Any], until: datetime | None, behind: Sequence[Behind]
    ) -> datetime:
        """Write this worker's heartbeat, by MongoDB's clock; return the time that it gave.

        ``about`` describes the worker. Everything that happened up to ``until`` on the boards that
        it watches is stored, except on those that are ``behind``.
        """
        fields = {
            **{name: {"$literal": value} for name, value in about.items()},
            "started_at": self.started_at,
            "beat": "$$NOW",
            "until": until,
            "behind": {"$literal": [board.document() for board in behind]},
        }
        with errors_as_ours():
            written = self.database.workers.find_one_and_update(
                {"_id": self.worker},
                [{"$set": fields}],
                {"beat": 1},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        beat: datetime = (written or {})["beat"]
        return beat

    def retire(self) -> None:
        """Remove this worker's heartbeat: it ends, and watches nothing any more."""
        with errors_as_ours():
            self.database.workers.delete_one({"_id": self.worker})

    def forget_all_but(
        self, paths: Collection[str], registered: Callable[[], Collection[str]], now: datetime
    ) -> None:
        """Record that boards other than those at ``paths`` are no longer registered.

        ``registered`` reads from ZooKeeper which boards are. It is called after the boards'
        documents were read, and a document that changes after that is left alone. So a worker that
        was frozen in between forgets nothing that was registered again. Zxids could not tell what
        is older: in a rebuilt ensemble they start again. A board's writer stays recorded, so that
        the next taker stops it.
        """
        gone = {
            "registered": False,
            "freshness": Freshness.UNWATCHED.value,
            "freshness_since": now,
        }
        stale = {"registered": True, "_id": {"$nin": list(paths)}}
        with errors_as_ours():
            boards = list(self.database.boards.find(stale, {"takes": 1}))
        there = registered() if boards else ()
        with errors_as_ours():
            for board in boards:
                if board["_id"] not in there:
                    self.database.boards.update_one(board, {"$set": gone})

    def take(
        self,
        path: str,
        epoch: int,
        is_mine: Callable[[], bool],
        now: datetime,
        *,
        is_own: bool = False,
    ) -> LiveBoard:
        """Take the board at ``path`` for this worker, under ``epoch``.

        The writer before is stopped first: its MongoDB session is killed, and with it any
        transaction that it has left open. ``is_mine`` reads from ZooKeeper whether this worker
        still holds the watch job's lock. It is called after the board's document was read and
        before the board is taken, so that a worker that was frozen in between takes nothing. It is
        called again when the board is taken, so that a board whose watch job was removed meanwhile
        is not registered again. Canary's own board (``is_own``) is never registered, and no
        observer is called for it. Raises Fenced if the board is another's, StoreUnavailable if
        MongoDB does not answer.
        """
        for _ in range(TAKE_TRIES):
            with errors_as_ours():
                before = self._prepare(path, is_mine, now)
                board = before and self._try_take(before, epoch, now, is_own=is_own)
            if before and board:
                self._make_sure(board, is_mine, was_registered=before["registered"], now=now)
                return board
        raise StoreUnavailable(
            f"{path}: can't take the board, because other workers keep changing its document"
        )

    def _prepare(self, path: str, is_mine: Callable[[], bool], now: datetime) -> Document | None:
        """Return the document of a board that may be taken, and stop its writer.

        Returns None if there was no document; then it was created.
        """
        boards = self.database.boards
        before = boards.find_one({"_id": path})
        if before is None:
            try:
                boards.insert_one(_new_board(path, now))
            except DuplicateKeyError:
                LOG.debug(
                    "another worker created the board's document first", extra={"board": path}
                )
            return None
        writer = before["writer"]
        if writer and writer["lsid"]:
            self.database.client.admin.command("killSessions", [{"id": writer["lsid"]}])
        before["known_until"] = self._known_until(before)
        _check(path, is_mine)
        return before

    def _try_take(
        self, before: Document, epoch: int, now: datetime, *, is_own: bool
    ) -> LiveBoard | None:
        """Take the board whose document was ``before``; None if it has changed since."""
        path, boards = before["_id"], self.database.boards
        session = self.database.client.start_session()
        taken = {
            "epoch": Int64(epoch),
            "registered": not is_own,
            "writer": {
                "worker": self.worker,
                # Another process may get the same name, as in a container.
                "started_at": self.started_at,
                "lsid": session.session_id["id"],
            },
            "released": None,
            "freshness": Freshness.CATCHING_UP.value,
            "freshness_since": now,
        }
        counts = {"takes": Int64(1)}
        if not is_counter(before.get("writes")):
            # The clock is ahead of any count: no number, and no gap's id, occurs twice.
            taken["writes"] = Int64(now.timestamp() * 1000)
            # Documents from before there was a counter have none; that is not an error.
            if "writes" in before:
                counts["drift"] = Int64(1)
                LOG.error(
                    "%s was missing in MongoDB and has been restored",
                    COUNTER,
                    extra={"board": path},
                )
        try:
            with pymongo.timeout(TRY_TIMEOUT):
                after = boards.find_one_and_update(
                    {name: before[name] for name in ("_id", "epoch", "writer", "registered")},
                    {"$set": taken, "$inc": counts},
                    return_document=ReturnDocument.AFTER,
                )
        except PyMongoError as error:
            if not error.timeout:
                raise
            # The writer has started again after its session was killed, and stands still.
            extra = {"board": path, "epoch": epoch, "revision": int(before["revision"])}
            LOG.warning(
                "the board's document is locked by its writer; asking the writer again to stop",
                extra=extra,
            )
            return None
        if after is None:
            session.end_session()
            return None
        reason = Reason.RESTART
        if before["writer"] is None and before["released"]:
            reason = Reason(before["released"])
        if not (before["registered"] or is_own):
            reason = Reason.UNREGISTERED
        if before["epoch"] is not None and before["epoch"] > epoch:
            reason = Reason.ERA
        state, histories = restored(self.database, after)
        state = state.known_until(before["known_until"])
        observer = NOBODY if is_own else self._observer
        return LiveBoard(self.database, after, state, reason, session, histories, observer)

    def _make_sure(
        self, board: LiveBoard, is_mine: Callable[[], bool], *, was_registered: bool, now: datetime
    ) -> None:
        """Return if the board is still this worker's to take; else release it and raise."""
        try:
            _check(board.path, is_mine)
        except CanaryError:
            try:
                known = board.state.seen_at
                board.release(now, known, Reason.RESTART, registered=was_registered)
            except StoreError as error:
                extra = {"board": board.path, "epoch": board.epoch}
                LOG.warning(
                    "the board may be shown as registered although it is not: %s",
                    error,
                    extra=extra,
                )
            raise

    def _known_until(self, board: Document) -> datetime | None:
        """Return up to when everything is written, as the board's writer said last.

        Returns None if unknown: then everything is written up to the moment of the last write.
        """
        if not board["writer"] or Freshness(board["freshness"]) not in SEEING:
            return None
        writer = board["writer"]
        worker = self.database.workers.find_one({"_id": writer["worker"]})
        if worker is None or worker["started_at"] != writer["started_at"]:
            return None
        known: datetime | None = worker["until"]
        for behind in worker["behind"]:
            if (behind["board"], behind["takes"]) == (board["_id"], board["takes"]):
                known = behind["since"] if known is None else min(known, behind["since"])
        return known


def _check(path: str, is_mine: Callable[[], bool]) -> None:
    if not is_mine():
        raise Fenced(f"{path}: the claim on its watch job is lost")


def _new_board(path: str, now: datetime) -> Document:
    return {
        "_id": path,
        "path": path,
        "epoch": None,
        "takes": Int64(0),
        "writes": Int64(0),
        "revision": Int64(0),
        "writer": None,
        "released": None,
        "registered": False,  # until it is taken
        "stat": None,
        "seen_at": None,
        "watched_since": None,
        "told": Told().document(),
        "freshness": Freshness.UNWATCHED.value,
        "freshness_since": now,
        "drift": Int64(0),
    }
