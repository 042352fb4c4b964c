"""The live store as workers find it: their heartbeats, what is registered, and taking a board.

Promises of ``take``: who takes a board held the lock of its watch job after reading who had it
before; of two takers at once one is left as its writer; whoever wrote before can't write any more.
What is then written is ``canary.stores.writer``'s.
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
from canary.model.state import BoardState
from canary.observer import NOBODY, Observer
from canary.stores.documents import ON_BOARD, Behind, Document, job_from, stat_from
from canary.stores.entries import Past
from canary.stores.mongo import errors_as_ours
from canary.stores.slices import Told
from canary.stores.writer import LiveBoard

LOG = logging.getLogger(__name__)

TAKE_TRIES: Final = 5
READ_BATCH: Final = 1_000  # jobs; other greenlets wait while what MongoDB sends is decoded
TRY_TIMEOUT: Final = 2.0  # seconds; only an open transaction holds the document for longer


class LiveStore:
    """MongoDB as the workers use it. ``observer`` is told of what is written."""

    def __init__(
        self, database: Database[Document], worker: str, observer: Observer = NOBODY
    ) -> None:
        self.database, self._observer = database, observer
        self.worker, self.started_at = worker, now()

    def beat(
        self, about: Mapping[str, Any], until: datetime | None, behind: Sequence[Behind]
    ) -> datetime:
        """Write this worker's heartbeat, by MongoDB's clock; return the time that it gave.

        ``about`` is what is to be known of the worker. Of all boards that it watches everything is
        stored that happened up to ``until``, but for those that are ``behind``.
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
        """Note that boards other than those at ``paths`` are not registered any more.

        ``registered`` reads from ZooKeeper which ones are; it is asked after the boards' documents
        were read, and what is taken after that is left alone, so that who was frozen in between
        forgets nothing that was registered anew. Zxids would not tell: in a rebuilt ensemble they
        begin anew. Who writes a board stays noted, for the next taker to stop it.
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

        ``is_mine`` reads back from ZooKeeper whether this worker still holds the watch job's lock;
        it is asked after the board's document was read and before it is taken, so that who was
        frozen in between takes nothing, and again when it is taken, so that a board whose watch job
        was removed meanwhile does not come to be registered again. Whoever wrote before is stopped
        first: its MongoDB session is killed, and with it a transaction that it may have left open.
        Canary's own board (``is_own``) is nobody's to register, and no observer is told of it.
        Raises Fenced where the board is another's, StoreUnavailable where MongoDB does not answer.
        """
        for _ in range(TAKE_TRIES):
            with errors_as_ours():
                before = self._prepare(path, is_mine, now)
                board = before and self._try_take(before, epoch, now, is_own=is_own)
            if before and board:
                self._make_sure(board, is_mine, was_registered=before["registered"], now=now)
                return board
        raise StoreUnavailable(f"{path}: its document can't be had, others write it all the time")

    def _prepare(self, path: str, is_mine: Callable[[], bool], now: datetime) -> Document | None:
        """Return the document of a board that may be taken, and stop who writes it.

        None where there was none: it was made.
        """
        boards = self.database.boards
        before = boards.find_one({"_id": path})
        if before is None:
            try:
                boards.insert_one(_new_board(path, now))
            except DuplicateKeyError:
                LOG.debug("another worker made its document first", extra={"board": path})
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
        """Take the board whose document was ``before``; None where it is not that any more."""
        path, boards = before["_id"], self.database.boards
        session = self.database.client.start_session()
        taken = {
            "epoch": Int64(epoch),
            "registered": not is_own,
            "writer": {
                "worker": self.worker,
                # Another process may come to have the name, as in a container.
                "started_at": self.started_at,
                "lsid": session.session_id["id"],
            },
            "released": None,
            "freshness": Freshness.CATCHING_UP.value,
            "freshness_since": now,
        }
        try:
            with pymongo.timeout(TRY_TIMEOUT):
                after = boards.find_one_and_update(
                    {name: before[name] for name in ("_id", "epoch", "writer", "registered")},
                    {"$set": taken, "$inc": {"takes": Int64(1)}},
                    return_document=ReturnDocument.AFTER,
                )
        except PyMongoError as error:
            if not error.timeout:
                raise
            # Who wrote before has begun anew after its session was killed, and stands still.
            extra = {"board": path, "epoch": epoch, "revision": int(before["revision"])}
            LOG.warning("its document is held, stopping its writer again", extra=extra)
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
        state, pasts = self._restore(after)
        state = state.known_until(before["known_until"])
        observer = NOBODY if is_own else self._observer
        return LiveBoard(self.database, after, state, reason, session, pasts, observer)

    def _make_sure(
        self, board: LiveBoard, is_mine: Callable[[], bool], *, was_registered: bool, now: datetime
    ) -> None:
        """Return if the board is still this worker's to take; else give it up and raise."""
        try:
            _check(board.path, is_mine)
        except CanaryError:
            taken = {"_id": board.path, "takes": Int64(board.takes)}
            try:
                board.release(now, board.state.seen_at, Reason.RESTART)
                with errors_as_ours():
                    as_before = {"$set": {"registered": was_registered}}
                    self.database.boards.update_one(taken, as_before)
            except StoreError as error:
                extra = {"board": board.path, "epoch": board.epoch}
                LOG.warning("it may be called registered and is not: %s", error, extra=extra)
            raise

    def _known_until(self, board: Document) -> datetime | None:
        """Return up to when all is written, as whoever writes the board said last; None if unknown.

        Without it, it is the moment of what was written last.
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

    def _restore(self, board: Document) -> tuple[BoardState, dict[str, Past]]:
        """Read the state that belongs to a board's document, and the pasts of its jobs.

        Nobody else writes it any more.
        """
        path, told = board["_id"], board["told"]
        documents = self.database.jobs.find(
            {"board": path, "state": {"$in": ON_BOARD}}, {"payload": 0}, batch_size=READ_BATCH
        )
        jobs, pasts = [], {}
        for document in documents:
            jobs.append(job_from(document))
            pasts[document["_id"]] = Past.of(document)
        nodes = self.database.nodes.find({"board": path}, {"name": 1})
        state = BoardState.restore(
            stat_from(board["stat"]),
            board["seen_at"],
            jobs,
            # Of one whose name was taken out by hand its identity tells it.
            (
                document.get("name") or document["_id"].removeprefix(f"{path}/")
                for document in nodes
            ),
            told=(told["creates"], told["deletes"]),
            told_incarnation=told["incarnation"],
        )
        return state, pasts


def _check(path: str, is_mine: Callable[[], bool]) -> None:
    if not is_mine():
        raise Fenced(f"{path}: the claim on its watch job is lost")


def _new_board(path: str, now: datetime) -> Document:
    return {
        "_id": path,
        "path": path,
        "epoch": None,
        "takes": Int64(0),
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
