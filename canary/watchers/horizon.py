"""Up to which moment all that happened on a board is known.

It is what a gap begins with, and what a board that nobody watches any more was last known at. While
nothing stirs it moves on with the pulse: what ZooKeeper has not told of by then did not happen.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from canary.clock import now
from canary.model.changes import Reason
from canary.zookeeper import Pulse

LATE: Final = timedelta(seconds=3)  # so long it may go unnoticed that the worker stands still


@dataclass(frozen=True, slots=True)
class Lag:
    """Something that is not known, or not stored, yet.

    ``since`` is the last moment of which all is; ``noticed`` is when it was learnt that there is
    more. A moment is only known for sure once a second, so the first may be much the older one.
    """

    since: datetime
    noticed: datetime

    def blame(self, reason: Reason, seen_at: datetime) -> Reason:
        """Return why what is seen at ``seen_at`` was not as it happened, as far as ``reason`` says.

        Reason.COALESCED if it was.
        """
        is_late = reason is Reason.COALESCED and seen_at - self.since > LATE
        return Reason.LATE if is_late else reason


def longest(one: Lag | None, other: Lag | None) -> Lag | None:
    """Return what two lags come to, None where there are none."""
    if one is None or other is None:
        return one or other
    return Lag(min(one.since, other.since), min(one.noticed, other.noticed))


class Horizon:
    """One board's; ``start`` is the moment that is known when its watch begins."""

    def __init__(self, pulse: Pulse, start: datetime | None) -> None:
        self._pulse = pulse
        self._known = start  # whatever the pulse says
        self._verified = start
        self._touched: Lag | None = Lag(start or now(), now())
        self._reading: Lag | None = None

    def touch(self) -> None:
        """Note that something has happened, or may have without being told."""
        if self._touched is None:
            self._touched = Lag(self._quiet_until(), now())

    def begin(self) -> Lag:
        """Begin to read the board; return up to when it is known before that."""
        self._reading = self.lag() or Lag(self._quiet_until(), now())
        self._touched = None
        return self._reading

    def end(self, seen_at: datetime | None) -> None:
        """Note that the board was read as it was at ``seen_at``; None where it could not be."""
        if seen_at is None:
            self._touched = longest(self._reading, self._touched)
            self._reading = None
        else:
            self._known, self._reading = seen_at, None
            self.verify()

    def verify(self) -> None:
        """Note that what tells of changes was found to be alive."""
        self._verified = self.until()

    def doubt(self) -> None:
        """Note that what tells of changes may have been dead since it was last found alive."""
        self._touched = longest(self._touched, self._doubtful())

    def widen(self) -> Lag:
        """Note the same while the board is read; return up to when it is known before that."""
        doubtful = self._doubtful()
        self._reading = longest(self._reading, doubtful) or doubtful
        return self._reading

    def _doubtful(self) -> Lag:
        return Lag(self._verified or now(), now())

    def until(self) -> datetime:
        """Return up to when the board is known."""
        lag = self.lag()
        return lag.since if lag else self._quiet_until()

    def lag(self) -> Lag | None:
        """Return what there is to be read; None while nothing is."""
        return longest(self._reading, self._touched)

    def _quiet_until(self) -> datetime:
        """Return up to when nothing happened, if nothing was told."""
        moments = [moment for moment in (self._known, self._pulse.until) if moment is not None]
        return max(moments, default=now())
