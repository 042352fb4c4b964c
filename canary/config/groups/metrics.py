"""The options of `[metrics]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Whole
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where a worker shows its metrics, at /metrics. Those of the server are at its own address."""

    host: str = option("127.0.0.1", kinds.HOST, "The address on which the worker listens.")
    port: int = option(
        0,
        Whole(0, 65535),
        "Its port; 0 for none, so that several workers on one machine can share a file: give each "
        "its own by OS_METRICS__PORT. Nothing else is answered there, and nobody is asked who they "
        "are.",
    )
