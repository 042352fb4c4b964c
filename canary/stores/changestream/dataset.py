"""The data set that a position in MongoDB's log belongs to, and its mark.

The collection ``dataset`` holds one document with a random number, created once. The mark is a hash
of that document, of the collection's own uuid, and of the replica set's name. A restored dump
contains the document, but its collection is another one. So an id that was given before a restore
is recognised as such, and so is one of a database that was dropped and created again.

Promises: processes that read the mark at the same time read the same one, whoever created it. If
the document is removed or changed by hand, the mark changes. No position with this mark was ever
given before ``since``.

Does not distinguish two replica sets of one name that began with copies of the same files.
"""

import hashlib
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import bson
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from canary.errors import StoreRefused
from canary.stores.mongo.client import UNAUTHORIZED, errors_as_ours
from canary.stores.mongo.documents import Document

LOG = logging.getLogger(__name__)

COLLECTION: Final = "dataset"
MARK_LENGTH: Final = 16  # hexadecimal digits: 64 bits, so no two are equal by chance
_IDENTITY: Final = "dataset"  # of the only document


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set's ``mark``, and a moment of MongoDB's log that is older than it, if known."""

    mark: str
    since: Timestamp | None = None


class DataSets:
    """Reads the mark of a database, and creates it if there is none."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._own: DataSet | None = None  # of this process alone, if it may not write

    def read(self) -> DataSet:
        """Return the data set. Raises StoreUnavailable and StoreRefused."""
        found = find(self._database)
        if found is None and self._own is None:
            self._make()
            found = find(self._database)
        if found is None:
            self._own = self._own or DataSet(secrets.token_hex(MARK_LENGTH // 2))
            return self._own
        self._own = None
        return found

    def _make(self) -> None:
        document = {"random": secrets.token_hex(16), "since": latest(self._database)}
        try:
            # If another process creates it at the same moment, its document serves as well.
            with errors_as_ours(), suppress(DuplicateKeyError):
                self._database[COLLECTION].update_one(
                    {"_id": _IDENTITY}, {"$setOnInsert": document}, upsert=True
                )
        except StoreRefused as refusal:
            if getattr(refusal.__cause__, "code", None) != UNAUTHORIZED:
                raise
            LOG.warning(
                "Canary can't write its mark to the collection dataset, so ids of the event stream "
                "are valid for this process only: %s",
                refusal,
            )


def find(database: Database[Document]) -> DataSet | None:
    """Return the data set, or None if it has no mark. Raises the same."""
    with errors_as_ours():
        infos = list(database.list_collections(filter={"name": COLLECTION}))
        marks = database.get_collection(COLLECTION, read_concern=ReadConcern("majority"))
        document = marks.find_one({"_id": _IDENTITY})
        if document is None or not infos:
            return None
        name = database.client.admin.command("hello").get("setName", "")
    uuid = infos[0].get("info", {}).get("uuid", b"")
    text = b"\0".join((bson.encode(document), bytes(uuid), str(name).encode()))
    since = document.get("since")
    mark = hashlib.sha256(text).hexdigest()[:MARK_LENGTH].upper()
    return DataSet(mark, since if isinstance(since, Timestamp) else None)


def latest(database: Database[Document]) -> Timestamp | None:
    """Return when MongoDB's last operation was."""
    with errors_as_ours():
        moment: Timestamp | None = database.command("ping").get("operationTime")
    return moment
