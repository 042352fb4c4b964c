"""The only way in which the worker that has taken a board changes its document in MongoDB.

The document's ``writes`` is the number of the write that changed it last. Every write (of changes,
gaps, a repair, the freshness or the release) takes the next number that its writer has not used. In
one atomic step, it changes the document only if ``writes`` is what the writer left there, under its
own epoch and its own take. So if the answers to several tries were lost, at most one of them was
done, and ``writes`` tells which.

Promises: nothing is written twice, and nothing once another worker has taken the board; then
``Fenced`` is raised. A try that may have been done is never treated as one that was not.

All writes of one fence use one MongoDB session. A later write there ends a transaction that an
earlier one has left open, which could otherwise be committed late, or hold the document for a
minute.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from canary.errors import Fenced, StoreUnavailable
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document, has

LOG = logging.getLogger(__name__)

COUNTER: Final = "the board's counter of writes"
_IS_WHOLE: Final[Document] = {"$in": [{"$type": "$writes"}, ["int", "long"]]}
#: Matches documents whose counter somebody removed or replaced by something else.
NO_COUNTER: Final[Document] = {"$expr": {"$not": [{"$and": [_IS_WHOLE, {"$gte": ["$writes", 0]}]}]}}


class Moved(Exception):  # noqa: N818 -- never leaves canary.stores
    """The board's document is not as this writer left it."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A transaction that may be committed; only the answer was lost."""

    number: int
    written: Callable[[], None]


def is_counter(value: Any) -> bool:
    """Return whether ``value`` is a valid ``writes``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Fence:
    """The fence of one ``taken`` board's document; used by one greenlet at a time."""

    def __init__(
        self, database: Database[Document], taken: Document, session: ClientSession
    ) -> None:
        self.path: str = taken["_id"]
        # The epoch alone would admit a second run under the same claim.
        self.mine = {
            "_id": self.path,
            "epoch": Int64(taken["epoch"]),
            "takes": Int64(taken["takes"]),
        }
        self._boards, self._session = database.boards, session
        self._known = int(taken["writes"])  # number of the last write known to be done
        self._last = self._known  # the last number that was used
        self._doubt: _Doubt | None = None
        self.mended: list[str] = []  # what was repaired in the document and not reported yet

    @property
    def number(self) -> int:
        """The number of the write that is being tried."""
        return self._last

    @property
    def at_this(self) -> Document:
        """The values of the board's document after the last write that is known to be done."""
        return self.mine | {"writes": Int64(self._known)}

    @property
    def is_in_doubt(self) -> bool:
        """Whether a transaction may have been committed without this being known."""
        return self._doubt is not None

    def change(self, stages: Sequence[Document]) -> None:
        """Change the document by ``stages`` of a pipeline, which must be safe to repeat.

        Raises pymongo's errors, Fenced, and StoreUnavailable.
        """
        while True:
            try:
                self._try(stages)
            except Moved:
                self.catch_up()
                continue
            self._known = self._last
            return

    def commit(
        self, stages: Sequence[Document], rest: Callable[[], None], written: Callable[[], None]
    ) -> None:
        """Change the document by ``stages``, and do ``rest`` in the same transaction.

        ``written`` is called once, when this is known to be committed: now, or, if the answer was
        lost, when a later call finds it out. Raises pymongo's errors, what ``rest`` raises, and
        Moved; after Moved call ``catch_up``.
        """
        with self._session.start_transaction():
            self._try(stages)
            rest()
            number = self._last
            self._doubt = _Doubt(number, written)
            try:
                self._session.commit_transaction()
            except OperationFailure as error:
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    self._doubt = None
                raise
        self._settle(number)

    def settle(self) -> None:
        """Return when nothing is in doubt. Raises as ``change`` does."""
        if self._doubt is not None:
            self.change([])

    def catch_up(self) -> None:
        """Find out which try of this writer was done although its answer was lost.

        Raises Fenced if the document holds none of this writer's tries, StoreUnavailable if that is
        not known yet.
        """
        # Linearizable: a primary that was replaced and does not know it yet must not answer.
        boards = self._boards.with_options(read_concern=ReadConcern("linearizable"))
        with errors_as_ours():
            found = boards.find_one({"_id": self.path}, [*self.mine, "writes"])
        if self._recognise(found) == self._known:
            raise StoreUnavailable(
                f"{self.path}: MongoDB has a new primary, which rolled back a write"
            )
        self._go_on_from(found)

    def check(self, found: Document | None) -> None:
        """Return if ``found``, the document as read just now, is as this writer left it.

        Nothing may be in doubt. Raises StoreUnavailable if it is older, Fenced if it is another's.
        """
        number = self._recognise(found)
        if number is not None and number < self._known:
            raise StoreUnavailable(f"{self.path}: MongoDB returned data from before the last write")
        self._go_on_from(found)

    def _try(self, stages: Sequence[Document]) -> None:
        """Change the document; raise Moved if it is not as this writer left it."""
        left = self.at_this
        self._last += 1
        numbered = [*stages, {"$set": {"writes": Int64(self._last)}}]
        if self._boards.update_one(left, numbered, session=self._session).matched_count == 0:
            raise Moved
        # No earlier try was committed, and none can be any more.
        self._doubt = None

    def _recognise(self, found: Document | None) -> int | None:
        """Return the counter in ``found``, or None if somebody removed it.

        Raises Fenced if the document is another worker's.
        """
        if not has(found, self.mine):
            raise Fenced(f"{self.path}: another worker has taken it")
        number: Any = found.get("writes")
        return int(number) if is_counter(number) else None

    def _go_on_from(self, found: Document | None) -> None:
        number = self._recognise(found)
        if number is None:
            self._put_back()
        elif self._known <= number <= self._last:
            self._settle(number)
        else:
            raise Fenced(
                f"{self.path}: its document is at write {number}, not {self._known} as this worker"
                " left it: something else wrote under this worker's epoch"
            )

    def _settle(self, number: int) -> None:
        """Continue from write ``number``, which was done; no later one was."""
        if number == self._known:
            return
        doubt, self._doubt = self._doubt, None
        self._known = number
        if doubt is not None and doubt.number == number:
            doubt.written()

    def _put_back(self) -> None:
        """Put the counter back into a document from which somebody removed it."""
        if self._doubt is not None:
            raise Fenced(
                f"{self.path}: the counter of writes is missing from its document, so it is not"
                " known whether the last write succeeded: the board has to be taken again"
            )
        self._last += 1
        stages: list[Document] = [
            {"$set": {"writes": Int64(self._last), "drift": added("drift", 1)}}
        ]
        with errors_as_ours():
            found = self._boards.update_one(self.mine | NO_COUNTER, stages)
        if found.matched_count == 0:
            raise StoreUnavailable(f"{self.path}: something else changes its counter of writes")
        LOG.error(
            "%s was missing in MongoDB and has been restored", COUNTER, extra={"board": self.path}
        )
        self.mended.append(COUNTER)
        self._known = self._last


def added(name: str, count: int) -> Document:
    """Return the pipeline expression that adds ``count`` to a field, which may be absent."""
    return {"$add": [{"$ifNull": [f"${name}", Int64(0)]}, Int64(count)]}
