"""One board in the live store, written by the worker that took it until another takes it.

Promises of ``LiveBoard.write``: a batch is written as a whole or not at all. A batch is written
once, however often it is tried and whatever answers are lost. Once another worker has taken the
board, nothing more is written under the old epoch, and ``Fenced`` is raised. A batch is at most
``BATCH_CHANGES`` changes and ``BATCH_BYTES`` bytes, and half of that if MongoDB can't take it. A
single change that MongoDB can't take loses its payload rather than stop the board. It does not
retry by itself: after a ``StoreError`` the caller calls ``resume``, later; what was written is not
written twice.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson.errors import BSONError
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.errors import Fenced, StoreError, StoreRefused, StoreUnavailable
from canary.model.changes import Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.observer import NOBODY, Observer, Written
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document, gap_document
from canary.stores.mongo.edits import complete
from canary.stores.writing.batches import (
    BATCH_CHANGES,
    Batch,
    Told,
    batches,
    board_update,
    freshness_update,
    node_writes,
    shown,
)
from canary.stores.writing.change_log import Entries, JobHistory, entries
from canary.stores.writing.conductors import Registrations
from canary.stores.writing.fence import Fence, Moved
from canary.stores.writing.reconcile import Differences, Found, Reconciled, Repair, repair_update
from canary.stores.writing.refused import is_aborted, is_unfit

LOG = logging.getLogger(__name__)


class LiveBoard:
    """A board that this worker has taken. Used by one greenlet at a time.

    Only ``conductors`` may be used by another. ``state`` is what was stored when the board was
    taken. ``reason`` is the reason for what happened between then and the first round. ``session``
    is the one that the board's document names, for the next taker to kill. ``histories`` are those
    of the jobs on the board, by job id.
    """

    def __init__(
        self,
        database: Database[Document],
        taken: Document,
        state: BoardState,
        reason: Reason,
        session: ClientSession,
        histories: dict[str, JobHistory],
        observer: Observer = NOBODY,
    ) -> None:
        self.path: str = taken["_id"]
        self.epoch, self.revision = int(taken["epoch"]), int(taken["revision"])
        self.state, self.reason = state, reason
        self.takes, self.registered = int(taken["takes"]), bool(taken["registered"])
        self.conductors = Registrations(database, self.path, self.epoch, self.takes)
        self._fence = Fence(database, taken, session)
        self._database, self._session, self._observer = database, session, observer
        self._watched_since: datetime | None = taken["watched_since"]
        self._told, self._histories = Told.of(state), histories
        self._pending: list[Batch] = []
        self._batch_changes = BATCH_CHANGES
        self._uncounted: list[str] = []  # repairs that are made but not counted, in words
        self._counted: list[str] = []  # repairs that are counted but not reported yet

    def write(self, steps: Sequence[Step], freshness: Freshness, now: datetime) -> None:
        """Write what ``add`` was given and ``steps``, and then the freshness, since ``now``.

        If it raises a StoreError, call ``resume`` until that returns.
        """
        self.add(steps)
        self.resume(freshness, now)

    def add(self, steps: Sequence[Step]) -> None:
        """Take ``steps``, to be written in order. Does not wait."""
        if steps:
            self._pending += batches(steps, self._batch_changes)

    def resume(self, freshness: Freshness, now: datetime) -> None:
        """Write what is left of what ``write`` and ``add`` were given."""
        while self._pending:
            part = self._pending[0]
            # Until its last batch is written, the stored board is not what ZooKeeper holds.
            shown = freshness if len(self._pending) == 1 else Freshness.CATCHING_UP
            numbered = enumerate(part.changes, self.revision + 1)
            is_first = self._watched_since is None
            made = entries(self.path, self.epoch, numbered, self._histories, found=is_first)
            try:
                with errors_as_ours():
                    self._write_once(part, made, shown, now)
            except Moved:
                self._fence.catch_up()
            except StoreError as error:
                self._observer.failed(self.path)
                if not self._shrink(part, error):
                    raise
        self._batch_changes = BATCH_CHANGES

    def _write_once(self, part: Batch, made: Entries, freshness: Freshness, now: datetime) -> None:
        """Write one batch in one transaction."""
        begun = time.monotonic()

        def insert() -> None:
            try:
                self._insert(part, made)
            except (BSONError, OverflowError, UnicodeError) as error:
                reason = f"{type(error).__name__}: {str(error)[:100]}"
                raise StoreRefused(f"MongoDB can't store these changes: {reason}") from error

        def written() -> None:
            self.revision += len(part.changes)
            self._told = self._told.after(part)
            made.remember_in(self._histories)
            self._pending.pop(0)
            self._told_of(part, made, time.monotonic() - begun)

        update = board_update(part, self._told.after(part), freshness, now)
        self._fence.commit(update, insert, written)

    def _told_of(self, part: Batch, made: Entries, seconds: float) -> None:
        """Report a batch that is written to the observer."""
        since, spent = self._watched_since, (made.waited, made.ran)
        self._observer.wrote(Written(self.path, part.changes, part.gaps, since, seconds, *spent))
        if since is None and part.closing is not None:
            self._watched_since = part.closing.seen_at

    def mark(self, freshness: Freshness, now: datetime) -> None:
        """Write only the freshness, which holds since ``now`` unless it is stored already."""
        with errors_as_ours():
            self._fence.change(freshness_update(freshness, now))

    def reconcile(
        self, state: BoardState, found: Found, now: datetime, mended: Sequence[str] = ()
    ) -> Reconciled:
        """Compare what is stored with ``state``, and repair it as far as possible.

        ``mended`` is what was wrong and is repaired already, in words, to be counted with the rest;
        it need not be passed again after this raises. Call this only when everything that led to
        ``state`` is written. Raises Fenced if another worker has the board, StoreUnavailable if the
        server that answers does not have the last write.
        """
        self._uncounted += mended
        with errors_as_ours():
            self._fence.settle()
        about = self._database, self.path, state, self._histories, found, now
        at_this = self._fence.at_this | {"revision": self.revision}
        # What was read before may be older than the last write: then it is read again.
        is_told = not (self._uncounted or self._counted or self._fence.mended)
        if found.stored and is_told and Differences(*about).are_none(found.stored, at_this):
            return Reconciled()
        differences = Differences(*about)
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            self._fence.check(differences.find(session))
        gap = Gap(found.since, now, Reason.DRIFT, 0, 0)
        for number, repair in enumerate(differences.repairs()):
            # What was shown until now was wrong; one gap says so.
            self._repair(repair, [gap] if number == 0 else [])
        if self._uncounted:
            self._repair(Repair(list(self._uncounted), only_counts=True), [])
        words = (*self._counted, *self._fence.mended)
        self._counted.clear()
        self._fence.mended.clear()
        return Reconciled(words, differences.unread)

    def _repair(self, repair: Repair, gaps: Sequence[Gap]) -> None:
        """Write and count a repair, and write the gap that it makes."""

        def insert() -> None:
            for collection, writes in (("jobs", repair.jobs), ("nodes", repair.nodes)):
                if writes:
                    self._database[collection].bulk_write(writes, session=self._session)
            self._insert_gaps(gaps)

        def written() -> None:
            self._histories |= repair.histories
            self._counted += repair.words
            if repair.only_counts:
                del self._uncounted[: len(repair.words)]

        update = repair_update(repair, gaps)
        try:
            with errors_as_ours():
                self._fence.commit(update, insert, written)
        except Moved:
            self._fence.catch_up()
            raise StoreUnavailable(
                f"{self.path}: was written in the meantime; it will be repaired later"
            ) from None

    def release(
        self,
        now: datetime,
        known_until: datetime | None,
        reason: Reason,
        *,
        registered: bool | None = None,
    ) -> None:
        """Release the board: nobody watches it from ``now`` on, until a worker takes it.

        ``known_until`` is up to when everything that happened on it is written. ``reason`` is the
        reason for what happens after that. ``registered`` is stored if it is given. Does nothing if
        another worker has the board.
        """
        fields: Document = {
            "writer": None,
            "released": reason.value,
            **shown(Freshness.UNWATCHED, now),
        }
        if registered is not None:
            fields["registered"] = registered
        if known_until is not None:
            later = {"$gt": [known_until, "$seen_at"]}
            is_known = {"$and": [{"$ne": ["$seen_at", None]}, later]}
            fields["seen_at"] = {"$cond": [is_known, known_until, "$seen_at"]}
        try:
            with errors_as_ours():
                self._fence.change([{"$set": fields}])
        except Fenced as fenced:
            LOG.debug("the board need not be released: %s", fenced, extra={"board": self.path})
        # Not if that failed: as long as the document names the session, nobody else may get it from
        # pymongo's pool, or the next taker would kill it while it is in use.
        self._session.end_session()

    def _insert(self, part: Batch, made: Entries) -> None:
        database, session = self._database, self._session
        if made.log:
            complete(database, made.log, made.posted, session)
            log = [InsertOne(document) for document in made.log]
            database.changes.bulk_write(log, ordered=False, session=session)
        jobs: list[Any] = [
            ReplaceOne({"_id": identity}, document, upsert=True)
            for identity, document in made.whole.items()
        ]
        jobs += [UpdateOne({"_id": name}, {"$set": values}) for name, values in made.fields.items()]
        if jobs:
            database.jobs.bulk_write(jobs, ordered=False, session=session)
        nodes = list(node_writes(self.path, part.changes))
        if nodes:
            database.nodes.bulk_write(nodes, ordered=False, session=session)
        self._insert_gaps(part.gaps)

    def _insert_gaps(self, gaps: Sequence[Gap]) -> None:
        # Inserted, not upserted: the board's document counts each.
        number = self._fence.number
        documents = [gap_document(self.path, number, n, gap) for n, gap in enumerate(gaps)]
        if documents:
            self._database.gaps.insert_many(documents, ordered=False, session=self._session)

    def _shrink(self, part: Batch, error: StoreError) -> bool:
        """Split the first batch if that may help; return whether to retry at once."""
        cause = error.__cause__
        # A batch that may be written already must not change, so that it is recognized.
        if self._fence.is_in_doubt or not (is_unfit(cause) or is_aborted(cause)):
            return False
        # MongoDB may also abort a single change because it is busy: no reason to cut its payload.
        smaller = part.smaller() if is_unfit(cause) or len(part.changes) > 1 else None
        if smaller is None:
            return False
        LOG.warning(
            "%d changes cannot be written in one transaction; trying fewer: %s",
            len(part.changes),
            error,
            extra={"board": self.path, "epoch": self.epoch, "revision": self.revision},
        )
        self._batch_changes = max(1, len(part.changes) // 2)
        self._pending[0:1] = smaller
        return is_unfit(cause)
