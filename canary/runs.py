"""One run of a watch job, from the try to claim it until it is abandoned."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from gevent.event import Event

from canary.claims import Claim
from canary.model.observations import Stat
from canary.registry import WatchJob


@dataclass(slots=True, eq=False)
class Run:
    """A run; ``claim`` is None until there is one, ``failure`` is what it broke off with."""

    job: WatchJob
    claim: Claim | None = None
    stop: Event = field(default_factory=Event)
    greenlet: Any = None
    started: float = field(default_factory=time.monotonic)
    failure: BaseException | None = None

    def is_gone(self, stat: Stat | None, claimed: Collection[str]) -> bool:
        """Tell whether its lock was there and is not among those ``claimed`` when ``stat`` was so.

        A look at the board that is older than the lock does not tell.
        """
        if self.claim is None or stat is None or stat.pzxid < self.claim.epoch:
            return False
        return self.job.name not in claimed

    @property
    def extra(self) -> dict[str, Any]:
        """What log records about it carry."""
        return self.claim.extra if self.claim else {"board": self.job.path, "job": self.job.name}
