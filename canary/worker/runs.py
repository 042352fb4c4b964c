"""One run of a watch job, from the try to claim it until it is abandoned."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from gevent.event import Event

from canary.model.observations import Stat
from canary.registry.registry import WatchJob
from canary.worker.claims import Claim


@dataclass(slots=True, eq=False)
class Run:
    """A run. ``started`` is when it began, in seconds by ``elapsed()`` of the conductor's clock.

    ``claim`` is None until there is one; ``failure`` is the exception that ended it.
    """

    job: WatchJob
    started: float
    claim: Claim | None = None
    stop: Event = field(default_factory=Event)
    failure: BaseException | None = None

    def is_gone(self, stat: Stat | None, claimed: Collection[str]) -> bool:
        """Return whether its lock existed and is gone.

        ``claimed`` are the names of the claimed jobs in a read of the board, ``stat`` is the stat
        of that read. Returns False if the read is older than the lock.
        """
        if self.claim is None or stat is None or stat.pzxid < self.claim.epoch:
            return False
        return self.job.name not in claimed

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of its log records."""
        return self.claim.extra if self.claim else {"board": self.job.path, "job": self.job.name}
