"""Turns: requests of strangers run one at a time, with pauses for all other requests.

A process has one thread. Without turns, a hundred requests that arrive at once would be answered
one after the other before anything else.

Promises: between two turns there is a pause as long as the last turn took, and at least ``PAUSE``.
So requests that take turns get at most half of the process's time, and a single one never waits.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import gevent
from gevent.lock import BoundedSemaphore

PAUSE: Final = 0.001  # seconds, so that gevent polls all connections before the next turn


class Turns:
    """A context manager that one greenlet at a time is in. Waiting greenlets enter in order."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._semaphore = BoundedSemaphore(1)
        self._begun = self._next = clock()

    def __enter__(self) -> None:
        self._semaphore.acquire()
        try:
            wait = self._next - self._clock()
            if wait > 0:
                self._sleep(wait)
        except BaseException:
            self._semaphore.release()
            raise
        self._begun = self._clock()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        now = self._clock()
        self._next = now + max(PAUSE, now - self._begun)
        self._semaphore.release()
