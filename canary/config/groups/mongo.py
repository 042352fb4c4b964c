"""The options of `[mongo]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import DAY, Decimal, Flag, Whole
from canary.config.option import option, secret

#: Seconds. What MongoDB takes for expireAfterSeconds.
MAX_TTL = 2_147_483_647


@dataclass(frozen=True, slots=True)
class MongoOptions:
    """MongoDB, a replica set or a sharded cluster: live state, and every change as it happens."""

    uri: str = option(
        "mongodb://127.0.0.1:27017/",
        kinds.MONGO_URI,
        "Where it is. User and password are better given by their own options, which win.",
        secret=True,
    )
    database: str = option("canary", kinds.DATABASE, "The database, made if it is not there.")
    username: str | None = option(None, kinds.ANY, "The user.", needs="password")
    password: str | None = secret("That user's password, not percent-encoded.", needs="username")
    tls: bool = option(False, Flag(), "Whether to connect by TLS. The URI may say so as well.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The authorities that the servers' certificates must come from; the system's if not set.",
        needs="tls",
    )
    cert_key_file: str | None = option(
        None, kinds.FILE, "Canary's own certificate and private key, both in it.", needs="tls"
    )
    cert_key_password: str | None = secret("That private key's password.", needs="cert_key_file")
    timeout: float = option(
        10.0,
        Decimal(0.1, 300, unit="seconds"),
        "How long one operation may take, retries included.",
    )
    change_ttl: int = option(
        7 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long changes are kept. Not less than [canary] interval.",
    )
    ended_job_ttl: int = option(
        7 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long jobs that have ended are kept. Not less than [canary] interval.",
    )
