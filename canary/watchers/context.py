"""What all watches of one worker share."""

from dataclasses import dataclass, field

from canary.observer import NOBODY, Observer
from canary.watchers.budget import Budget
from canary.watchers.together import Together
from canary.zookeeper import Client, Pulse


@dataclass(slots=True)
class Tally:
    """How many boards were compared with ZooKeeper, and how many differences were found."""

    reconciled: int = 0
    drift: int = 0


@dataclass(frozen=True, slots=True)
class WatchContext:
    """The connection to ZooKeeper, its pulse, and every how many seconds a board is reconciled.

    ``observer`` is told of each round. Without ``together`` each board's documents are read alone.
    """

    client: Client
    pulse: Pulse
    reconcile_interval: float
    budget: Budget = field(default_factory=Budget)
    tally: Tally = field(default_factory=Tally)
    together: Together | None = None
    observer: Observer = NOBODY
