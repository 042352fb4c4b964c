"""One metric as it is declared, and what prometheus_client makes of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

Family = CounterMetricFamily | GaugeMetricFamily
Sample = tuple[tuple[str, ...], float]  # the labels' values, and the metric's

# When each series was begun would be a second series for each.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Kind(StrEnum):
    """Those of Prometheus's types that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``buckets`` are the upper bounds of a histogram's, in the unit of its name."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def family_name(self) -> str:
        """Its name without what the type adds to it."""
        return self.name.removesuffix("_total")

    def counter(self, registry: CollectorRegistry | None = None) -> Counter:
        """Return it to be counted up."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry | None = None) -> Histogram:
        """Return it to be told observations."""
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=self.buckets)

    def gauge_of_processes(self, registry: CollectorRegistry | None = None) -> Gauge:
        """Return it to be counted up and down; those of all living processes are added up."""
        mode: Literal["livesum"] = "livesum"
        return Gauge(self.name, self.help, self.labels, registry=registry, multiprocess_mode=mode)

    def family(self, samples: Iterable[Sample] = ()) -> Family:
        """Return it as it is at one scrape."""
        kind = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family: Family = kind(self.name, self.help, labels=self.labels)
        for values, value in samples:
            family.add_metric(values, value)
        return family

    def only(self, value: float) -> Family:
        """Return it as it is at one scrape, where it has no labels."""
        return self.family([((), value)])
