"""Up to which moment all that happened on a board is known.

It is what a gap begins with, and what a board that nobody watches any more was last known at. While
nothing stirs it moves on with the pulse: what ZooKeeper has not told of by then did not happen.
"""

from datetime import datetime

from canary.zookeeper import Pulse


class Horizon:
    """One board's; ``start`` is the moment that is known when its watch begins."""

    def __init__(self, pulse: Pulse, start: datetime | None) -> None:
        self._pulse, self._start = pulse, start
        self._touched_at: datetime | None = start
        self._read_from: datetime | None = None
        self._verified = start
        self._is_touched, self._is_reading = True, False

    def touch(self) -> None:
        """Note that something has happened, or may have without being told."""
        if not self._is_touched:
            self._is_touched, self._touched_at = True, self._pulse_until()

    def begin(self) -> datetime | None:
        """Begin to read the board; return up to when it is known before that."""
        self._read_from = self.until()
        self._is_touched, self._is_reading = False, True
        return self._read_from

    def end(self, *, is_known: bool) -> None:
        """Note that the board was read, or could not be."""
        self._is_reading = False
        if is_known:
            self.verify()
        else:
            self._is_touched, self._touched_at = True, self._read_from

    def verify(self) -> None:
        """Note that what tells of changes was found to be alive."""
        self._verified = self.until()

    def doubt(self) -> None:
        """Note that what tells of changes may have been dead since it was last found alive."""
        self._is_touched, self._touched_at = True, self._verified

    def until(self) -> datetime | None:
        """Return up to when the board is known, None for a board that was never seen."""
        if self._is_reading:
            return self._read_from
        return self._touched_at if self._is_touched else self._pulse_until()

    def behind_since(self) -> datetime | None:
        """Return ``until`` while there is something to be read, else None."""
        return self.until() if self._is_touched or self._is_reading else None

    def _pulse_until(self) -> datetime | None:
        return self._pulse.until or self._start
