"""Reading what Canary shows to Prometheus, as Prometheus would."""

from collections.abc import Iterable, Mapping
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from canary.metrics.exposition import exposed
from canary.metrics.metric import Metric
from canary.model.freshness import Freshness

Labels = frozenset[tuple[str, str]]


class Scrape:
    """What one scrape brought: values by name and labels, and types and helps by metric."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[tuple[str, Labels], float] = {}
        self.types: dict[str, str] = {}
        self.helps: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert name not in self.types, "a metric comes once"
            self.types[name], self.helps[name] = family.type, family.documentation
            self.labels[name] = set()
            for sample in family.samples:
                identity = (sample.name, frozenset(sample.labels.items()))
                assert identity not in self.values, "a series comes once"
                self.values[identity] = sample.value
                self.labels[name] |= sample.labels.keys() - {"le"}

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one series, None where there is none."""
        return self.values.get((name, frozenset(labels.items())))

    def by(self, label: str, name: str, **labels: str) -> Mapping[str, float]:
        """Return the values of a metric by those of one of its labels, the others being given."""
        found = {}
        for (sample, pairs), value in self.values.items():
            if sample == name and frozenset(labels.items()) == {p for p in pairs if p[0] != label}:
                found[dict(pairs)[label]] = value
        return found

    @property
    def names(self) -> set[str]:
        """The names of all series, as queries name them."""
        return {name for name, _ in self.values}


def scrape(url: str) -> Scrape:
    """Scrape ``url``, without its path."""
    with requests.get(f"{url}/metrics", timeout=10) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return Scrape(answer.content.decode())


def read(collector: Any) -> Scrape:
    """Show and read what a collector has."""
    text, content_type = exposed(collector, "")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(text.decode())


def assert_is(told: Scrape, metrics: Iterable[Metric]) -> None:
    """Compare types and helps with those that are declared, in both directions."""
    metrics = list(metrics)
    assert told.types == {metric.name: metric.kind.value for metric in metrics}
    assert told.helps == {metric.name: metric.help for metric in metrics}
    for metric in metrics:
        if told.labels[metric.name]:
            assert told.labels[metric.name] == set(metric.labels)


def only(**numbers: float) -> dict[str, float]:
    """Return ``numbers`` by freshness, 0 for any other."""
    return {freshness.value: numbers.get(freshness.value, 0) for freshness in Freshness}
