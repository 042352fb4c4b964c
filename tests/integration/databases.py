"""Databases of MongoDB that tests share, one after the other.

To make Canary's collections and indexes takes longer than most tests do, and to drop them as long
again. A database that was lent is emptied, and lent again, unless a test has changed more of it
than documents.
"""

import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from canary.config import MongoOptions
from canary.stores.changestream.dataset import COLLECTION as DATA_SET
from canary.stores.mongo.client import ensure_schema

Schema = dict[str, MutableMapping[str, Any]]  # of each collection, its indexes


class Databases:
    """The databases of one test run, dropped at its end."""

    def __init__(self, uri: str) -> None:
        self._options = MongoOptions(uri=uri)
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri, tz_aware=True)
        self._made: list[str] = []
        self._free: list[str] = []

    def __enter__(self) -> "Databases":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in self._made:
            self._client.drop_database(name)
        self._client.close()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Lend an empty database; give its name."""
        if not self._free:
            self._make()
        name = self._free.pop()
        database = self._client[name]
        before = _schema(database)
        yield name
        after = _schema(database)
        if not before.items() <= after.items() or after.keys() - before.keys() - {DATA_SET}:
            self._client.drop_database(name)
            return
        empty(database)
        self._free.append(name)

    def _make(self) -> None:
        name = f"t{uuid.uuid4().hex[:12]}"
        ensure_schema(self._client[name], self._options)
        self._made.append(name)
        self._free.append(name)


def empty(database: Database[dict[str, Any]]) -> None:
    """Delete all documents of a database that nobody uses.

    Whoever was killed, or cut off, in the midst of a transaction would keep them for a minute.
    """
    database.client.admin.command("killAllSessions", [])
    for name in database.list_collection_names():
        database[name].delete_many({})


def _schema(database: Database[dict[str, Any]]) -> Schema:
    return {name: database[name].index_information() for name in database.list_collection_names()}
