"""Metrics that are kept separately for each board, and exposed together, with the board as a label.

prometheus_client copies a metric with all its series at each scrape. With hundreds of boards, that
would block a worker for tens of milliseconds. So each board has metrics of its own, which are
copied one board after the other, and which are dropped with the board.
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
    """The metric ``declared``, for every board that ``of`` was called with.

    ``make`` makes one board's metric from a declaration without the label ``board``.
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
        """Return the metric of a board."""
        found = self._of.get(board)
        if found is None:
            found = self._of[board] = self._make(self._declared)
        return found

    def forget(self, board: str) -> None:
        """Drop the metric of a board."""
        self._of.pop(board, None)

    def describe(self) -> Iterable[Family]:
        """Return the metric, without values."""
        return [self._family()]

    def collect(self) -> Iterable[Family]:
        """Return the metric, with values that are made while they are iterated over."""
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
