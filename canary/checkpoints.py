"""Taking checkpoints: each watched board's state, as committed in MongoDB, into Cassandra.

One greenlet for all boards of a worker. A board has its first checkpoint when it is taken, so that
a handover leaves one, and then one every ``[cassandra] checkpoint_interval`` seconds. Cassandra
being away, or slow, delays nothing but the checkpoints.
"""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final

from gevent.event import Event
from pymongo.database import Database

from canary.errors import StoreError
from canary.stores.documents import Document
from canary.stores.history import Header, HistoryStore
from canary.stores.mongo import errors_as_ours
from canary.watchers.reading import now

LOG = logging.getLogger(__name__)

MAX_PAUSE: Final = 1.0  # seconds between looks at which boards there are


class Checkpointer:
    """Takes the checkpoints of the boards that ``watched`` returns."""

    def __init__(
        self,
        database: Database[Document],
        history: HistoryStore,
        interval: float,
        watched: Callable[[], Collection[str]],
    ) -> None:
        self._database, self._history = database, history
        self._interval, self._watched = interval, watched
        self._due: dict[str, float] = {}  # by the monotonic clock
        self._failing = False

    def run(self, stopping: Event) -> None:
        """Take checkpoints as they fall due, until ``stopping`` is set."""
        while not stopping.wait(min(MAX_PAUSE, self._interval)):
            watched = set(self._watched())
            self._due = {path: due for path, due in self._due.items() if path in watched}
            for path in sorted(watched):
                if stopping.is_set():
                    return
                if self._due.get(path, 0.0) <= time.monotonic():
                    self._due[path] = time.monotonic() + self._interval
                    self._try(path)

    def _try(self, path: str) -> None:
        try:
            header = self.take(path)
        except StoreError as error:
            if not self._failing:
                LOG.warning("no checkpoint: %s", error, extra={"board": path})
            self._failing = True
            self._due[path] = time.monotonic() + min(self._interval, 10 * MAX_PAUSE)
        else:
            self._failing = False
            if header is not None:
                LOG.debug("checkpoint of %d jobs", header.jobs, extra={"board": path})

    def take(self, path: str) -> Header | None:
        """Take one checkpoint of the board at ``path`` now; None if it was never looked at."""
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            # All three reads see MongoDB at one moment.
            board = self._database.boards.find_one({"_id": path}, session=session)
            if board is None or board["seen_at"] is None:
                return None
            alive = {"board": path, "state": {"$in": ["UNCLAIMED", "CLAIMED"]}}
            jobs = self._database.jobs.find(alive, session=session)
            nodes = self._database.nodes.find({"board": path}, {"name": 1}, session=session)
            return self._history.write(board, jobs, (node["name"] for node in nodes), now())
