"""One board in the live store, written by whoever took it, as long as nobody else does.

Promises of ``LiveBoard.write``: all of a slice is written or nothing of it; a slice is written
once, however often it is tried and whatever answers are lost; once another worker has taken the
board nothing more is written under the old epoch, and ``Fenced`` says so. A slice is at most
``SLICE_CHANGES`` changes and ``SLICE_BYTES`` bytes, and half of that where MongoDB can't take it;
a single change that MongoDB can't take loses its payload rather than stop the board. It does not
try again by itself: on a ``StoreError`` the caller calls ``resume``, later; what was written is not
written twice.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import Int64
from bson.errors import BSONError
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from canary.errors import Fenced, StoreError, StoreRefused, StoreUnavailable
from canary.model.changes import Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.observer import NOBODY, Observer, Written
from canary.stores.conductors import Registrations
from canary.stores.documents import Document, gap_document, has
from canary.stores.entries import Entries, Past, entries
from canary.stores.mending import Differences, Found, Mending
from canary.stores.mongo import errors_as_ours
from canary.stores.slices import (
    SLICE_CHANGES,
    Slice,
    Told,
    board_update,
    freshness_update,
    node_writes,
    slices,
)
from canary.stores.unfit import is_aborted, is_unfit

LOG = logging.getLogger(__name__)


class _Moved(Exception):  # noqa: N818 -- never leaves this module
    """The board's document is not where this writer left it."""


