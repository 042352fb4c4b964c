"""Who listens to the event stream: a bounded queue a client, filled from the process's one feed.

Promises of a subscription: its first events are the state of every board that it asked for; then
comes all that the feed tells about those. A client that lags more than ``QUEUE_LIMIT`` events
behind gets one last event, ``dropped``, that says so, and delays no other. An event is rendered
once, not once a client.

Does not replay what was before the subscription.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from canary.stores.feed import Event, EventName

LOG = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 1_000  # events; a slice of a worker's write is as many


class Subscription:
    """One client's queue of rendered events."""

    def __init__(self, paths: frozenset[str], first: Iterable[bytes], dropped: bytes) -> None:
        self._paths, self._dropped = paths, dropped
        self._events: deque[bytes] = deque(first)
        self._limit = len(self._events) + QUEUE_LIMIT  # there may be more boards than that
        self._is_over = False
        self._wakeup = threading.Condition()

    def wants(self, path: str | None) -> bool:
        """Tell whether events of the board at ``path`` belong here; None is for everybody."""
        return path is None or not self._paths or path in self._paths

    def offer(self, rendered: bytes) -> bool:
        """Queue an event. Where the queue is full, drop the client and return False."""
        with self._wakeup:
            if self._is_over:
                return False
            if len(self._events) >= self._limit:
                self._events.clear()
                self._events.append(self._dropped)
                self._is_over = True
            else:
                self._events.append(rendered)
            self._wakeup.notify()
            return not self._is_over

    def take(self, timeout: float) -> list[bytes] | None:
        """Return what is queued, waiting for it; ``[]`` after ``timeout``, None once it is over."""
        with self._wakeup:
            if not self._events and not self._is_over:
                self._wakeup.wait(timeout)
            if not self._events and self._is_over:
                return None
            taken = list(self._events)
            self._events.clear()
            self._limit = QUEUE_LIMIT
            return taken


class Observer(Protocol):
    """Who counts clients and what they are sent. It must not wait."""

    def came(self) -> None:
        """Take notice of a client."""

    def went(self) -> None:
        """Take notice of the end of one."""

    def dropped(self) -> None:
        """Take notice that one was too slow; it went as well."""

    def sent(self, events: int) -> None:
        """Take notice of so many events that one client is sent."""


class _Nobody:
    def came(self) -> None:
        """Ignore it."""

    def went(self) -> None:
        """Ignore it."""

    def dropped(self) -> None:
        """Ignore it."""

    def sent(self, events: int) -> None:
        """Ignore it."""


NOBODY: Final[Observer] = _Nobody()


class Audience:
    """All subscriptions of this process. A feed's listener.

    ``render`` makes of an event what clients are sent, ``dropped`` is the last that a slow one
    gets; ``limit`` is how many subscriptions there may be at a time. ``observer`` is told of them.
    """

    def __init__(
        self,
        render: Callable[[Event], bytes],
        dropped: bytes,
        limit: int,
        observer: Observer = NOBODY,
    ) -> None:
        self._render, self._dropped, self._limit = render, dropped, limit
        self.observer = observer
        self._lock = threading.Lock()  # over the three below; nothing waits while holding it
        self._subscriptions: set[Subscription] = set()
        self._boards: dict[str, bytes] = {}
        self._away: bytes | None = None
        self._known = threading.Event()
        self.is_ending = False  # set by a signal handler: streams look at it once a second

    def tell(self, event: Event) -> None:
        """Hand an event to everybody who asked for its board, and keep a board's for who comes."""
        rendered = self._render(event)
        with self._lock:
            if event.name is EventName.BOARD and event.path is not None:
                if event.board is None:
                    self._boards.pop(event.path, None)
                else:
                    self._boards[event.path] = rendered
            elif event.name is EventName.STORE:
                self._away = None if event.available else rendered
            for subscription in list(self._subscriptions):
                if subscription.wants(event.path) and not subscription.offer(rendered):
                    self._forget(subscription)
                    self.observer.dropped()
                    LOG.warning("a client of the event stream was too slow and was dropped")
        if event.name is EventName.STORE and event.available:
            self._known.set()

    def wait_until_known(self, timeout: float) -> bool:
        """Wait until the feed has told every board once; return whether it has."""
        return self._known.wait(timeout)

    def subscribe(self, paths: frozenset[str] = frozenset()) -> Subscription | None:
        """Return a new subscription, to all boards where ``paths`` is empty; None if it is full."""
        with self._lock:
            if self.is_ending or len(self._subscriptions) >= self._limit:
                return None
            wanted = sorted(paths & self._boards.keys()) if paths else list(self._boards)
            first = [self._boards[path] for path in wanted]
            first += [self._away] if self._away else []
            subscription = Subscription(paths, first, self._dropped)
            self._subscriptions.add(subscription)
            self.observer.came()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription; may be called again."""
        with self._lock:
            self._forget(subscription)

    def _forget(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self.observer.went()

    @property
    def size(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)
