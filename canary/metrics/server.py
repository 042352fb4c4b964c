"""What each process of the server counts, and what all of them show together.

prometheus_client keeps the numbers of a process in files of one folder, and whichever process is
scraped adds up those of all. It takes that folder from the environment when it is first imported,
so nothing that the server imports at its start may import this: see ``canary.server.processes``.

Promises: the numbers of a process that has ended still count, but for what it had under way.
"""

import struct
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from canary.metrics import catalogue
from canary.metrics.exposition import exposed

#: Anything else may be a method, says HTTP: they are all one.
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER: Final = "other"

TRIES: Final = 50
PAUSE: Final = 0.01  # seconds


class ServerMetrics:
    """One process's metrics, in ``registry``, shown together with what ``boards`` collects.

    ``folder`` is where all processes keep their files; None where there is but this one.
    """

    def __init__(self, registry: CollectorRegistry, boards: Collector, folder: Path | None) -> None:
        self._boards = boards
        self._counted: Collector = registry
        if folder is not None:
            self._counted = _Processes(folder)
        self._requests = catalogue.REQUESTS.counter(registry)
        self._duration = catalogue.REQUEST_DURATION.histogram(registry)
        self._clients = catalogue.STREAM_CLIENTS.gauge_of_processes(registry)
        self._events = catalogue.STREAM_EVENTS.counter(registry)
        self._dropped = catalogue.STREAM_DROPPED.counter(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield everything that the server shows."""
        return chain(self._boards.collect(), self._counted.collect())

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return that as text, and its content type, in a format that ``accept`` allows."""
        return exposed(self, accept)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request: its route is a template, ``seconds`` are until the answer began."""
        method = method if method in METHODS else OTHER
        self._requests.labels(route, method, status).inc()
        self._duration.labels(route, method).observe(seconds)

    def came(self) -> None:
        """Count a client of the event stream."""
        self._clients.inc()

    def went(self) -> None:
        """Count one less."""
        self._clients.dec()

    def dropped(self) -> None:
        """Count a client that was too slow; it goes as well."""
        self._dropped.inc()

    def sent(self, events: int) -> None:
        """Count events that were sent to one client."""
        self._events.inc(events)


class _Processes(Collector):
    """All processes' numbers, from their files in ``folder``.

    prometheus_client raises where a process is just making its file, or the last one's is just
    taken away; a moment later it is whole.
    """

    def __init__(self, folder: Path) -> None:
        self._files = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Return the numbers of all processes, added up."""
        for _ in range(TRIES - 1):
            try:
                return list(self._files.collect())  # type: ignore[no-untyped-call]
            except (struct.error, FileNotFoundError):
                time.sleep(PAUSE)
        return list(self._files.collect())  # type: ignore[no-untyped-call]
