"""One client of the event stream: its filter, and how far the stream has been sent to it.

A subscription holds no changes and no gaps. It knows the number of the next event that its client
may be sent, of those that ``canary.server.stream.buffer`` keeps for all clients. It holds the
newest state of each board that its client has not been sent yet.

Promises: however slowly the client reads, the memory of its subscription is bounded by the number
of boards. Handing an event to a subscription never blocks.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Final, Protocol

from canary.clock import CLOCK, Clock
from canary.errors import PlaceLost
from canary.server.stream.encoding import EncodedEvent
from canary.stores.changestream.events import Event

LOG = logging.getLogger(__name__)

BREATH: Final = 0.001  # seconds for other clients, before a client that is behind is sent more


class EventFilter(Protocol):
    """A client's filter. Filters that are equal, with equal hashes, are evaluated once for all.

    If a filter has a true ``is_costly``, it depends on more than an event's path. If it has
    ``paths`` and they are not None, it matches events of these boards only.
    """

    def __call__(self, event: Event, /) -> bool:
        """Return whether a board, a change or a gap matches."""

    def __hash__(self) -> int:
        """Return equal hashes for equal filters."""


class Source(Protocol):
    """Where a subscription gets its events from."""

    def pull(self, subscription: "Subscription", /) -> list[EncodedEvent] | None:
        """Return the next events to send, or None once the subscription is over."""


def everything(_: Event) -> bool:
    """Match every event."""
    return True


class Subscription:
    """One client. The broadcaster makes and fills it under a lock; the client's greenlet reads it.

    ``number`` is the number of the next event to send, or None until the subscription is joined to
    the replay buffer. ``after`` is the position up to which another process has sent everything.
    If ``is_behind`` is true, more can be taken at once.
    """

    def __init__(
        self,
        wanted: EventFilter,
        first: Iterable[EncodedEvent],
        source: Source,
        clock: Clock = CLOCK,
    ) -> None:
        self.wanted, self._source, self._clock = wanted, source, clock
        self.number: int | None = None
        self.after: str | None = None
        self.since = clock.elapsed()
        self.is_behind = self.is_over = False
        self._aside = {_about(told): told for told in first}
        self._filled = threading.Event()

    @property
    def is_joined(self) -> bool:
        """Whether the subscription continues from the replay buffer."""
        return self.number is not None

    @property
    def has_aside(self) -> bool:
        """Whether there are events to send that have no number."""
        return bool(self._aside)

    def wants(self, told: EncodedEvent) -> bool:
        """Return whether the filter matches an event. Raises PlaceLost if that can't be decided."""
        return told.event is None or is_wanted(self.wanted, told.event)

    def put(self, told: EncodedEvent) -> None:
        """Hold an event without a number until it is taken; of each board only the newest."""
        about = _about(told)
        self._aside.pop(about, None)
        self._aside[about] = told
        self.wake()

    def begin(self, first: Iterable[EncodedEvent], number: int) -> None:
        """Send ``first`` next, and then the events from ``number`` on."""
        self._aside = {_about(told): told for told in first}
        self.number, self.after = number, None
        self.wake()

    def end(self, last: EncodedEvent) -> None:
        """End the subscription; ``last`` is the only event that is still sent."""
        self._aside = {_about(last): last}
        self.is_over = True
        self.wake()

    def take_aside(self) -> list[EncodedEvent]:
        """Return the events without a number, each once."""
        self._filled.clear()
        taken = list(self._aside.values())
        self._aside = {}
        return taken

    def wake(self) -> None:
        """Wake up the client's greenlet, so that it takes the next events."""
        if not self._filled.is_set():
            self._filled.set()

    def take(self, timeout: float) -> list[EncodedEvent] | None:
        """Wait for the next events to send and return them; None once the subscription is over.

        Returns ``[]`` after ``timeout`` seconds, or if the next events are still being evaluated.
        """
        if timeout:
            if self.is_behind:
                self._clock.sleep(BREATH)
            else:
                self._clock.wait(self._filled, timeout)
        return self._source.pull(self)


def is_wanted(wanted: EventFilter, event: Event) -> bool:
    """Return whether ``wanted`` matches an event; an event that is about no board always matches.

    Raises PlaceLost if that can't be decided.
    """
    if event.path is None:
        return True
    try:
        return wanted(event)
    except Exception as error:
        raise PlaceLost("An event can't be compared with a filter") from error


def concerns(wanted: EventFilter, told: EncodedEvent) -> bool:
    """Return whether clients with that filter get a board's state, or an event about all boards."""
    try:
        return told.event is None or is_wanted(wanted, told.event)
    except PlaceLost as error:
        LOG.warning(
            "a board's state could not be filtered and is sent unfiltered: %r", error.__cause__
        )
        return True


def _about(told: EncodedEvent) -> tuple[str, str | None]:
    return told.name, told.event.path if told.event else None
