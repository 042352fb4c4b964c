"""The live store: boards, jobs and changes in MongoDB, written by whoever holds a board's epoch.

Promises of ``LiveBoard.write``: all of a slice is written or nothing of it; a slice is written
once, however often it is tried and whatever answers are lost; once another worker has taken the
board nothing more is written under the old epoch, and ``Fenced`` says so. A slice is at most
``SLICE_CHANGES`` changes and ``SLICE_BYTES`` bytes. It does not try again by itself: on
``StoreUnavailable`` the caller calls ``write`` with the same steps, later; what was written of them
is not written twice.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from bson import Int64
from pymongo import InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure

from canary.errors import Fenced, StoreRefused
from canary.model.changes import Change, Gap, Reason
from canary.model.conductors import Conductor
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.stores.documents import (
    Document,
    change_document,
    conductors_document,
    gap_document,
    job_from,
    job_writes,
    stat_from,
)
from canary.stores.mongo import errors_as_ours
from canary.stores.slices import SLICE_CHANGES, Slice, Told, board_update, node_writes, slices

LOG = logging.getLogger(__name__)

_TOO_LARGE: Final = frozenset({388, 10334})  # TransactionTooLargeForCache, BSONObjectTooLarge
_TAKE_TRIES: Final = 5


class _Moved(Exception):  # noqa: N818 -- never leaves this module
    """The board's document is not where this writer left it."""


