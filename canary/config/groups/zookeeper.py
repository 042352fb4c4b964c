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
        "The ensemble's servers, without a path: boards are always given with their full path.",
    )
    session_timeout: float = option(
        10.0,
        Decimal(1, 120, unit="seconds"),
        "The session timeout: after this time without an answer, a worker gives up its boards and "
        "another worker takes them. ZooKeeper may raise or lower it to its own limits.",
    )
    call_timeout: float = option(
        10.0, Decimal(0.1, 120, unit="seconds"), "How long one call may wait for its answer."
    )
    max_in_flight: int = option(
        64,
        Whole(1, 200),
        "How many calls of one process may wait for answers at the same time; the others queue. "
        "The limit exists because kazoo with gevent stops for good at about 280.",
    )
    username: str | None = option(
        None,
        kinds.DIGEST_USER,
        "The user name for ZooKeeper's digest authentication.",
        needs="password",
    )
    password: str | None = secret("The user's password.", needs="username")
    use_tls: bool = option(False, Flag(), "Whether to connect with TLS.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The certificate authorities to trust; if not set, the system's.",
        needs="use_tls",
    )
    cert_file: str | None = option(None, kinds.FILE, "Canary's own certificate.", needs="use_tls")
    key_file: str | None = option(
        None,
        kinds.FILE,
        "The private key of cert_file, if it is in another file.",
        needs="cert_file",
    )
    key_password: str | None = secret("The password of that private key.", needs="cert_file")
    verify: bool = option(True, Flag(), "Whether to verify the servers' certificates.")
    verify_hostname: bool = option(
        True,
        Flag(),
        "Whether a certificate must also match the host name in hosts. Has no effect if verify is "
        "false.",
    )
