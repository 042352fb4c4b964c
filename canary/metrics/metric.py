"""The declaration of a metric, and prometheus_client's objects that are made from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

Family = CounterMetricFamily | GaugeMetricFamily
Sample = tuple[tuple[str, ...], float]  # the labels' values, and the metric's

# Otherwise each series has a second one, with the time when it was created.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Kind(StrEnum):
    """The types of Prometheus metrics that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``buckets`` are the upper bounds of a histogram, in the unit of its name."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def family_name(self) -> str:
        """The name without the suffix ``_total`` of a counter."""
        return self.name.removesuffix("_total")

    def counter(self, registry: CollectorRegistry | None = None) -> Counter:
        """Return a counter, registered in ``registry`` if that is not None."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry | None = None) -> Histogram:
        """Return a histogram, registered in ``registry`` if that is not None."""
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=self.buckets)

    def gauge_of_processes(self, registry: CollectorRegistry | None = None) -> Gauge:
        """Return a gauge whose values are summed over all living processes."""
        mode: Literal["livesum"] = "livesum"
        return Gauge(self.name, self.help, self.labels, registry=registry, multiprocess_mode=mode)

    def family(self, samples: Iterable[Sample] = ()) -> Family:
        """Return the metric at one scrape, with ``samples``."""
        kind = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family: Family = kind(self.name, self.help, labels=self.labels)
        for values, value in samples:
            family.add_metric(values, value)
        return family

    def only(self, value: float) -> Family:
        """Return a metric without labels at one scrape, with its only value."""
        return self.family([((), value)])
