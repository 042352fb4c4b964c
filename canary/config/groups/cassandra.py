"""The options of `[cassandra]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.kinds import DAY, Choice, Flag, Whole, Words
from canary.config.option import option, secret

#: Seconds. The most that Cassandra takes as a time to live (20 years).
MAX_TTL = 630_720_000


@dataclass(frozen=True, slots=True)
class CassandraOptions:
    """Cassandra, which holds checkpoints: the whole state of every board, at intervals."""

    enabled: bool = option(True, Flag(), "Whether Canary writes checkpoints.")
    cluster: tuple[str, ...] = option(
        ("127.0.0.1",),
        Words(kinds.HOST, at_least=1),
        "Some of the cluster's nodes, to connect to first.",
    )
    port: int = option(9042, Whole(1, 65535), "The CQL port, the same on every node.")
    keyspace: str = option("canary", kinds.KEYSPACE, "The keyspace.")
    create_schema: bool = option(
        True,
        Flag(),
        "Whether a missing keyspace or table is created at start. If not, an administrator creates "
        "them.",
    )
    replication: str = option(
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        kinds.REPLICATION,
        "The replication of the keyspace if Canary creates it; an existing one is not changed.",
    )
    local_datacenter: str | None = option(
        None, kinds.ANY, "The data centre to use; if not set, that of the first node reached."
    )
    consistency: str = option(
        "LOCAL_QUORUM",
        Choice(("LOCAL_QUORUM", "QUORUM", "ALL", "LOCAL_ONE", "ONE", "TWO", "THREE")),
        "The consistency level: how many replicas must answer a write or a read.",
    )
    checkpoint_interval: int = option(
        300, Whole(1, DAY, unit="seconds"), "Time between two checkpoints of a board."
    )
    ttl: int = option(
        30 * DAY,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long a checkpoint is kept. Must not be less than checkpoint_interval.",
    )
    username: str | None = option(None, kinds.ANY, "The user name.", needs="password")
    password: str | None = secret("The user's password.", needs="username")
    tls: bool = option(False, Flag(), "Whether to connect with TLS.")
    ca_file: str | None = option(
        None,
        kinds.FILE,
        "The certificate authorities to trust; if not set, the system's.",
        needs="tls",
    )
    cert_file: str | None = option(None, kinds.FILE, "Canary's own certificate.", needs="tls")
    key_file: str | None = option(
        None,
        kinds.FILE,
        "The private key of cert_file, if it is in another file.",
        needs="cert_file",
    )
    key_password: str | None = secret("The password of that private key.", needs="cert_file")
    verify: bool = option(True, Flag(), "Whether to verify the nodes' certificates.")
