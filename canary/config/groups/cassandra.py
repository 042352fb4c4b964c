"""The options of `[cassandra]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import DAY, Choice, Flag, Whole, Words
from canary.config.option import option, secret

#: Seconds. What Cassandra takes for a time to live (20 years).
MAX_TTL = 630_720_000


@dataclass(frozen=True, slots=True)
class CassandraOptions:
    """Cassandra: a checkpoint of every board's whole state now and then."""

    enabled: bool = option(True, Flag(), "Whether Canary writes checkpoints at all.")
    cluster: tuple[str, ...] = option(
        ("127.0.0.1",), Words(kinds.HOST, at_least=1), "Some of the ring's nodes, to begin with."
    )
    port: int = option(9042, Whole(1, 65535), "The port of CQL, the same on every node.")
    keyspace: str = option("canary", kinds.KEYSPACE, "The keyspace.")
    create_schema: bool = option(
        True,
        Flag(),
        "Whether a keyspace or table that is missing is made at start. If not, an administrator "
        "makes them.",
    )
    replication: str = option(
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        kinds.REPLICATION,
        "The replication of a keyspace that is made; one that exists keeps its own.",
    )
    local_datacenter: str | None = option(
        None, kinds.ANY, "The data centre to talk to; that of the first node reached if not set."
    )
    consistency: str = option(
        "LOCAL_QUORUM",
        Choice(("LOCAL_QUORUM", "QUORUM", "ALL", "LOCAL_ONE", "ONE", "TWO", "THREE")),
        "How many replicas must answer a write or a read.",
    )
    checkpoint_interval: int = option(
        300, Whole(1, DAY, unit="seconds"), "How often each board is written."
    )
    ttl: int = option(
        30 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long a checkpoint is kept. Not less than checkpoint_interval.",
    )
    username: str | None = option(None, kinds.ANY, "The user.", needs="password")
    password: str | None = secret("That user's password.", needs="username")
    tls: bool = option(False, Flag(), "Whether to connect by TLS.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The authorities that the nodes' certificates must come from; the system's if not set.",
        needs="tls",
    )
    cert_file: str | None = option(None, kinds.FILE, "Canary's own certificate.", needs="tls")
    key_file: str | None = option(
        None, kinds.FILE, "Its private key, if not in cert_file.", needs="cert_file"
    )
    key_password: str | None = secret("The private key's password.", needs="cert_file")
    verify: bool = option(True, Flag(), "Whether the nodes' certificates must be valid.")
