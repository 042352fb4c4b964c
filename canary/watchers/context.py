"""What all watches of one worker share."""

from dataclasses import dataclass, field

from canary.clock import CLOCK, Clock
from canary.model.payload.masking import Masker
from canary.observer import NOBODY, Observer
from canary.watchers.agreement import Together
from canary.watchers.budget import Budget
from canary.watchers.ensemble_clock import EnsembleClock
from canary.watchers.turns import Turns
from canary.zookeeper import Client, Pulse


@dataclass(slots=True)
class Tally:
    """How many boards were compared with ZooKeeper, and how many differences were found."""

    reconciled: int = 0
    drift: int = 0


@dataclass(frozen=True, slots=True)
class WatchContext:
    """The connection to ZooKeeper, its pulse, and the reconcile interval of a board in seconds.

    ``ensemble_clock`` is ZooKeeper's clock; ``clock`` is the one by which this process waits and
    measures. ``observer`` is called after each round. ``masker`` masks what is read. Without
    ``together``, the documents of each board are read in a query of their own.
    """

    client: Client
    pulse: Pulse
    reconcile_interval: float
    budget: Budget = field(default_factory=Budget)
    ensemble_clock: EnsembleClock = field(default_factory=EnsembleClock)
    clock: Clock = CLOCK
    tally: Tally = field(default_factory=Tally)
    together: Together | None = None
    observer: Observer = NOBODY
    turns: Turns = field(default_factory=Turns)
    masker: Masker = field(default_factory=Masker)
