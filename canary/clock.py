"""The times that Canary writes down: MongoDB's, as this process knows it.

Workers and server run on machines whose clocks differ. What they write is compared with each other
and with MongoDB's own clock, so each process goes by that one: it measures how far its machine's is
off, and adds it. Durations are measured by ``elapsed``, which no setting of a clock changes.
"""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final

LOG = logging.getLogger(__name__)

TOLERANCE: Final = 0.5  # seconds that a measurement may be off, for the answer took a while
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return seconds that only grow, also while the machine sleeps."""
    return time.clock_gettime(_ELAPSED)


class Clock:
    """A clock that can be set by another one."""

    def __init__(self) -> None:
        # Noted once: whoever sets the machine's clock does not set this one.
        self._start = datetime.fromtimestamp(time.time() - elapsed(), UTC)

    def now(self) -> datetime:
        """Return the time for people, in UTC, cut to the millisecond that is stored."""
        moment = self._start + timedelta(seconds=elapsed())
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def compare(self, sent: float, told: datetime) -> None:
        """Go by ``told``, the time that another clock gave to a question of ``sent``.

        ``sent`` is ``elapsed()`` at that moment. What may be due to the answer's way is not minded.
        """
        way = elapsed() - sent
        off = (told - self.now()).total_seconds() + way / 2
        if abs(off) > TOLERANCE + way / 2:
            LOG.warning("this machine's clock is %+.1f s off MongoDB's, which is gone by", -off)
            self._start += timedelta(seconds=off)


CLOCK: Final = Clock()


def now() -> datetime:
    """Return the time for people by this process's clock: see ``Clock.now``."""
    return CLOCK.now()
