"""A worker's heartbeat in MongoDB, once a second, by MongoDB's own clock.

It has the time up to which everything is stored, and the boards for which that does not hold. The
server calls a board unwatched if its watcher's heartbeat is older than ``BEAT_LIMIT``. A board that
was left while MongoDB was away is named in the heartbeat until MongoDB has recorded that.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from gevent.event import Event

from canary.errors import CanaryError, StoreError
from canary.logs.complaint import Complaint
from canary.model.changes import Reason
from canary.stores.mongo.client import within
from canary.stores.mongo.documents import Behind
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.watermark import Lag
from canary.watchers.zookeeper.board_watch import BoardWatch

LOG = logging.getLogger(__name__)

HEARTBEAT_INTERVAL: Final = 1.0  # seconds
FIT_LIMIT: Final = 5.0  # seconds without a heartbeat until other workers get the boards
RELEASE_TIMEOUT: Final = 0.5  # seconds for all boards that were left, so the next beat is in time


class Heartbeat:
    """One worker's heartbeat. ``more`` returns further fields of its document."""

    def __init__(
        self,
        store: LiveStore,
        context: WatchContext,
        more: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._store, self._context, self._more = store, context, more
        self._clock = context.clock
        self._watches: set[BoardWatch] = set()
        self._left: dict[BoardWatch, Lag] = {}
        host, pid = os.uname().nodename, os.getpid()
        self._about = {"host": host, "pid": pid}
        self._last = self._clock.elapsed()

    def add(self, watch: BoardWatch) -> None:
        """Include a watch that begins."""
        self._watches.add(watch)

    def remove(self, watch: BoardWatch) -> None:
        """Leave out a watch that has ended, once the store has recorded its end."""
        self._watches.discard(watch)
        if not watch.is_released:
            self._left[watch] = watch.lag() or Lag(self._clock.now(), self._clock.now())

    @property
    def watches(self) -> tuple[BoardWatch, ...]:
        """The current watches, except that of Canary's own board."""
        return tuple(watch for watch in self._watches if watch.board.registered)

    def age(self) -> float:
        """Return the seconds since MongoDB accepted the last heartbeat, or since the start."""
        return self._clock.elapsed() - self._last

    def beat(self) -> None:
        """Write the heartbeat once. Raises StoreUnavailable or StoreRefused."""
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
        sent = self._clock.elapsed()
        ensemble = self._context.ensemble_clock
        told = {"clock_offset": ensemble.ahead, "clock_off": ensemble.is_off}
        about = {**self._about, **told, **asdict(self._context.tally), **self._more()}
        self._clock.compare(sent, self._store.beat(about, until, behind))
        self._last = self._clock.elapsed()

    def run(self, stopping: Event) -> None:
        """Write the heartbeat every second until ``stopping`` is set, then delete it."""
        failing = Complaint(LOG, "the heartbeat could not be written")
        while not stopping.is_set():
            try:
                self.beat()
                self._release_left()
                failing.over()
            except StoreError as error:
                failing.say(error)
            self._clock.wait(stopping, HEARTBEAT_INTERVAL)
        try:
            self._store.retire()
        except StoreError as error:
            LOG.debug("the heartbeat could not be deleted: %s", error)

    def judge(self, set_fit: Callable[[bool], None], stopping: Event) -> None:
        """Tell ``set_fit`` whether MongoDB accepts heartbeats, once a second until ``stopping``."""
        while not self._clock.wait(stopping, HEARTBEAT_INTERVAL):
            set_fit(self.age() < FIT_LIMIT)

    def _release_left(self) -> None:
        with within(RELEASE_TIMEOUT):
            for watch, lag in list(self._left.items()):
                try:
                    watch.board.release(self._clock.now(), lag.since, Reason.RESTART)
                except StoreError:
                    raise
                except CanaryError as error:
                    LOG.debug(
                        "another worker has the board already: %s",
                        error,
                        extra={"board": watch.path},
                    )
                del self._left[watch]
