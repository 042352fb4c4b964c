"""The options of `[server]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Whole, Words
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The API and the dashboard."""

    host: str = option("127.0.0.1", kinds.HOST, "The address on which the server listens.")
    port: int = option(8080, Whole(0, 65535), "The server's port; 0 for any free port.")
    workers: int = option(1, Whole(1, 1000), "How many processes answer requests.")
    max_streams: int = option(
        1000,
        Whole(1, 1_000_000),
        "How many event streams one process serves. One more is refused with 503 and Retry-After.",
    )
    streams_per_client: int = option(
        0,
        Whole(0, 1_000_000),
        "How many event streams one client may have at a time; 0 for an eighth of max_streams, at "
        "least 16 but at most three quarters. A client is the name that signed in, else the "
        "address. Each process counts for itself.",
    )
    url_prefix: str | None = option(
        None,
        kinds.PREFIX,
        "The path under which a proxy serves Canary. Requests are accepted with and without this "
        "prefix. Not needed if the proxy sends X-Forwarded-Prefix.",
    )
    trusted_proxies: tuple[str, ...] = option(
        (),
        Words(kinds.NETWORK, at_least=0),
        "The proxies whose X-Forwarded-For, -Proto, -Host and -Prefix headers are trusted. From "
        "everybody else these headers are dropped.",
    )
    allowed_hosts: tuple[str, ...] = option(
        (),
        Words(kinds.HOST, at_least=0),
        "If no way to sign in is set, only requests for this machine's own host names and for "
        "these are answered. Set the names under which browsers reach a proxy on this machine.",
    )
    rate_limit: int = option(
        10_000,
        Whole(0, 1_000_000_000),
        "How many requests a minute one client may make; 0 for no limit. A client is the name that "
        "signed in, else the address. Each process counts for itself, in its memory. Every request "
        "counts, also for the dashboard's files; an event stream counts once. /livez and /readyz "
        "have a limit of their own, 10,000 a minute.",
    )
