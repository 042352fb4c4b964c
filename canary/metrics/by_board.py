"""Metrics of which each board has its own, shown together with the board as a label.

prometheus_client copies a metric with all its series at each scrape, which with hundreds of boards
would hold up a worker for tens of milliseconds. So each board's are a metric apart, copied when
their turn comes, and a board that is gone is forgotten with them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from canary.metrics.metric import Metric

BOARD: Final = "board"

M = TypeVar("M", Counter, Histogram)


class ByBoard(Generic[M]):
    """What ``declared`` says, of every board that ``of`` was asked for.

    ``make`` makes of a declaration what counts one board's; its labels are the others.
    """

    def __init__(
        self, declared: Metric, make: Callable[[Metric], M], registry: CollectorRegistry
    ) -> None:
        rest = tuple(label for label in declared.labels if label != BOARD)
        self._declared = replace(declared, labels=rest)
        self._make: Callable[[Metric], M] = make
        self._of: dict[str, M] = {}
        registry.register(self)

    def of(self, board: str) -> M:
        """Return a board's own."""
        found = self._of.get(board)
        if found is None:
            found = self._of[board] = self._make(self._declared)
        return found

    def forget(self, board: str) -> None:
        """Show a board's own no more."""
        self._of.pop(board, None)

    def describe(self) -> Iterable[Family]:
        """Return what it collects, without values."""
        return [self._family()]

    def collect(self) -> Iterable[Family]:
        """Return it with values, each made when it is asked for."""
        family = self._family()
        samples: Any = self._samples()
        family.samples = samples
        return [family]

    def _family(self) -> Family:
        return Family(self._declared.family_name, self._declared.help, self._declared.kind.value)

    def _samples(self) -> Iterator[Sample]:
        for board, own in list(self._of.items()):
            for family in own.collect():
                for sample in family.samples:
                    yield sample._replace(labels={BOARD: board, **sample.labels})
