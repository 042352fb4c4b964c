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
    """A run. ``started`` is the conductor's clock's ``elapsed()``, in seconds, at its begin.

    ``claim`` is None until there is one; ``failure`` is the exception that ended it.
    """

    job: WatchJob
    started: float
    claim: Claim | None = None
    stop: Event = field(default_factory=Event)
    failure: BaseException | None = None

    def is_gone(self, stat: Stat | None, claimed: Collection[str]) -> bool:
        """Return whether its lock was there and is gone.

        It is gone if it is not among those ``claimed`` when the board had this ``stat``. A read of
        the board that is older than the lock does not count.
        """
        if self.claim is None or stat is None or stat.pzxid < self.claim.epoch:
            return False
        return self.job.name not in claimed

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of its log records."""
        return self.claim.extra if self.claim else {"board": self.job.path, "job": self.job.name}
