"""How far ZooKeeper's clock is off Canary's, and when by Canary's clock things happened.

ZooKeeper's leader dates what it creates by its own clock; Canary uses MongoDB's. The difference is
bounded by every event of which two things are known: its time by ZooKeeper, and two moments of
Canary's clock between which it happened. Each such event bounds the difference from both sides, a
change that was seen live to about a second. A change that was found after a gap bounds it widely:
it was legitimately seen late, and does not show that ZooKeeper's clock is wrong.

Promises: nothing happened after it was seen, or before the last round that did not find it. If
ZooKeeper's time agrees with that, it is used as it is; if not, it is corrected.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from canary.model.changes import Change

#: A smaller difference is no fault. A second may pass until a change is seen, Canary's own clock
#: may be off MongoDB's by another half second, and a follower of ZooKeeper may lag behind its
#: leader.
TOLERANCE: Final = timedelta(seconds=3)
_NONE: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Skew:
    """ZooKeeper's clock is at least ``least`` ahead of Canary's, and at most ``most``.

    Both are negative if it is behind. ``most`` is None if there is no upper bound.
    """

    least: timedelta
    most: timedelta | None

    @classmethod
    def of(cls, at: datetime, after: datetime | None, before: datetime) -> "Skew":
        """Return the bounds that follow from ZooKeeper's time ``at`` of an event.

        By Canary's clock, it happened after the moment ``after``, if that is known, and before the
        moment ``before``.
        """
        return cls(at - before, None if after is None else at - after)

    @property
    def ahead(self) -> timedelta | None:
        """How far ZooKeeper's clock is ahead; None if that is not known.

        If the bounds are close together, this is the lower one: its error is the time that the
        quickest change took to be seen. If they are not, only a clock that is certainly off has a
        value: the nearer bound, by which it is off at least.
        """
        if self.is_close:
            return self.least
        if self.least > TOLERANCE:
            return self.least
        return self.most if self.is_off else None

    @property
    def is_close(self) -> bool:
        """Whether its bounds are so close together that either says how far the clock is off."""
        return self.most is not None and self.most - self.least <= TOLERANCE

    @property
    def is_off(self) -> bool:
        """Whether the clock is certainly off by more than ``TOLERANCE``."""
        return self.least > TOLERANCE or (self.most is not None and self.most < -TOLERANCE)

    def and_then(self, newer: "Skew") -> "Skew":
        """Return both bounds combined, or only ``newer`` if they contradict: a clock was set.

        Clocks are set, and another server becomes the leader.
        """
        most = min((each.most for each in (self, newer) if each.most is not None), default=None)
        least = max(self.least, newer.least)
        return newer if most is not None and least > most else Skew(least, most)


def learnt(skew: Skew | None, changes: Iterable[Change], since: datetime | None) -> Skew | None:
    """Return what is known of ZooKeeper's clock once ``changes`` of a board were seen.

    ``since`` is the last moment at which the whole board was known, None before the first round.
    Then only a time in the future is informative.
    """
    for change in changes:
        if change.at is None:
            continue
        sample = Skew.of(change.at, _earliest(change, since), change.seen_at)
        if sample.most is not None or sample.least > TOLERANCE:
            skew = sample if skew is None else skew.and_then(sample)
    return skew


def dated(
    changes: Iterable[Change], since: datetime | None, skew: Skew | None
) -> tuple[Change, ...]:
    """Return ``changes``, each with the ``moment`` of Canary's clock at which it happened.

    Znodes that existed in the first round are dated as if ZooKeeper's clock had been as far off at
    their creation as it is now: nothing shows how it was set then.
    """
    return tuple(
        change
        if change.at is None
        else replace(
            change,
            moment=happened(change.at, _earliest(change, since), change.seen_at, skew),
        )
        for change in changes
    )


def happened(at: datetime, after: datetime | None, before: datetime, skew: Skew | None) -> datetime:
    """Return when something that ZooKeeper dates ``at`` happened, by Canary's clock.

    It happened after the moment ``after``, if that is known, and before the moment ``before``, both
    by Canary's clock.
    """
    is_off = skew is not None and skew.is_off
    is_too_early = after is not None and at < after - TOLERANCE
    if is_off or is_too_early or at > before + TOLERANCE:
        at -= (skew.ahead if skew is not None else None) or _NONE
        if after is not None:
            at = max(at, after)
    return min(at, before)


def _earliest(change: Change, since: datetime | None) -> datetime | None:
    """Return the moment after which a change happened; None if that is not known.

    A change that explains nothing in the account was counted by an earlier one, and happened before
    it.
    """
    return since if change.creates or change.deletes else None
