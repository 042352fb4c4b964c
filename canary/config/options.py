"""Every option of Canary: its name, type, default, kind and help, each written once, here.

A group of the configuration is a frozen dataclass; its fields are the options. From the fields come
oslo.config's options (`list_opts`), the loader's checks and the sample. A class made by hand, as
tests do, is not checked; what `load` returns is. Durations are in seconds. The `repr` of a group
leaves its secrets out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from oslo_config import cfg

from canary.config import kinds
from canary.config.kinds import Choice, Decimal, Flag, Whole, Words
from canary.config.option import Option, option, secret

#: Seconds. What MongoDB takes for expireAfterSeconds, and Cassandra for a time to live (20 years).
_MONGO_MAX_TTL, _CASSANDRA_MAX_TTL = 2_147_483_647, 630_720_000
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """What Canary watches, and how it runs its own jobs."""

    path: tuple[str, ...] = option(
        (),
        Words(kinds.BOARD, at_least=0),
        "The boards that canary-producer registers when it is run without words, as from cron. "
        "A path that has a comma in it can only be given to `canary-producer add`.",
    )
    interval: int = option(
        3600,
        Whole(1, _MONGO_MAX_TTL, unit="seconds"),
        "How long /v1.0/jobs goes on listing a job that has ended, unless the request says.",
    )
    jobboard: str = option(
        "/canary/jobs",
        kinds.BOARD,
        "Canary's own jobboard, on which each watched board is a job. All workers of one "
        "installation share it.",
    )
    name: str = option(
        "canary",
        kinds.WORKER_NAME,
        "The name with which a worker registers as a TaskFlow conductor and claims watch jobs.",
    )
    max_boards: int = option(
        1000, Whole(1, 1_000_000), "How many boards one worker watches at the same time."
    )
    reconcile_interval: float = option(
        60.0,
        Decimal(1, 86_400, unit="seconds"),
        "How often all of a board is read again and compared with what is stored of it. There is "
        "no difference unless Canary has a defect; one is mended, counted and logged.",
    )


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
        7 * _DAY,
        Whole(1, _MONGO_MAX_TTL, unit="seconds"),
        "How long changes are kept. Not less than [canary] interval.",
    )
    ended_job_ttl: int = option(
        7 * _DAY,
        Whole(1, _MONGO_MAX_TTL, unit="seconds"),
        "How long jobs that have ended are kept. Not less than [canary] interval.",
    )


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
        300, Whole(1, _DAY, unit="seconds"), "How often each board is written."
    )
    ttl: int = option(
        30 * _DAY,
        Whole(1, _CASSANDRA_MAX_TTL, unit="seconds"),
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


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the programs write to standard error."""

    level: str = option(
        "INFO", Choice(("DEBUG", "INFO", "WARNING", "ERROR")), "The least that is written."
    )
    format: str = option(
        "text", Choice(("text", "json")), "One line an event for people, or one JSON object a line."
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All options of one process, one attribute a group. `Config()` holds the defaults."""

    canary: CanaryOptions = field(default_factory=CanaryOptions)
    zookeeper: ZooKeeperOptions = field(default_factory=ZooKeeperOptions)
    mongo: MongoOptions = field(default_factory=MongoOptions)
    cassandra: CassandraOptions = field(default_factory=CassandraOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    log: LogOptions = field(default_factory=LogOptions)


#: Each group's name in files, and its class, in the order of `Config`.
GROUPS: dict[str, type[Any]] = {
    "canary": CanaryOptions,
    "zookeeper": ZooKeeperOptions,
    "mongo": MongoOptions,
    "cassandra": CassandraOptions,
    "server": ServerOptions,
    "log": LogOptions,
}


def options(group: str) -> Iterator[Option]:
    """The options of one group, in the order in which they are written above."""
    for each in fields(GROUPS[group]):
        yield Option(group=group, name=each.name, default=each.default, **each.metadata)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """All options as oslo.config's own, for oslo-config-generator and oslo-config-validator."""
    return [(group, [_opt(each) for each in options(group)]) for group in GROUPS]


def _opt(each: Option) -> cfg.Opt:
    default = list(each.default) if isinstance(each.default, tuple) else each.default
    return cfg.Opt(each.name, type=each.kind, default=default, help=each.help, secret=each.secret)
