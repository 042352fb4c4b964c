"""Which conductors are registered on a board, as its watcher writes it.

Apart from the board's own writer, since it needs neither its order nor its transactions: another
greenlet may write it at any time.
"""

from collections.abc import Sequence
from datetime import datetime

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from canary.errors import Fenced, StoreRefused
from canary.model.conductors import Conductor
from canary.stores.documents import Document, conductors_document
from canary.stores.mongo import errors_as_ours


class Registrations:
    """The registered conductors of a board that was taken for the ``takes``-th time."""

    def __init__(self, database: Database[Document], path: str, epoch: int, takes: int) -> None:
        self._database = database
        self._path, self._epoch, self._takes = path, epoch, takes

    def show(self, conductors: Sequence[Conductor], now: datetime) -> None:
        """Write that these are registered ``now``. Raises Fenced where a later taker has written.

        Raises StoreUnavailable or StoreRefused where MongoDB does not take it.
        """
        document = conductors_document(self._path, self._epoch, self._takes, conductors, now)
        # By takes: epochs begin anew when the ensemble does.
        mine = {"_id": self._path, "takes": {"$not": {"$gt": self._takes}}}
        for _ in range(2):
            try:
                with errors_as_ours():
                    self._database.conductors.replace_one(mine, document, upsert=True)
            except StoreRefused as refusal:
                if not isinstance(refusal.__cause__, DuplicateKeyError):
                    raise
                # Another's document is there, a later taker's or one made this very moment.
            else:
                return
        raise Fenced(f"{self._path}: another worker has taken it")
