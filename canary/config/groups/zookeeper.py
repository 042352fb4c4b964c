"""The options of `[zookeeper]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import Decimal, Flag, Whole, Words
from canary.config.option import option, secret


@dataclass(frozen=True, slots=True)
class ZooKeeperOptions:
    """The ensemble that holds the watched boards and Canary's own."""

    hosts: tuple[str, ...] = option(
        ("127.0.0.1:2181",),
        Words(kinds.HOST_PORT, at_least=1),
        "The ensemble's servers. No path after them: boards are written with their whole path.",
    )
    session_timeout: float = option(
        10.0,
        Decimal(1, 120, unit="seconds"),
        "After how long without an answer a worker gives its boards up, so that another takes "
        "them. The servers may raise or lower it to their own bounds.",
    )
    call_timeout: float = option(
        10.0, Decimal(0.1, 120, unit="seconds"), "How long one call may wait for its answer."
    )
    max_in_flight: int = option(
        64,
        Whole(1, 200),
        "How many calls of one process may wait for their answers together. The rest queue. The "
        "bound is there because kazoo under gevent stops for good at about 280.",
    )
    username: str | None = option(
        None, kinds.DIGEST_USER, "The user for ZooKeeper's digest authentication.", needs="password"
    )
    password: str | None = secret("That user's password.", needs="username")
    use_tls: bool = option(False, Flag(), "Whether to connect by TLS.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The authorities that the servers' certificates must come from; the system's if not set.",
        needs="use_tls",
    )
    cert_file: str | None = option(None, kinds.FILE, "Canary's own certificate.", needs="use_tls")
    key_file: str | None = option(
        None, kinds.FILE, "Its private key, if not in cert_file.", needs="cert_file"
    )
    key_password: str | None = secret("The private key's password.", needs="cert_file")
    verify: bool = option(True, Flag(), "Whether the servers' certificates must be valid.")
    verify_hostname: bool = option(
        True,
        Flag(),
        "Whether a certificate must also name the host as in hosts. Means nothing without verify.",
    )
