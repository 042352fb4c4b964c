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
from canary.errors import Fenced, StoreUnavailable
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

    def forget_all_but(self, paths: Collection[str], zxid: int, now: datetime) -> None:
        """Note that only the boards at ``paths`` were registered when ZooKeeper was at ``zxid``.

        A board that was taken after that is left alone: it has been registered anew. Who writes a
        board stays noted, for the next taker to stop it.
        """
        gone = {
            "registered": False,
            "freshness": Freshness.UNWATCHED.value,
            "freshness_since": now,
        }
        stale = {
            "registered": True,
            "_id": {"$nin": list(paths)},
            "$or": [{"epoch": None}, {"epoch": {"$lte": zxid}}],
        }
        with errors_as_ours():
            self.database.boards.update_many(stale, {"$set": gone})

    def take(self, path: str, epoch: int, is_mine: Callable[[], bool], now: datetime) -> LiveBoard:
        """Take the board at ``path`` for this worker, under ``epoch``.

        ``is_mine`` reads back from ZooKeeper whether this worker still holds the watch job's lock;
        it is asked after the board's document was read and before it is taken, so that who was
        frozen in between takes nothing. Whoever wrote before is stopped first: its MongoDB session
        is killed, and with it a transaction that it may have left open. Raises Fenced where the
        board is another's, StoreUnavailable where MongoDB does not answer.
        """
        for _ in range(TAKE_TRIES):
            with errors_as_ours():
                board = self._try_take(path, epoch, is_mine, now)
            if board is not None:
                return board
        raise StoreUnavailable(f"{path}: its document can't be had, others write it all the time")

    def _try_take(
        self, path: str, epoch: int, is_mine: Callable[[], bool], now: datetime
    ) -> LiveBoard | None:
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
        known_until = self._known_until(before)
        if not is_mine():
            raise Fenced(f"{path}: the claim on its watch job is lost")
        session = self.database.client.start_session()
        taken = {
            "epoch": Int64(epoch),
            "registered": True,
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
                    {"_id": path, "epoch": before["epoch"], "writer": writer},
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
        if writer is None and before["registered"] and before["released"]:
            reason = Reason(before["released"])
        if before["epoch"] is not None and before["epoch"] > epoch:
            reason = Reason.ERA
        state, pasts = self._restore(after)
        state = state.known_until(known_until)
        return LiveBoard(self.database, after, state, reason, session, pasts, self._observer)

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
            (document["name"] for document in nodes),
            told=(told["creates"], told["deletes"]),
            told_incarnation=told["incarnation"],
        )
        return state, pasts


def _new_board(path: str, now: datetime) -> Document:
    return {
        "_id": path,
        "path": path,
        "epoch": None,
        "takes": Int64(0),
        "revision": Int64(0),
        "writer": None,
        "released": None,
        "registered": True,
        "stat": None,
        "seen_at": None,
        "watched_since": None,
        "told": Told().document(),
        "freshness": Freshness.UNWATCHED.value,
        "freshness_since": now,
        "drift": Int64(0),
    }
