"""One client of the event stream: what it asks for, and a bounded queue of what it is sent.

Promises: a client that lags more than ``QUEUE_LIMIT`` events behind gets one last event,
``dropped``, that says so; who fills the queue never waits.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from canary.server.telling import Telling, dropped
from canary.stores.events import Event

LOG = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 1_000  # events; a slice of a worker's write is as many
TOO_SLOW: Final = dropped(
    f"More than {QUEUE_LIMIT} events were waiting; connect again with Last-Event-ID to go on"
)


class Wanted(Protocol):
    """What a client asks for. Those that are equal, and have equal hashes, are judged once."""

    def __call__(self, event: Event, /) -> bool:
        """Tell whether a board, a change or a gap is among it."""

    def __hash__(self) -> int:
        """Return the same for what is equal."""


def everything(_: Event) -> bool:
    """Want all there is."""
    return True


class Subscription:
    """One client's queue. Made and filled by the audience, emptied by the client's greenlet."""

    def __init__(self, wanted: Wanted, first: Iterable[Telling], *, is_joined: bool) -> None:
        self.wanted, self.is_joined = wanted, is_joined
        self.after: str | None = None  # up to where it was sent all by another way than the queue
        self.since = time.monotonic()
        self._events: deque[Telling] = deque(first)
        self._limit = len(self._events) + QUEUE_LIMIT  # there may be more boards than that
        self._is_over = False
        self._lock = threading.Lock()
        self._filled = threading.Event()

    def wants(self, told: Telling) -> bool:
        """Tell whether an event is among what is asked for; what is about no board always is."""
        return is_wanted(self.wanted, told)

    def offer(self, told: Telling) -> bool:
        """Queue an event that is wanted. Where the queue is full, end it and return False."""
        if told.position is not None:
            if not self.is_joined:
                return True  # it comes by another way
            if self.after is not None:
                if told.position <= self.after:
                    return True
                self.after = None
        with self._lock:
            if not self._is_over:
                if len(self._events) < self._limit:
                    self._events.append(told)
                else:
                    self._end(TOO_SLOW)
        if not self._filled.is_set():
            self._filled.set()
        return not self._is_over

    def put(self, more: Iterable[Telling]) -> None:
        """Queue what does not count for the limit: what this client alone asked for."""
        with self._lock:
            if not self._is_over:
                self._events.extend(more)
                self._limit = len(self._events) + QUEUE_LIMIT
        self._filled.set()

    def end(self, last: Telling) -> None:
        """Let ``last`` be all that is left to send."""
        with self._lock:
            self._end(last)
        self._filled.set()

    def _end(self, last: Telling) -> None:
        self._events.clear()
        self._events.append(last)
        self._is_over = True

    def take(self, timeout: float) -> list[Telling] | None:
        """Return what is queued, waiting for it; ``[]`` after ``timeout``, None once it is over."""
        if timeout and not self._events:
            self._filled.wait(timeout)
        with self._lock:
            self._filled.clear()
            if not self._events:
                return None if self._is_over else []
            taken = list(self._events)
            self._events.clear()
            self._limit = QUEUE_LIMIT
            return taken

    @property
    def is_empty(self) -> bool:
        """Tell whether all that was queued has been taken."""
        return not self._events and not self._is_over


def is_wanted(wanted: Wanted, told: Telling) -> bool:
    """Tell whether an event is among what ``wanted`` asks for."""
    event = told.event
    if event is None or event.path is None:
        return True
    try:
        return wanted(event)
    except Exception:  # one filter that fails must not keep the event from the others
        LOG.exception("an event could not be compared with a filter")
        return False
