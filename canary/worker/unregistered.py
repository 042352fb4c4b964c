"""Records in MongoDB which boards are no longer registered, whenever the registered boards change.

Promises: what could not be recorded is recorded later; only the last read of the board counts.
"""

import logging
from typing import Final

from gevent.event import Event

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError
from canary.logs.complaint import Complaint
from canary.registry.registry import Registered, Registry
from canary.stores.writing.take import LiveStore

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 2.0  # seconds until MongoDB is tried again


class Unregistered:
    """The boards that are no longer registered, according to what a conductor reads."""

    def __init__(self, store: LiveStore, registry: Registry, clock: Clock = CLOCK) -> None:
        self._store, self._registry, self._clock = store, registry, clock
        self._seen: Registered | None = None
        self._seen_anew = Event()

    def looked(self, seen: Registered) -> None:
        """Take the result of one read of Canary's own board."""
        self._seen = seen
        self._seen_anew.set()

    def wake(self) -> None:
        """Wake ``run`` to check whether it has to end."""
        self._seen_anew.set()

    def run(self, stopping: Event) -> None:
        """Record what is seen until ``stopping`` is set and ``wake`` was called."""
        noted: frozenset[str] | None = None
        failing = Complaint(LOG, "removed boards could not be recorded, trying again")
        while not stopping.is_set():
            self._seen_anew.wait()
            self._seen_anew.clear()
            seen = self._seen
            if seen is None or seen.stat is None:
                continue
            paths = frozenset(job.path for job in seen.jobs)
            if paths == noted:
                continue
            try:
                self._store.forget_all_but(paths, self._registry.paths, self._clock.now())
            except CanaryError as error:
                failing.say(error)
                self._clock.wait(stopping, RETRY_DELAY)
                self._seen_anew.set()
            else:
                noted = paths
                failing.over()
