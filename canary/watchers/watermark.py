"""A board's watermark: the moment up to which everything that happened on it is known.

A gap begins at the watermark. It is also the last moment at which a board that nobody watches any
more was known. While nothing happens, the watermark moves on with the pulse: what ZooKeeper has not
reported by then did not happen.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from canary.clock import CLOCK, Clock
from canary.model.changes import Reason
from canary.zookeeper import Pulse

LATE: Final = timedelta(seconds=3)  # for so long, a stopped worker may go unnoticed


@dataclass(frozen=True, slots=True)
class Lag:
    """Something that is not known, or not stored, yet.

    ``since`` is the last moment up to which everything is known, or stored. ``noticed`` is when
    Canary learnt that there is more. The watermark is only certain once a second, so ``since`` may
    be much older than ``noticed``.
    """

    since: datetime
    noticed: datetime

    def blame(self, reason: Reason, seen_at: datetime) -> Reason:
        """Return the reason why what is seen at ``seen_at`` was not seen as it happened.

        That is ``reason``, or Reason.LATE instead of Reason.COALESCED if it is seen more than
        ``LATE`` after ``since``. Reason.COALESCED means that it was seen as it happened.
        """
        is_late = reason is Reason.COALESCED and seen_at - self.since > LATE
        return Reason.LATE if is_late else reason


def longest(one: Lag | None, other: Lag | None) -> Lag | None:
    """Return the lag that covers both, or None if there is none."""
    if one is None or other is None:
        return one or other
    return Lag(min(one.since, other.since), min(one.noticed, other.noticed))


class Watermark:
    """The watermark of one board. ``start`` is the moment that is known when its watch begins."""

    def __init__(self, pulse: Pulse, start: datetime | None, clock: Clock = CLOCK) -> None:
        self._pulse, self._clock = pulse, clock
        self._known = start  # without the pulse
        self._verified = start
        self._touched: Lag | None = Lag(start or self._clock.now(), self._clock.now())
        self._reading: Lag | None = None

    def touch(self) -> None:
        """Record that something happened, or may have happened without being reported."""
        if self._touched is None:
            self._touched = Lag(self._quiet_until(), self._clock.now())

    def begin(self) -> Lag:
        """Begin to read the board. Return the lag that this round ends."""
        self._reading = self.lag() or Lag(self._quiet_until(), self._clock.now())
        self._touched = None
        return self._reading

    def end(self, seen_at: datetime | None) -> None:
        """Record that the round ended. ``seen_at`` is None if the board could not be read."""
        if seen_at is None:
            self._touched = longest(self._reading, self._touched)
            self._reading = None
        else:
            self._known, self._reading = seen_at, None
            self.verify()

    def verify(self) -> None:
        """Record that the watches were found to be alive."""
        self._verified = self.until()

    def doubt(self) -> None:
        """Record that the watches may have been dead since they were last found alive."""
        self._touched = longest(self._touched, self._doubtful())

    def widen(self) -> Lag:
        """Record, during a round, that the watches may have been dead. Return the round's lag.

        If the watches were last found alive before the lag began, it now begins at that moment.
        """
        doubtful = self._doubtful()
        self._reading = longest(self._reading, doubtful) or doubtful
        return self._reading

    def _doubtful(self) -> Lag:
        return Lag(self._verified or self._clock.now(), self._clock.now())

    def until(self) -> datetime:
        """Return the watermark."""
        lag = self.lag()
        return lag.since if lag else self._quiet_until()

    def lag(self) -> Lag | None:
        """Return the lag of what is still to be read, or None if there is nothing to read."""
        return longest(self._reading, self._touched)

    def _quiet_until(self) -> datetime:
        """Return the moment up to which nothing happened if ZooKeeper reported nothing."""
        moments = [moment for moment in (self._known, self._pulse.until) if moment is not None]
        return max(moments, default=self._clock.now())
