"""How long a change takes from ZooKeeper to MongoDB, by the two servers' own clocks.

From the `ctime` that ZooKeeper gave the znode (a job's, or its lock's), which Canary stores as
`changes.at`, to the `wallTime` with which MongoDB committed the change, as its change stream tells
it. Both are whole milliseconds, cut off, so one sample is right within 1 ms either way. The clocks
are one clock here, as both servers run on one machine.
"""

import threading
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from pymongo.change_stream import CollectionChangeStream
from pymongo.database import Database
from pymongo.errors import PyMongoError

Document = dict[str, Any]

AWAIT = 200  # milliseconds for which MongoDB holds a call open when there is nothing to tell
JOIN_LIMIT = 5.0  # seconds
_MILLISECOND = timedelta(milliseconds=1)


class Latency(threading.Thread):
    """Follows the change stream from `open` to `close`, and keeps the samples."""

    def __init__(self, database: Database[Document], boards: Collection[str]) -> None:
        super().__init__(name="latency", daemon=True)
        self._changes = database.changes
        self._match = {
            "operationType": "insert",
            "fullDocument.board": {"$in": sorted(boards)},
            "fullDocument.kind": {"$in": ["posted", "claimed"]},
            "fullDocument.at": {"$ne": None},
        }
        self._ending = threading.Event()
        self._stream: CollectionChangeStream[Document] | None = None
        self.samples: list[float] = []  # milliseconds
        self.failure: str | None = None

    def open(self) -> None:
        """Open the stream: what is written from now on is told."""
        self._stream = self._changes.watch([{"$match": self._match}], max_await_time_ms=AWAIT)
        self.start()

    def run(self) -> None:
        """Follow the stream."""
        assert self._stream is not None  # noqa: S101 - open made it
        try:
            with self._stream as stream:
                while not self._ending.is_set():
                    if (event := stream.try_next()) is not None:
                        self._take(event)
        except PyMongoError as error:
            self.failure = str(error)

    def close(self) -> None:
        """Stop following."""
        self._ending.set()
        if self.is_alive():
            self.join(JOIN_LIMIT)

    def _take(self, event: Document) -> None:
        self.samples.append((event["wallTime"] - event["fullDocument"]["at"]) / _MILLISECOND)
