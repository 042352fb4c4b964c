"""Turns: requests of strangers run one at a time, with pauses for all other requests.

A process has one thread. Without turns, a hundred requests that arrive at once would be answered
one after the other before anything else.

Promises: between two turns there is a pause as long as the last turn took, and at least ``PAUSE``.
So requests that take turns get at most half of the process's time, and a single one never waits.
"""

from types import TracebackType
from typing import Final

from gevent.lock import BoundedSemaphore

from canary.clock import CLOCK, Clock

PAUSE: Final = 0.001  # seconds, so that gevent polls all connections before the next turn


class Turns:
    """A context manager that one greenlet at a time is in. Waiting greenlets enter in order."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._semaphore = BoundedSemaphore(1)
        self._begun = self._next = clock.elapsed()

    def __enter__(self) -> None:
        self._semaphore.acquire()
        try:
            wait = self._next - self._clock.elapsed()
            if wait > 0:
                self._clock.sleep(wait)
        except BaseException:
            self._semaphore.release()
            raise
        self._begun = self._clock.elapsed()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        now = self._clock.elapsed()
        self._next = now + max(PAUSE, now - self._begun)
        self._semaphore.release()
