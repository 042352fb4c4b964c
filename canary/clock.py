"""The clock that Canary's timestamps come from: MongoDB's, as this process knows it.

Workers and servers run on machines whose clocks differ. Their timestamps are compared with each
other and with MongoDB's clock, so each process uses MongoDB's: it measures how far its machine's
clock is off, and corrects for it. Durations are measured with ``elapsed``, which does not change
when a clock is set.

Promises: timestamps that are taken one after the other are in that order. If the clock turns out to
be ahead, it stands still until it is right. It goes back only if it is ahead by more than
``MAX_STILL``, and in the first comparison: programs record nothing of a board before that.

Code that waits, expires or measures takes a clock as a parameter, so that a test can let an hour
pass at once (``tests/virtual_clock.py``).
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

LOG = logging.getLogger(__name__)

TOLERANCE: Final = 0.5  # seconds; a smaller offset may be an error of the measurement
#: The most that the clocks of a machine and of a replica set differ if both are maintained. If the
#: clock is ahead by more, it does not stand still but goes back.
MAX_STILL: Final = timedelta(seconds=60)
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return seconds that only grow; on Linux, also while the machine is suspended."""
    return time.clock_gettime(_ELAPSED)


class Awaited(Protocol):
    """Something to wait for: an event of gevent or threading."""

    def is_set(self) -> bool:
        """Return whether it is set."""

    def wait(self, timeout: float) -> bool:
        """Return whether it was set within ``timeout`` seconds."""


class Clock:
    """A clock that can be set by another one. ``elapsed`` returns seconds that only grow."""

    def __init__(self, elapsed: Callable[[], float] = elapsed) -> None:
        self._elapsed = elapsed
        # Read only once, so that setting the machine's clock does not change this one.
        self._start = datetime.fromtimestamp(time.time() - elapsed(), UTC)
        self._last: datetime | None = None
        self._still: datetime | None = None  # the moment at which it last stood still
        self._is_compared = False

    def elapsed(self) -> float:
        """Return seconds that only grow."""
        return self._elapsed()

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``; other greenlets go on meanwhile."""
        time.sleep(seconds)

    def wait(self, event: Awaited, timeout: float) -> bool:
        """Wait until ``event`` is set, or for ``timeout`` seconds; return whether it is set."""
        return event.wait(timeout)

    def now(self) -> datetime:
        """Return the wall-clock time in UTC, cut to milliseconds, as it is stored.

        It is not earlier than any time returned since the first comparison, unless it is earlier by
        more than ``MAX_STILL``.
        """
        moment = self._measured()
        if self._last is not None and timedelta() < self._last - moment <= MAX_STILL:
            self._still = self._last
            return self._last
        self._last = moment
        return moment

    def stood_still(self, moment: datetime) -> bool:
        """Return whether ``moment``, from ``now``, is the one at which the clock last stood still.

        Such a moment is later than the actual time, and says nothing about other clocks.
        """
        return moment == self._still

    def compare(self, sent: float, told: datetime) -> None:
        """Set this clock by ``told``, the time in another clock's answer to a request.

        ``sent`` is what ``elapsed()`` returned when the request was sent. An offset that the time
        until the answer may explain is ignored.
        """
        way = self._elapsed() - sent
        off = (told - self._measured()).total_seconds() + way / 2
        if abs(off) > TOLERANCE + way / 2:
            LOG.warning(
                "this machine's clock differs by %+.1f s from MongoDB's, which Canary uses", -off
            )
            self._start += timedelta(seconds=off)
        if not self._is_compared:
            self._is_compared, self._last, self._still = True, None, None

    def _measured(self) -> datetime:
        moment = self._start + timedelta(seconds=self._elapsed())
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


CLOCK: Final = Clock()


def now() -> datetime:
    """Return the wall-clock time of this process's clock: see ``Clock.now``."""
    return CLOCK.now()