class LiveStore:
    """MongoDB as the workers use it."""

    def __init__(self, database: Database[Document], worker: str) -> None:
        self.database = database
        self.worker = worker

    def beat(self, started_at: datetime, host: str, pid: int) -> None:
        """Write this worker's heartbeat, by MongoDB's clock."""
        fields = {"beat": "$$NOW", "started_at": started_at, "host": {"$literal": host}, "pid": pid}
        with errors_as_ours():
            self.database.workers.update_one({"_id": self.worker}, [{"$set": fields}], upsert=True)

    def retire(self) -> None:
        """Remove this worker's heartbeat: it ends, and watches nothing any more."""
        with errors_as_ours():
            self.database.workers.delete_one({"_id": self.worker})

    def forget_all_but(self, paths: Collection[str], zxid: int, now: datetime) -> None:
        """Note that only the boards at ``paths`` were registered when ZooKeeper was at ``zxid``.

        A board that was taken after that is left alone: it has been registered anew.
        """
        gone = {
            "registered": False,
            "writer": None,
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

    def take(
        self, path: str, epoch: int, is_mine: Callable[[], bool], now: datetime
    ) -> "LiveBoard":
        """Take the board at ``path`` for this worker, under ``epoch``.

        ``is_mine`` reads back from ZooKeeper whether this worker still holds the watch job's lock;
        it is asked after the board's document was read and before it is taken, so that who was
        frozen in between takes nothing. Whoever wrote before is stopped first: its MongoDB session
        is killed, and with it a transaction that it may have left open. Raises Fenced where the
        board is another's, StoreUnavailable where MongoDB does not answer.
        """
        for _ in range(_TAKE_TRIES):
            with errors_as_ours():
                board = self._try_take(path, epoch, is_mine, now)
            if board is not None:
                return board
        raise Fenced(f"{path}: other workers keep taking it; is its watch job claimed twice?")

    def _try_take(
        self, path: str, epoch: int, is_mine: Callable[[], bool], now: datetime
    ) -> "LiveBoard | None":
        boards = self.database.boards
        before = boards.find_one({"_id": path})
        if before is None:
            try:
                boards.insert_one(_new_board(path, now))
            except DuplicateKeyError:
                LOG.debug("another worker made the document of %s first", path)
            return None
        writer = before["writer"]
        if writer and writer["lsid"]:
            self.database.client.admin.command("killSessions", [{"id": writer["lsid"]}])
        if not is_mine():
            raise Fenced(f"{path}: the claim on its watch job is lost")
        session = self.database.client.start_session()
        taken = {
            "epoch": Int64(epoch),
            "registered": True,
            "writer": {"worker": self.worker, "lsid": session.session_id["id"]},
            "freshness": Freshness.CATCHING_UP.value,
            "freshness_since": now,
        }
        after = boards.find_one_and_update(
            {"_id": path, "epoch": before["epoch"], "writer": writer},
            {"$set": taken},
            return_document=ReturnDocument.AFTER,
        )
        if after is None:
            session.end_session()
            return None
        jobs = self.database.jobs.find(
            {"board": path, "state": {"$in": ["UNCLAIMED", "CLAIMED"]}}, {"payload": 0}
        )
        nodes = self.database.nodes.find({"board": path}, {"name": 1})
        told = after["told"]
        state = BoardState.restore(
            stat_from(after["stat"]),
            after["seen_at"],
            (job_from(document) for document in jobs),
            (document["name"] for document in nodes),
            told=(told["creates"], told["deletes"]),
            told_incarnation=told["incarnation"],
        )
        reason = Reason.RESTART if writer else Reason.HANDOVER
        if before["epoch"] is not None and before["epoch"] > epoch:
            reason = Reason.ERA
        return LiveBoard(self.database, path, epoch, int(after["revision"]), state, reason, session)


class LiveBoard:
    """A board that this worker has taken. Used by one greenlet at a time.

    ``state`` is what was stored when it was taken; ``reason`` is what to blame for what happened
    between then and the first look.
    """

    def __init__(
        self,
        database: Database[Document],
        path: str,
        epoch: int,
        revision: int,
        state: BoardState,
        reason: Reason,
        session: ClientSession,
    ) -> None:
        self.path, self.epoch, self.revision = path, epoch, revision
        self.state, self.reason = state, reason
        self._database, self._session = database, session
        self._told = Told.of(state)
        self._pending: list[Slice] = []
        self._slice_changes = SLICE_CHANGES

    def write(self, steps: Sequence[Step], freshness: Freshness, now: datetime) -> None:
        """Write what ``steps`` say, in order, and then the board's freshness since ``now``.

        Where it raises StoreUnavailable, call ``resume`` until that returns.
        """
        self._pending += slices(steps, self._slice_changes)
        self.resume(freshness, now)

    def resume(self, freshness: Freshness, now: datetime) -> None:
        """Write what is left of what ``write`` was given."""
        while self._pending:
            part = self._pending[0]
            # Until the last slice is there the board is not what ZooKeeper holds, and says so.
            shown = freshness if len(self._pending) == 1 else Freshness.CATCHING_UP
            try:
                with errors_as_ours():
                    self._write_once(part, shown, now)
            except _Moved:
                with errors_as_ours():
                    self._check_written(part)
            except StoreRefused as refusal:
                self._halve(part, refusal)
                continue
            self.revision += len(part.changes)
            self._told = self._told.after(part)
            self._pending.pop(0)
        self._slice_changes = SLICE_CHANGES

    def mark(self, freshness: Freshness, now: datetime) -> None:
        """Write only the freshness, with the moment since when it is so."""
        fields = {"freshness": freshness.value, "freshness_since": now}
        mine = {"_id": self.path, "epoch": self.epoch}
        with errors_as_ours():
            self._database.boards.update_one(
                mine | {"freshness": {"$ne": freshness.value}}, {"$set": fields}
            )

    def show_conductors(self, conductors: Sequence[Conductor], now: datetime) -> None:
        """Write which conductors are registered on the board, unless a later epoch has."""
        document = conductors_document(self.path, self.epoch, conductors, now)
        mine = {"_id": self.path, "epoch": {"$lte": self.epoch}}
        try:
            with errors_as_ours():
                self._database.conductors.replace_one(mine, document, upsert=True)
        except StoreRefused as refusal:
            # The upsert met the document of a later epoch.
            if not isinstance(refusal.__cause__, DuplicateKeyError):
                raise

    def release(self, now: datetime) -> None:
        """Give the board up: nobody watches it from ``now`` on, until somebody takes it."""
        fields = {
            "writer": None,
            "freshness": Freshness.UNWATCHED.value,
            "freshness_since": now,
        }
        mine = {"_id": self.path, "epoch": self.epoch}
        try:
            with errors_as_ours():
                self._database.boards.update_one(mine, {"$set": fields})
        finally:
            self._session.end_session()

    def _write_once(self, part: Slice, freshness: Freshness, now: datetime) -> None:
        """Write one slice in one transaction that checks epoch and revision."""
        mine = {"_id": self.path, "epoch": self.epoch, "revision": self.revision}
        with self._session.start_transaction():
            update = board_update(part, self._told.after(part), freshness, now)
            result = self._database.boards.update_one(mine, update, session=self._session)
            if result.matched_count == 0:
                raise _Moved
            numbered = list(enumerate(part.changes, self.revision + 1))
            self._insert(numbered, part.gaps)

    def _insert(self, numbered: list[tuple[int, Change]], gaps: Sequence[Gap]) -> None:
        database, session = self._database, self._session
        if numbered:
            log = [
                InsertOne(change_document(self.path, self.epoch, revision, change))
                for revision, change in numbered
            ]
            database.changes.bulk_write(log, ordered=False, session=session)
        whole, fields = job_writes(self.path, numbered)
        jobs: list[Any] = [
            ReplaceOne({"_id": identity}, document, upsert=True)
            for identity, document in whole.items()
        ]
        jobs += [
            UpdateOne({"_id": identity}, {"$set": values}) for identity, values in fields.items()
        ]
        if jobs:
            database.jobs.bulk_write(jobs, ordered=False, session=session)
        nodes = list(node_writes(self.path, [change for _, change in numbered]))
        if nodes:
            database.nodes.bulk_write(nodes, ordered=True, session=session)
        if gaps:
            last = numbered[-1][0] if numbered else self.revision
            documents = [gap_document(self.path, last, n, gap) for n, gap in enumerate(gaps)]
            database.gaps.bulk_write(
                [ReplaceOne({"_id": gap["_id"]}, gap, upsert=True) for gap in documents],
                session=session,
            )

    def _check_written(self, part: Slice) -> None:
        """Return if ``part`` was written and only the answer lost; else raise."""
        found = self._database.boards.find_one({"_id": self.path}, {"epoch": 1, "revision": 1})
        if found is None or found["epoch"] != self.epoch:
            raise Fenced(f"{self.path}: another worker has taken it")
        if found["revision"] != self.revision + len(part.changes):
            raise Fenced(
                f"{self.path}: at revision {found['revision']}, left at {self.revision}:"
                " somebody else wrote under this worker's epoch"
            )

    def _halve(self, part: Slice, refusal: StoreRefused) -> None:
        cause = refusal.__cause__
        too_large = isinstance(cause, DocumentTooLarge) or (
            isinstance(cause, OperationFailure) and cause.code in _TOO_LARGE
        )
        if not too_large or len(part.changes) <= 1:
            raise refusal
        self._slice_changes = len(part.changes) // 2
        LOG.warning(
            "a slice of %d changes is too large for MongoDB, trying half of it",
            len(part.changes),
            extra={"board": self.path},
        )
        half = self._slice_changes
        self._pending[0:1] = [
            Slice(part.changes[:half], (), None),
            Slice(part.changes[half:], part.gaps, part.closing),
        ]


def _new_board(path: str, now: datetime) -> Document:
    return {
        "_id": path,
        "path": path,
        "epoch": None,
        "revision": Int64(0),
        "writer": None,
        "registered": True,
        "stat": None,
        "seen_at": None,
        "watched_since": None,
        "told": Told().document(),
        "freshness": Freshness.UNWATCHED.value,
        "freshness_since": now,
    }
