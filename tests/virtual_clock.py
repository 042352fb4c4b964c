"""A clock whose time passes when a test says so, and at once.

What waits by it is woken in the order in which it is due, each at its own moment. Under gevent
alone: whoever waits is a greenlet, and so is the test.
"""

import heapq
from itertools import count

import gevent
from gevent.event import Event

from canary.clock import Awaited, Clock


class VirtualClock(Clock):
    """``canary.clock.Clock`` without a machine's. ``seconds`` is what ``elapsed`` returns."""

    def __init__(self, seconds: float = 1_000.0) -> None:
        self.seconds = seconds
        super().__init__(lambda: self.seconds)
        self._numbers = count()
        self._timers: list[tuple[float, int, Event]] = []

    def sleep(self, seconds: float) -> None:
        """Return once so many seconds were let pass."""
        self._timer(seconds).wait()

    def wait(self, event: Awaited, timeout: float) -> bool:
        """Return once ``event`` is set, or so many seconds were let pass; whether it is set."""
        if not event.is_set():
            gevent.wait([event, self._timer(timeout)], count=1)  # type: ignore[type-var]
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass; return once all that is due by then has come to rest."""
        until = self.seconds + seconds
        gevent.idle()
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self.seconds = max(self.seconds, due)
            timer.set()
            gevent.idle()
        self.seconds = until

    def _timer(self, seconds: float) -> Event:
        timer = Event()
        heapq.heappush(self._timers, (self.seconds + max(0.0, seconds), next(self._numbers), timer))
        return timer


class SoloClock(VirtualClock):
    """The same for code that runs in the test's own greenlet: whoever waits lets the time pass.

    ``slept`` is for how many seconds each wait was.
    """

    def __init__(self, seconds: float = 1_000.0) -> None:
        super().__init__(seconds)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.slept.append(seconds)
        self.seconds += seconds

    def wait(self, event: Awaited, timeout: float) -> bool:
        """Return whether ``event`` is set; if not, let so many seconds pass before."""
        if not event.is_set():
            self.sleep(timeout)
        return event.is_set()
