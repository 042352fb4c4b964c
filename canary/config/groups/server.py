"""The options of `[server]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Whole, Words
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
    url_prefix: str | None = option(
        None,
        kinds.PREFIX,
        "The path below which a proxy shows it. Requests are taken with this path before theirs "
        "and without. Not needed where the proxy sends X-Forwarded-Prefix.",
    )
    trusted_proxies: tuple[str, ...] = option(
        (),
        Words(kinds.NETWORK, at_least=0),
        "The proxies whose X-Forwarded-For, -Proto, -Host and -Prefix are believed. From everybody "
        "else these headers are dropped.",
    )
    rate_limit: int = option(
        10_000,
        Whole(0, 1_000_000_000),
        "How many requests a minute one client may make; 0 for no limit. A client is the name that "
        "signed in, else the address. Each process counts for itself, in its memory. An event "
        "stream counts once, /livez and /readyz not at all.",
    )
