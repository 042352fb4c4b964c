"""The state of a worker's parts, read at each scrape. Nothing here waits or does I/O.

The parts are protocols, so that they do not depend on the metrics.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from canary.metrics import catalogue
from canary.metrics.metric import Family, Metric
from canary.metrics.worker import WorkerMetrics
from canary.model.freshness import Freshness


class Watch(Protocol):
    """One board's watch."""

    path: str

    @property
    def freshness(self) -> Freshness:
        """The freshness that is shown for its board."""

    @property
    def waiting(self) -> tuple[int, int]:
        """How many changes wait to be written, and about how many bytes of memory they take."""


class Heart(Protocol):
    """The heartbeat."""

    @property
    def watches(self) -> Collection[Watch]:
        """All watches of this worker."""

    def age(self) -> float:
        """Return how many seconds ago MongoDB accepted the last heartbeat."""


class Claims(Protocol):
    """The claims on watch jobs."""

    made: int
    abandoned: int


class Tally(Protocol):
    """What comparisons of boards have found."""

    reconciled: int
    drift: int


class Connection(Protocol):
    """The connection to ZooKeeper."""

    connections: int


class Checkpoints(Protocol):
    """The checkpoints."""

    interval: float
    written: int
    failed: int

    def ages(self) -> Mapping[str, float]:
        """Return the age of each board's last checkpoint in seconds, by path."""


class Log(Protocol):
    """The log."""

    dropped: int


@dataclass(frozen=True, slots=True, eq=False)  # a registry tells collectors apart by identity
class Parts:
    """A collector of the state of one worker. ``checkpoints`` is None without Cassandra."""

    counted: WorkerMetrics
    heart: Heart
    claims: Claims
    tally: Tally
    connection: Connection
    checkpoints: Checkpoints | None
    log: Log

    def describe(self) -> Iterable[Family]:
        """Yield the metrics, without values."""
        return (metric.family() for metric in catalogue.ASKED_OF_WORKER)

    def collect(self) -> Iterable[Family]:
        """Yield the metrics, with values."""
        watches = self.heart.watches
        self.counted.forget_all_but({watch.path for watch in watches})
        by_freshness = Counter(watch.freshness for watch in watches)
        yield catalogue.BOARDS_WATCHED.family(
            ((freshness.value,), by_freshness[freshness]) for freshness in Freshness
        )
        waiting = [watch.waiting for watch in watches] or [(0, 0)]
        changes, held = zip(*waiting, strict=True)
        yield catalogue.OUTBOX_CHANGES.only(sum(changes))
        yield catalogue.OUTBOX_BYTES.only(sum(held))
        yield catalogue.OUTBOX_LARGEST_CHANGES.only(max(changes))
        yield catalogue.OUTBOX_LARGEST_BYTES.only(max(held))
        numbers: tuple[tuple[Metric, float], ...] = (
            (catalogue.HEARTBEAT_AGE, self.heart.age()),
            (catalogue.CLAIMS, self.claims.made),
            (catalogue.ABANDONS, self.claims.abandoned),
            (catalogue.RECONNECTS, max(0, self.connection.connections - 1)),
            (catalogue.RECONCILIATIONS, self.tally.reconciled),
            (catalogue.DRIFT, self.tally.drift),
            (catalogue.LOG_DROPPED, self.log.dropped),
        )
        yield from (metric.only(number) for metric, number in numbers)
        if self.checkpoints is not None:
            yield from self._of_checkpoints(self.checkpoints)

    def _of_checkpoints(self, checkpoints: Checkpoints) -> Iterable[Family]:
        yield catalogue.CHECKPOINTS.only(checkpoints.written)
        yield catalogue.CHECKPOINT_FAILURES.only(checkpoints.failed)
        yield catalogue.CHECKPOINT_AGE.family(
            ((board,), age) for board, age in checkpoints.ages().items()
        )
        yield catalogue.CHECKPOINT_INTERVAL.only(checkpoints.interval)
