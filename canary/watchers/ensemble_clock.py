"""What the watches of one worker know together about their ensemble's clock.

Every board's changes say something about the clock. The worker also asks for the time itself now
and then (``canary.worker.members``), so that the clock is known before the first board is read.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gevent.event import Event

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError
from canary.model import skew
from canary.model.skew import Skew
from canary.model.state import Step

LOG = logging.getLogger(__name__)

INTERVAL: Final = 10.0  # seconds between two requests; a clock may be set at any time
FIRST_INTERVAL: Final = 1.0  # seconds, while the clock is unknown or only bounded

Ask = Callable[[], tuple[datetime, datetime, datetime] | None]


class EnsembleClock:
    """ZooKeeper's clock, as far as it is known.

    ``ask`` returns the time that ZooKeeper gave to an operation, and the two moments of Canary's
    clock between which the operation was done; None if nothing could be requested. It may raise
    CanaryError. A moment at which Canary's clock stood still is not compared with ZooKeeper's.
    """

    def __init__(self, ask: Ask = lambda: None, clock: Clock = CLOCK) -> None:
        self._ask, self._clock = ask, clock
        self._skew: Skew | None = None
        self._is_off = False
        self._lost = Event()  # set when the clock is no longer known

    @property
    def ahead(self) -> float | None:
        """Seconds by which it is ahead of Canary's clock, negative if behind; None if unknown."""
        ahead = None if self._skew is None else self._skew.ahead
        return None if ahead is None else round(ahead.total_seconds(), 3)

    @property
    def is_off(self) -> bool:
        """Whether it was last known to be off by more than is harmless."""
        return self._is_off

    @property
    def _is_close(self) -> bool:
        return self._skew is not None and self._skew.is_close

    def run(self, stopping: Event) -> None:
        """Ask now and then, and at once if the clock is no longer known, until ``stopping``."""
        stopping.rawlink(lambda _: self._lost.set())
        while not stopping.is_set():
            self.ask()
            self._lost.clear()
            if not stopping.is_set():  # perhaps set before the flag was cleared
                pause = INTERVAL if self._is_close else FIRST_INTERVAL
                self._clock.wait(self._lost, pause)

    def learn(self) -> None:
        """Ask, unless the clock is already known by more than a bound."""
        if not self._is_close:
            self.ask()

    def ask(self) -> None:
        """Ask once. Without an answer, nothing is learnt."""
        try:
            answer = self._ask()
        except CanaryError as error:
            LOG.debug("ZooKeeper's time is not known: %s", error)
        else:
            if answer is not None:
                self.told(*answer)

    def told(self, at: datetime, sent: datetime, received: datetime) -> None:
        """Record that ZooKeeper dated an operation ``at``, which was done between two moments."""
        if self._clock.stood_still(sent) or self._clock.stood_still(received):
            return
        sample = Skew.of(at, sent, received)
        self._note(sample if self._skew is None else self._skew.and_then(sample))

    def date(self, step: Step, since: datetime | None, *, is_era: bool) -> Step:
        """Return ``step`` with its changes dated by Canary's clock; learn from their times.

        ``since`` is the last moment at which the whole board was known. After a restore of the
        ensemble (``is_era``) it bounds nothing, because the jobs may be old.
        """
        after = None if is_era else since
        is_sure = after is not None and not self._clock.stood_still(after)
        told = [change for change in step.changes if not self._clock.stood_still(change.seen_at)]
        self._note(skew.learnt(self._skew, told, after if is_sure else None))
        return replace(step, changes=skew.dated(step.changes, after, self._skew))

    def here(self, at: datetime, seen_at: datetime) -> datetime:
        """Return when something was created, by Canary's clock. ZooKeeper dated it ``at``."""
        return skew.happened(at, None, seen_at, self._skew)

    def _note(self, found: Skew | None) -> None:
        was_known, self._skew = self.ahead is not None, found
        ahead = None if found is None else found.ahead
        if found is None or ahead is None:
            if was_known:
                self._lost.set()
            return
        if found.is_off is self._is_off:
            return
        self._is_off = found.is_off
        if self._is_off:
            LOG.warning(
                "ZooKeeper's clock is %s MongoDB's. Until they agree, times count from when Canary"
                " saw a change. Set the clocks of ZooKeeper's servers with NTP",
                in_words(ahead) if found.is_close else f"at least {in_words(ahead)}",
            )
        else:
            LOG.info("ZooKeeper's clock and MongoDB's agree again")


def in_words(ahead: timedelta) -> str:
    """Return in words how far a clock is off another."""
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return f"{abs(ahead).total_seconds():.1f} s {way}"
