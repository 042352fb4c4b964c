"""The options of `[server]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Whole
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The API and the dashboard."""

    host: str = option("127.0.0.1", kinds.HOST, "The address on which it listens.")
    port: int = option(8080, Whole(0, 65535), "Its port; 0 for any that is free.")
    workers: int = option(1, Whole(1, 1000), "How many processes answer requests.")
    max_streams: int = option(
        1000,
        Whole(1, 1_000_000),
        "How many event streams one process serves; who comes after that is told to try later.",
    )
