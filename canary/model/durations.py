"""How long a job has waited and run, summed up move by move, so that no log has to be read again.

Promises: the same moves give the same sums, in whatever portions they come. ZooKeeper's clock and
Canary's may disagree, so no duration is ever negative. Does not invent: if a part of a sum is
unknown, the sum is None, and stays so.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from canary.model.changes import ENDINGS, Kind
from canary.model.jobs import JobState, Outcome


@dataclass(frozen=True, slots=True)
class Durations:
    """What a job had spent when its present ``state`` began, which was at ``since``.

    ``waited`` and ``ran`` are seconds, summed over all its claims; ``claims`` is how many of these
    Canary saw. ``waited`` is None if it is unknown; so is ``ran``, which is None also while nobody
    has claimed the job. ``claimed_at`` is when the current claim began; for an ended job, the claim
    that it ended under.
    """

    state: JobState
    since: datetime
    waited: float | None
    ran: float | None
    claims: int = 0
    claimed_at: datetime | None = None

    @classmethod
    def posted(cls, at: datetime) -> "Durations":
        """Return the durations of a job that was posted at ``at``."""
        return cls(JobState.UNCLAIMED, at, 0.0, None)

    @classmethod
    def unknown(cls, state: JobState, since: datetime) -> "Durations":
        """Return the durations of a job whose moves before ``since`` are unknown."""
        claimed_at = since if state is JobState.CLAIMED else None
        return cls(state, since, None, None, int(state is JobState.CLAIMED), claimed_at)

    @property
    def is_plausible(self) -> bool:
        """Whether a job on its board can have these durations."""
        times = [time for time in (self.waited, self.ran) if time is not None]
        is_claimed = self.state is JobState.CLAIMED
        return (
            all(time >= 0 for time in times)
            and (self.claimed_at is not None) is is_claimed
            and self.claims >= is_claimed
        )

    def waiting(self, at: datetime) -> float | None:
        """Return for how many seconds the job had waited at ``at``; None if unknown."""
        if self.waited is None or self.state is not JobState.UNCLAIMED:
            return self.waited
        return self.waited + self._passed(at)

    def running(self, at: datetime) -> float | None:
        """Return for how many seconds it had run at ``at``; None if unknown, or never claimed."""
        if self.ran is None or self.state is not JobState.CLAIMED:
            return self.ran
        return self.ran + self._passed(at)

    @property
    def waiting_from(self) -> datetime | None:
        """When a waiting job would have been posted, had it never been claimed in between."""
        if self.waited is None or self.state is not JobState.UNCLAIMED:
            return None
        return self.since - timedelta(seconds=self.waited)

    @property
    def running_from(self) -> datetime | None:
        """When a running job would have been claimed, had it been claimed only once."""
        if self.ran is None or self.state is not JobState.CLAIMED:
            return None
        return self.since - timedelta(seconds=self.ran)

    def after(self, kind: Kind, moment: datetime, outcome: Outcome | None = None) -> "Durations":
        """Return the durations after a claim, an abandoning or the end came at ``moment``."""
        spent = replace(
            self,
            since=max(self.since, moment),
            waited=self.waiting(moment),
            ran=self.running(moment),
        )
        if kind is Kind.CLAIMED:
            is_known = spent.waited is not None
            return replace(
                spent,
                state=JobState.CLAIMED,
                ran=(spent.ran or 0.0) if is_known else None,
                claims=self.claims + 1,
                claimed_at=moment,
            )
        if kind is Kind.ABANDONED:
            return replace(spent, state=JobState.UNCLAIMED, claimed_at=None)
        if kind in ENDINGS:
            # A job last seen unclaimed may have been claimed before its end.
            is_unseen = outcome is Outcome.UNKNOWN and self.state is JobState.UNCLAIMED
            if is_unseen:
                spent = replace(spent, waited=None, ran=None)
            return replace(spent, state=JobState.COMPLETE)
        raise ValueError(f"{kind} is no move of a job")

    def _passed(self, at: datetime) -> float:
        return max(0.0, (at - self.since).total_seconds())