class LiveBoard:
    """A board that this worker has taken. Used by one greenlet at a time.

    ``conductors`` alone may be another's. ``state`` is what was stored when it was taken;
    ``reason`` is what to blame for what happened between then and the first look. ``session`` is
    the one that the board's document names, for the next taker to kill; ``pasts`` are those of the
    jobs on the board, by job id.
    """

    def __init__(
        self,
        database: Database[Document],
        taken: Document,
        state: BoardState,
        reason: Reason,
        session: ClientSession,
        pasts: dict[str, Past],
        observer: Observer = NOBODY,
    ) -> None:
        self.path: str = taken["_id"]
        self.epoch, self.revision = int(taken["epoch"]), int(taken["revision"])
        self.state, self.reason = state, reason
        self.takes, self.registered = int(taken["takes"]), bool(taken["registered"])
        self.conductors = Registrations(database, self.path, self.epoch, self.takes)
        # The epoch alone would let in a second run under the same claim.
        self._mine = {
            "_id": self.path,
            "epoch": Int64(self.epoch),
            "takes": Int64(self.takes),
        }
        self._database, self._session, self._observer = database, session, observer
        self._watched_since: datetime | None = taken["watched_since"]
        self._told, self._pasts = Told.of(state), pasts
        self._pending: list[Slice] = []
        self._slice_changes = SLICE_CHANGES
        self._in_doubt = False  # the first of them may be written, only the answer was lost

    def write(self, steps: Sequence[Step], freshness: Freshness, now: datetime) -> None:
        """Write what ``steps`` say, in order, and then the board's freshness since ``now``.

        Where it raises a StoreError, call ``resume`` until that returns.
        """
        self._pending += slices(steps, self._slice_changes)
        self.resume(freshness, now)

    def resume(self, freshness: Freshness, now: datetime) -> None:
        """Write what is left of what ``write`` was given."""
        while self._pending:
            part, begun = self._pending[0], time.monotonic()
            # Until the last slice is there the board is not what ZooKeeper holds, and says so.
            shown = freshness if len(self._pending) == 1 else Freshness.CATCHING_UP
            numbered = enumerate(part.changes, self.revision + 1)
            is_first = self._watched_since is None
            made = entries(self.path, self.epoch, numbered, self._pasts, found=is_first)
            try:
                with errors_as_ours():
                    self._write_once(part, made, shown, now)
            except _Moved:
                self._check_written(part)
            except StoreError as error:
                self._observer.failed(self.path)
                if not self._shrink(part, error):
                    raise
                continue
            self._in_doubt = False
            self.revision += len(part.changes)
            self._told = self._told.after(part)
            made.remember_in(self._pasts)
            self._pending.pop(0)
            self._told_of(part, made, time.monotonic() - begun)
        self._slice_changes = SLICE_CHANGES

    def _told_of(self, part: Slice, made: Entries, seconds: float) -> None:
        """Tell the observer of a slice that is written."""
        since, spent = self._watched_since, (made.waited, made.ran)
        self._observer.wrote(Written(self.path, part.changes, part.gaps, since, seconds, *spent))
        if since is None and part.closing is not None:
            self._watched_since = part.closing.seen_at

    def mark(self, freshness: Freshness, now: datetime) -> None:
        """Write only the freshness, since ``now`` unless it is so already."""
        update = freshness_update(freshness, now)
        # In the session, here and in release: that ends a transaction which a lost connection has
        # left open there, and which would hold the document for a minute.
        with errors_as_ours():
            found = self._database.boards.update_one(self._mine, update, session=self._session)
        if found.matched_count == 0:
            raise self._fenced()

    def reconcile(
        self, state: BoardState, found: Found, now: datetime, mended: Sequence[str] = ()
    ) -> list[str]:
        """Compare what is stored with ``state``, mend it, and return what was wrong, in words.

        ``mended`` is what was wrong and is mended already, to be counted with the rest. To be
        called only when all is written that led to ``state``. Raises Fenced where another worker
        has the board, StoreUnavailable where a server answers that does not know what was written.
        """
        about = self._database, self.path, state, self._pasts, found, now
        at_this = self._mine | {"revision": self.revision}
        # What was read before may be older than what was written last: then it is read again.
        if found.stored and not mended and Differences(*about).are_none(found.stored, at_this):
            return []
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            differences = Differences(*about)
            board = differences.find(session)
            if not has(board, self._mine):
                raise self._fenced()
            if board["revision"] != self.revision:
                raise StoreUnavailable(f"{self.path}: MongoDB answers as of before the last write")
        words, gap = list(mended), Gap(found.since, now, Reason.DRIFT, 0, 0)
        for number, mending in enumerate(differences.mendings()):
            # Until now something else was shown; that is said once.
            self._mend(mending, [gap] if number == 0 else [])
            words += mending.words
        if mended:
            self._mend(Mending(list(mended)), [])
        return words

    def _mend(self, mending: Mending, gaps: Sequence[Gap]) -> None:
        """Write what mends something, count it, and write the gap that it makes."""
        mine = self._mine | {"revision": self.revision}
        counts = {"drift": Int64(len(mending.words)), "missed.gaps.drift": Int64(len(gaps))}
        update: Document = {"$inc": {name: count for name, count in counts.items() if count}}
        if mending.board:
            update["$set"] = mending.board
        with errors_as_ours(), self._session.start_transaction():
            found = self._database.boards.update_one(mine, update, session=self._session)
            if found.matched_count == 0:
                raise self._fenced()
            for collection, writes in (("jobs", mending.jobs), ("nodes", mending.nodes)):
                if writes:
                    self._database[collection].bulk_write(writes, session=self._session)
            self._insert_gaps(gaps, self.revision)
        self._pasts |= mending.pasts

    def release(self, now: datetime, known_until: datetime | None, reason: Reason) -> None:
        """Give the board up: nobody watches it from ``now`` on, until somebody takes it.

        ``known_until`` is up to when all that happened on it is written; ``reason`` is to blame for
        what happens after it.
        """
        fields: Document = {
            "writer": None,
            "released": reason.value,
            "freshness": Freshness.UNWATCHED.value,
            "freshness_since": now,
        }
        if known_until is not None:
            later = {"$gt": [known_until, "$seen_at"]}
            is_known = {"$and": [{"$ne": ["$seen_at", None]}, later]}
            fields["seen_at"] = {"$cond": [is_known, known_until, "$seen_at"]}
        with errors_as_ours():
            self._database.boards.update_one(self._mine, [{"$set": fields}], session=self._session)
        # Not where that failed: as long as the document names the session nobody else may get it
        # from pymongo's pool, or the next taker would kill it under their hands.
        self._session.end_session()

    def _write_once(self, part: Slice, made: Entries, freshness: Freshness, now: datetime) -> None:
        """Write one slice in one transaction that checks epoch and revision."""
        left = self._mine | {"revision": self.revision}
        with self._session.start_transaction():
            update = board_update(part, self._told.after(part), freshness, now)
            result = self._database.boards.update_one(left, update, session=self._session)
            if result.matched_count == 0:
                raise _Moved
            # No earlier try of this slice was committed, and none can be any more.
            self._in_doubt = False
            try:
                self._insert(part, made)
            except (BSONError, OverflowError, UnicodeError) as error:
                reason = f"{type(error).__name__}: {str(error)[:100]}"
                raise StoreRefused(f"MongoDB can't hold what is to be written: {reason}") from error
            self._in_doubt = True
            try:
                self._session.commit_transaction()
            except OperationFailure as error:
                self._in_doubt = error.has_error_label("UnknownTransactionCommitResult")
                raise

    def _insert(self, part: Slice, made: Entries) -> None:
        database, session = self._database, self._session
        if made.log:
            log = [InsertOne(document) for document in made.log]
            database.changes.bulk_write(log, ordered=False, session=session)
        jobs: list[Any] = [
            ReplaceOne({"_id": identity}, document, upsert=True)
            for identity, document in made.whole.items()
        ]
        jobs += [
            UpdateOne({"_id": identity}, {"$set": values})
            for identity, values in made.fields.items()
        ]
        if jobs:
            database.jobs.bulk_write(jobs, ordered=False, session=session)
        nodes = list(node_writes(self.path, part.changes))
        if nodes:
            database.nodes.bulk_write(nodes, ordered=False, session=session)
        self._insert_gaps(part.gaps, self.revision + len(part.changes))

    def _insert_gaps(self, gaps: Sequence[Gap], revision: int) -> None:
        documents = [gap_document(self.path, revision, n, gap) for n, gap in enumerate(gaps)]
        if documents:
            self._database.gaps.bulk_write(
                [ReplaceOne({"_id": gap["_id"]}, gap, upsert=True) for gap in documents],
                ordered=False,
                session=self._session,
            )

    def _check_written(self, part: Slice) -> None:
        """Return if ``part`` was written and only the answer lost; else raise."""
        # Linearizable: a primary that was replaced and does not know it yet must not answer.
        boards = self._database.boards.with_options(read_concern=ReadConcern("linearizable"))
        with errors_as_ours():
            found = boards.find_one({"_id": self.path}, [*self._mine, "revision"])
        if not has(found, self._mine):
            raise self._fenced()
        if found["revision"] == self.revision:
            raise StoreUnavailable(f"{self.path}: MongoDB took back a write, it has a new primary")
        if not self._in_doubt or found["revision"] != self.revision + len(part.changes):
            raise Fenced(
                f"{self.path}: at revision {found['revision']}, left at {self.revision}:"
                " somebody else wrote under this worker's epoch"
            )

    def _fenced(self) -> Fenced:
        return Fenced(f"{self.path}: another worker has taken it")

    def _shrink(self, part: Slice, error: StoreError) -> bool:
        """Make the first slice smaller where that may help; tell whether to try again at once."""
        cause = error.__cause__
        # One that may be written already must stay what it is, to be recognized.
        if self._in_doubt or not (is_unfit(cause) or is_aborted(cause)):
            return False
        # MongoDB may have aborted it for what else there was to do, so that is no reason to cut it.
        smaller = part.smaller() if is_unfit(cause) or len(part.changes) > 1 else None
        if smaller is None:
            return False
        LOG.warning(
            "%d changes can't be written at once, trying less: %s",
            len(part.changes),
            error,
            extra={"board": self.path, "epoch": self.epoch, "revision": self.revision},
        )
        self._slice_changes = max(1, len(part.changes) // 2)
        self._pending[0:1] = smaller
        return is_unfit(cause)
