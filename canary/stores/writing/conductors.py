"""The conductors that are registered on a board, as its watcher writes them.

This is apart from the board's own writer, since it needs neither its order nor its transactions:
another greenlet may write it at any time.
"""

from collections.abc import Sequence
from datetime import datetime

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from canary.errors import Fenced, StoreRefused
from canary.model.conductors import Conductor
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document, conductors_document


class Registrations:
    """The registered conductors of a board that was taken for the ``takes``-th time."""

    def __init__(self, database: Database[Document], path: str, epoch: int, takes: int) -> None:
        self._database = database
        self._path, self._epoch, self._takes = path, epoch, takes

    def show(self, conductors: Sequence[Conductor], now: datetime, *, whole: bool = True) -> None:
        """Write that these conductors are registered ``now``.

        ``whole`` is whether they are all; it is false if an ACL hides some. Raises Fenced if a
        later taker has written, StoreUnavailable or StoreRefused if MongoDB does not accept it.
        """
        document = conductors_document(self._path, self._epoch, self._takes, conductors, now)
        document["whole"] = whole
        # By takes, because epochs start again when the ensemble is rebuilt.
        mine = {"_id": self._path, "takes": {"$not": {"$gt": self._takes}}}
        for _ in range(2):
            try:
                with errors_as_ours():
                    self._database.conductors.replace_one(mine, document, upsert=True)
            except StoreRefused as refusal:
                if not isinstance(refusal.__cause__, DuplicateKeyError):
                    raise
                # There is another document: a later taker's, or one that was created this very
                # moment.
            else:
                return
        raise Fenced(f"{self._path}: another worker has taken it")
