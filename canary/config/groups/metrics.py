"""The options of `[metrics]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Whole
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where a worker serves its metrics, at /metrics. The server's are at its own address."""

    host: str = option("127.0.0.1", kinds.HOST, "The address on which the worker listens.")
    port: int = option(
        0,
        Whole(0, 65535),
        "The worker's port; 0 for none. Several workers on one machine can share this file: give "
        "each its own port by OS_METRICS__PORT. Only metrics are served there, without signing in.",
    )
