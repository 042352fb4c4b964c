"""The text of a registry's metrics, made without blocking other greenlets.

Hundreds of boards have tens of thousands of lines. All other greenlets would wait while these are
made, so they get a turn after every ``BREATH`` samples.
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
    """Return the metrics in ``registry``, and their content type.

    ``accept`` is the request's Accept header, which chooses the format. The metrics may change
    while they are read.
    """
    encoder, content_type = choose_encoder(accept)
    return encoder(_Unhurried(registry)), content_type


def _paced(samples: Iterable[Any]) -> Iterator[Any]:
    for number, sample in enumerate(samples, 1):
        yield sample
        if number % BREATH == 0:
            gevent.sleep(0)
