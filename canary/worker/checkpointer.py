"""Takes checkpoints: each watched board's state, as committed in MongoDB, goes into Cassandra.

One greenlet does this for all boards of a worker. A board has its first checkpoint when it is
taken, so that a handover leaves one, or after its first round if that is later, and then one every
``[cassandra] checkpoint_interval`` seconds. Cassandra is made ready at the start, before there is a
board, so that a refusal is logged then. If Cassandra is away or slow, only checkpoints are delayed.
"""

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from gevent.event import Event
from pymongo.database import Database

from canary.clock import CLOCK, Clock
from canary.errors import StoreError, StoreRefused
from canary.stores.cassandra.checkpoints import CheckpointStore, Header
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import ON_BOARD, Document

LOG = logging.getLogger(__name__)

MAX_PAUSE: Final = 1.0  # seconds between two checks which boards there are
RETRY_DELAY: Final = 10.0  # seconds until a board's failed checkpoint is tried again
REFUSED_DELAY: Final = 300.0  # seconds until a refusal of Cassandra is logged again

READ_BATCH: Final = 200  # jobs; other greenlets wait while an answer of MongoDB is decoded


class Checkpointer:
    """Takes the checkpoints of the boards that ``watched`` returns."""

    def __init__(
        self,
        database: Database[Document],
        history: CheckpointStore,
        interval: float,
        watched: Callable[[], Collection[str]],
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._database, self._history = database, history
        self.interval, self._watched = interval, watched
        self._due: dict[str, float] = {}  # by the clock's elapsed()
        self._since: dict[str, float] = {}  # the last checkpoint, by the same
        self._is_failing = self._is_ready = False
        self._next_try = 0.0  # to make Cassandra ready, by the clock's elapsed()
        self.written = self.failed = 0  # so far

    def ages(self) -> dict[str, float]:
        """Return how many seconds ago each watched board's last checkpoint was begun.

        Before its first checkpoint, this is how long ago the board was first found without one. A
        board that had no round yet has nothing to write.
        """
        now = self._clock.elapsed()
        return {path: now - since for path, since in self._since.items()}

    def told(self) -> dict[str, object]:
        """Return the heartbeat's fields; ``oldest`` is the time of the oldest last checkpoint."""
        ages = self.ages().values()
        oldest = self._clock.now() - timedelta(seconds=max(ages)) if ages else None
        told = {"written": self.written, "failed": self.failed, "interval": self.interval}
        return told | {"oldest": oldest}

    def run(self, stopping: Event) -> None:
        """Take checkpoints when they are due, until ``stopping`` is set."""
        while not stopping.is_set():
            self._make_ready()
            if self._clock.wait(stopping, min(MAX_PAUSE, self.interval)):
                return
            watched = set(self._watched())
            self._due = {path: due for path, due in self._due.items() if path in watched}
            now = self._clock.elapsed()
            self._since = {path: self._since.get(path, now) for path in watched}
            for path in sorted(watched):
                # After a failure, every other board would wait just as long for the same store: one
                # try per pass is enough.
                if stopping.is_set() or not self._take_if_due(path):
                    break

    def _make_ready(self) -> None:
        """Connect to Cassandra and create the schema, unless that is done or was just tried."""
        if self._is_ready or self._clock.elapsed() < self._next_try:
            return
        try:
            self._history.open()
        except StoreError as error:
            is_refused = isinstance(error, StoreRefused)
            if is_refused or not self._is_failing:
                LOG.log(
                    logging.ERROR if is_refused else logging.WARNING,
                    "checkpoints can't be written: %s",
                    error,
                )
            self._is_failing = True
            self._next_try = self._clock.elapsed() + (REFUSED_DELAY if is_refused else RETRY_DELAY)
        else:
            self._is_ready = True

    def _take_if_due(self, path: str) -> bool:
        """Return False if the board's checkpoint was due and failed."""
        begun = self._clock.elapsed()
        if self._due.get(path, 0.0) > begun:
            return True
        try:
            header = self.take(path)
        except Exception as error:  # no failed checkpoint may end the watches
            if not isinstance(error, StoreError):
                LOG.exception("a checkpoint failed", extra={"board": path})
            elif not self._is_failing:
                LOG.warning("a checkpoint can't be written: %s", error, extra={"board": path})
            self._is_failing = True
            self.failed += 1
            self._due[path] = self._clock.elapsed() + min(self.interval, RETRY_DELAY)
            return False
        self._since[path] = begun
        if header is not None:
            self.written += 1
            if self._is_failing:
                LOG.info("checkpoints are written again", extra={"board": path})
            self._is_failing = False
            self._due[path] = begun + self.interval
            extra = {"board": path, "epoch": header.epoch, "revision": header.revision}
            LOG.debug("wrote a checkpoint of %d jobs", header.jobs, extra=extra)
        return True

    def take(self, path: str) -> Header | None:
        """Take one checkpoint of the board at ``path`` now; None if it had no round yet."""
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            # All three reads see MongoDB at one moment.
            board = self._database.boards.find_one({"_id": path}, session=session)
            if board is None or board["seen_at"] is None:
                return None
            jobs = self._database.jobs.find(
                {"board": path, "state": {"$in": ON_BOARD}}, session=session, batch_size=READ_BATCH
            )
            nodes = self._database.nodes.find({"board": path}, {"name": 1}, session=session)
            with jobs, nodes:
                return self._history.write(
                    board, jobs, (node["name"] for node in nodes), self._clock.now()
                )
