"""Cassandra: whether it answers, its version and nodes, and whether keyspace and tables exist."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from canary.cli.checks.finding import Finding, failed, ok, warning
from canary.config import CassandraOptions
from canary.stores.cassandra import schema as cql
from canary.stores.cassandra.cluster import errors_as_ours, make_cluster

CONNECT_TIMEOUT: Final = 4.0  # seconds, for each node
CALL_TIMEOUT: Final = 4.0  # seconds
OLDEST: Final = 3
HOW_TO_REACH: Final = (
    "check [cassandra] cluster and port, and that Cassandra runs there; until it answers, no"
    " checkpoints are written. To run without Cassandra, set [cassandra] enabled = false"
)


@dataclass(frozen=True, slots=True)
class Ring:
    """A session with Cassandra, and the options that it was made with."""

    session: Any
    options: CassandraOptions


@contextmanager
def opened(options: CassandraOptions) -> Iterator[Ring]:
    """Give a session. Raises StoreError if Cassandra can't be reached."""
    cluster = make_cluster(options, CONNECT_TIMEOUT)
    try:
        with errors_as_ours():
            session = cluster.connect()
        yield Ring(session, options)
    finally:
        cluster.shutdown()


def check(ring: Ring) -> Iterator[Finding]:
    """Check the version, the nodes and Canary's schema."""
    with errors_as_ours():
        told = ring.session.execute(
            "SELECT release_version FROM system.local", timeout=CALL_TIMEOUT
        )
        version = str(told.one()[0])
    hosts = ring.session.cluster.metadata.all_hosts()
    down = sorted(str(host.address) for host in hosts if host.is_up is False)
    words = f"Cassandra {version}, {len(hosts)} {'node' if len(hosts) == 1 else 'nodes'}"
    if int(version.partition(".")[0]) < OLDEST:
        yield failed(words, "Canary needs Cassandra 3 or newer: upgrade it")
    elif down:
        yield warning(f"{words}; down: {', '.join(down)}", "restart the nodes that are down")
    else:
        yield ok(words)
    yield _schema(ring)


def _schema(ring: Ring) -> Finding:
    options = ring.options
    known = ring.session.cluster.metadata.keyspaces.get(options.keyspace)
    missing = [name for name in cql.SCHEMA if known is None or name not in known.tables]
    if not missing:
        return ok(f"keyspace {options.keyspace} has its {len(cql.SCHEMA)} tables")
    words = f"keyspace {options.keyspace} has no table {' or '.join(missing)}"
    if options.create_schema:
        return warning(words, "start canary-worker: it creates them")
    return failed(
        words,
        "have an administrator create them, or set [cassandra] create_schema = true and start"
        " canary-worker",
    )
