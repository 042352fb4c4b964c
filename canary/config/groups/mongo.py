"""The options of `[mongo]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import DAY, Decimal, Flag, Whole
from canary.config.option import option, secret

#: Seconds. The most that MongoDB takes as expireAfterSeconds.
MAX_TTL = 2_147_483_647


@dataclass(frozen=True, slots=True)
class MongoOptions:
    """MongoDB (a replica set or a sharded cluster), which holds the live state and every change."""

    uri: str = option(
        "mongodb://127.0.0.1:27017/",
        kinds.MONGO_URI,
        "MongoDB's URI. A user and a password are better set with the options username and "
        "password, which win over the URI.",
        secret=True,
    )
    database: str = option(
        "canary", kinds.DATABASE, "The database. It is created if it does not exist."
    )
    username: str | None = option(None, kinds.ANY, "The user name.", needs="password")
    password: str | None = secret("The user's password, not percent-encoded.", needs="username")
    tls: bool = option(False, Flag(), "Whether to connect with TLS. The URI can turn it on, too.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The certificate authorities to trust; if not set, the system's.",
        needs="tls",
    )
    cert_key_file: str | None = option(
        None, kinds.FILE, "Canary's own certificate and private key, both in one file.", needs="tls"
    )
    cert_key_password: str | None = secret(
        "The password of that private key.", needs="cert_key_file"
    )
    timeout: float = option(
        10.0,
        Decimal(0.1, 300, unit="seconds"),
        "How long one operation may take, retries included.",
    )
    change_ttl: int = option(
        7 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long changes are kept. Must not be less than [canary] interval.",
    )
    ended_job_ttl: int = option(
        7 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long jobs that have ended are kept. Must not be less than [canary] interval.",
    )
