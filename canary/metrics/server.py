"""What each process of the server counts, exposed as sums over all processes.

prometheus_client keeps the numbers of each process in files in one folder. The process that is
scraped sums those of all processes. prometheus_client takes the folder from the environment when it
is first imported, so nothing that the server imports at its start may import this module: see
``canary.server.http.metrics_folder``.

Promises: the numbers of a process that has ended still count, except its connected clients.
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

#: HTTP allows any other method, too: these are all counted as ``OTHER``.
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER: Final = "other"

TRIES: Final = 50
PAUSE: Final = 0.01  # seconds


class ServerMetrics:
    """One process's metrics, in ``registry``, exposed together with what ``boards`` collects.

    ``folder`` is where all processes keep their files; None if this is the only process.
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
        self._log_dropped = catalogue.LOG_DROPPED.counter(registry)
        self._log_dropped_before = 0

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of the server."""
        return chain(self._boards.collect(), self._counted.collect())

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and their content type; ``accept`` chooses the format."""
        return exposed(self, accept)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. ``route`` is a template; the answer began after ``seconds``."""
        method = method if method in METHODS else OTHER
        self._requests.labels(route, method, status).inc()
        self._duration.labels(route, method).observe(seconds)

    def lost_lines(self, dropped: int) -> None:
        """Count dropped lines of the log; ``dropped`` is their number in this process so far."""
        self._log_dropped.inc(dropped - self._log_dropped_before)
        self._log_dropped_before = dropped

    def came(self) -> None:
        """Count a client that has connected to the event stream."""
        self._clients.inc()

    def went(self) -> None:
        """Count a client that has left the event stream."""
        self._clients.dec()

    def dropped(self) -> None:
        """Count a client that was dropped for being too slow; ``went`` is called for it, too."""
        self._dropped.inc()

    def sent(self, events: int) -> None:
        """Count events that were sent to one client."""
        self._events.inc(events)


class _Processes(Collector):
    """The numbers of all processes, from their files in ``folder``.

    prometheus_client raises if a process is just creating its file, or if the file of a process
    that ended is just being removed. A retry shortly after succeeds.
    """

    def __init__(self, folder: Path) -> None:
        self._files = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Return the sums over all processes."""
        for _ in range(TRIES - 1):
            try:
                return list(self._files.collect())  # type: ignore[no-untyped-call]
            except (struct.error, FileNotFoundError):
                time.sleep(PAUSE)
        return list(self._files.collect())  # type: ignore[no-untyped-call]
