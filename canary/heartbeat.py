"""A worker's sign of life in MongoDB, once a second, by MongoDB's own clock.

The server calls a board unwatched whose watcher's is three seconds old.
"""

import logging
import os
import time
from typing import Final

from gevent.event import Event

from canary.errors import StoreError
from canary.stores.live import LiveStore
from canary.watchers.reading import now

LOG = logging.getLogger(__name__)

HEARTBEAT_INTERVAL: Final = 1.0  # seconds


class Heartbeat:
    """One worker's heartbeat."""

    def __init__(self, store: LiveStore) -> None:
        self._store = store
        self._started_at = now()
        self._last = time.monotonic()

    def age(self) -> float:
        """Return how many seconds ago MongoDB took the last one; at first, since the start."""
        return time.monotonic() - self._last

    def run(self, stopping: Event) -> None:
        """Beat until ``stopping`` is set, and then take the sign of life away."""
        host, pid = os.uname().nodename, os.getpid()
        is_failing = False
        while not stopping.is_set():
            try:
                self._store.beat(self._started_at, host, pid)
            except StoreError as error:
                if not is_failing:
                    LOG.warning("no heartbeat: %s", error)
                is_failing = True
            else:
                is_failing = False
                self._last = time.monotonic()
            stopping.wait(HEARTBEAT_INTERVAL)
        try:
            self._store.retire()
        except StoreError as error:
            LOG.debug("the heartbeat is left behind: %s", error)
