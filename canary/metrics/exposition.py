"""A registry's text, made without holding up anybody.

Hundreds of boards are tens of thousands of lines, and what makes them would keep every other
greenlet waiting meanwhile. So they have their turn after every ``BREATH`` samples.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import gevent
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BREATH: Final = 200  # samples: about a millisecond


class _Unhurried:
    """A registry whose samples come with pauses."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            samples: Any = _paced(metric.samples)
            metric.samples = samples
            yield metric


def exposed(registry: Collector, accept: str) -> tuple[bytes, str]:
    """Return what ``registry`` holds and its content type, in a format that ``accept`` allows.

    ``accept`` is the header of that name. What it holds may change while it is read.
    """
    encoder, content_type = choose_encoder(accept)
    return encoder(_Unhurried(registry)), content_type


def _paced(samples: Iterable[Any]) -> Iterator[Any]:
    for number, sample in enumerate(samples, 1):
        yield sample
        if number % BREATH == 0:
            gevent.sleep(0)
