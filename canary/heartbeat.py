"""A worker's sign of life in MongoDB, once a second, by MongoDB's own clock.

It says up to when everything is stored, and of which boards less is; the server calls a board
unwatched whose watcher's is older than ``BEAT_LIMIT``. A board that was left while MongoDB was away
is among them until MongoDB has taken notice of that.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from gevent.event import Event

from canary.clock import CLOCK, elapsed, now
from canary.errors import CanaryError, StoreError
from canary.model.changes import Reason
from canary.stores.documents import Behind
from canary.stores.live import LiveStore
from canary.stores.mongo import within
from canary.watchers.board import BoardWatch
from canary.watchers.context import WatchContext
from canary.watchers.horizon import Lag

LOG = logging.getLogger(__name__)

HEARTBEAT_INTERVAL: Final = 1.0  # seconds
RELEASE_TIMEOUT: Final = 0.5  # seconds for all boards that were left, so that the next beat comes


class Heartbeat:
    """One worker's heartbeat; ``more`` returns what else it is to tell of the worker."""

    def __init__(
        self,
        store: LiveStore,
        context: WatchContext,
        more: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._store, self._context, self._more = store, context, more
        self._watches: set[BoardWatch] = set()
        self._left: dict[BoardWatch, Lag] = {}
        host, pid = os.uname().nodename, os.getpid()
        self._about = {"host": host, "pid": pid}
        self._last = time.monotonic()
        self._is_failing = False

    def add(self, watch: BoardWatch) -> None:
        """Speak for a watch that begins."""
        self._watches.add(watch)

    def remove(self, watch: BoardWatch) -> None:
        """Speak no more for a watch that has ended, once the store knows that it has."""
        self._watches.discard(watch)
        if not watch.is_released:
            self._left[watch] = watch.lag() or Lag(now(), now())

    @property
    def watches(self) -> tuple[BoardWatch, ...]:
        """The watches that there are, but for that of Canary's own board."""
        return tuple(watch for watch in self._watches if watch.board.registered)

    def age(self) -> float:
        """Return how many seconds ago MongoDB took the last one; at first, since the start."""
        return time.monotonic() - self._last

    def beat(self) -> None:
        """Write it once. Raises StoreUnavailable or StoreRefused."""
        until = self._context.pulse.until
        behind = [
            Behind(watch.path, watch.board.takes, lag.since, lag.noticed, watched=True)
            for watch in self._watches
            if (lag := watch.lag()) is not None
        ]
        behind += [
            Behind(watch.path, watch.board.takes, lag.since, lag.noticed, watched=False)
            for watch, lag in self._left.items()
        ]
        sent = elapsed()
        about = {**self._about, **asdict(self._context.tally), **self._more()}
        CLOCK.compare(sent, self._store.beat(about, until, behind))
        self._last = time.monotonic()

    def run(self, stopping: Event) -> None:
        """Beat until ``stopping`` is set, and then take the sign of life away."""
        while not stopping.is_set():
            try:
                self.beat()
                self._release_left()
            except StoreError as error:
                if not self._is_failing:
                    LOG.warning("no heartbeat: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False
            stopping.wait(HEARTBEAT_INTERVAL)
        try:
            self._store.retire()
        except StoreError as error:
            LOG.debug("the heartbeat is left behind: %s", error)

    def _release_left(self) -> None:
        with within(RELEASE_TIMEOUT):
            for watch, lag in list(self._left.items()):
                try:
                    watch.board.release(now(), lag.since, Reason.RESTART)
                except StoreError:
                    raise
                except CanaryError as error:
                    LOG.debug("another has it already: %s", error, extra={"board": watch.path})
                del self._left[watch]
