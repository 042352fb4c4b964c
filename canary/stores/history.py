"""Checkpoints in Cassandra: a board's whole state as MongoDB holds it, now and then.

    checkpoint_rows   one row a child,      partition (board, taken_at, epoch, revision, bucket)
    checkpoints       one row a checkpoint, partition (board, day)

The row in ``checkpoints`` is written last: children without it are of a checkpoint that was never
finished, and no reader sees them. The key holds epoch and revision, so that a late writer
overwrites nothing of another's. ``BUCKET_ROWS`` and ``BUCKET_BYTES`` keep every partition below
100 MB. Rows expire by themselves. Cassandra is first called by ``open``; until that has succeeded,
and whenever Cassandra is away, calls raise StoreUnavailable.
"""

import json
import logging
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, Final

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    InvalidRequest,
    ProtocolVersion,
    RequestExecutionException,
    Unauthorized,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.io.asyncioreactor import AsyncioConnection
from cassandra.policies import DCAwareRoundRobinPolicy, RoundRobinPolicy, TokenAwarePolicy

from canary.config import CassandraOptions
from canary.errors import StoreRefused, StoreUnavailable
from canary.stores.documents import Document

LOG = logging.getLogger(__name__)

BUCKET_ROWS: Final = 1_000  # at most 64 KiB of payload each
BUCKET_BYTES: Final = 32 * 2**20
ROW_BYTES: Final = 400  # what a row takes beside its names and payload
CONCURRENCY: Final = 16  # inserts of one checkpoint in flight
CONNECT_TIMEOUT: Final = 5.0  # seconds
REQUEST_TIMEOUT: Final = 10.0  # seconds
_JOB, _NODE = "job", "node"

# The keyspace goes into the statements as text, since CQL takes no parameter there; the option is
# checked to be a plain name when it is read.
_SCHEMA: Final = {
    "checkpoint_rows": """
    CREATE TABLE IF NOT EXISTS {keyspace}.checkpoint_rows (
        board text, taken_at timestamp, epoch bigint, revision bigint, bucket int, number int,
        kind text, name text, id text, czxid bigint, uuid text, job_name text, state text,
        owner text, lock_czxid bigint, lock_session bigint, posted_at timestamp, seen_at timestamp,
        claimed_at timestamp, payload text,
        PRIMARY KEY ((board, taken_at, epoch, revision, bucket), number)
    )
    """,
    "checkpoints": """
    CREATE TABLE IF NOT EXISTS {keyspace}.checkpoints (
        board text, day date, taken_at timestamp, epoch bigint, revision bigint,
        buckets int, jobs int, incarnation bigint, pzxid bigint, cversion int, num_children int,
        PRIMARY KEY ((board, day), taken_at, epoch, revision)
    ) WITH CLUSTERING ORDER BY (taken_at DESC, epoch DESC, revision DESC)
    """,
}
_INSERT_ROW: Final = (
    "INSERT INTO {keyspace}.checkpoint_rows (board, taken_at, epoch, revision, bucket, number,"
    " kind, name, id, czxid, uuid, job_name, state, owner, lock_czxid, lock_session, posted_at, seen_at,"
    " claimed_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " USING TTL ?"
)
_INSERT_HEADER: Final = (
    "INSERT INTO {keyspace}.checkpoints (board, day, taken_at, epoch, revision, buckets, jobs,"
    " incarnation, pzxid, cversion, num_children) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?"
)
_SELECT_HEADERS: Final = (
    "SELECT board, taken_at, epoch, revision, buckets, jobs FROM {keyspace}.checkpoints"
    " WHERE board = ? AND day = ?"
)
_SELECT_ROWS: Final = (
    "SELECT * FROM {keyspace}.checkpoint_rows WHERE board = ? AND taken_at = ? AND epoch = ?"
    " AND revision = ? AND bucket = ?"
)


@dataclass(frozen=True, slots=True)
class Header:
    """One finished checkpoint: of which board, when, at which revision, and how large."""

    board: str
    taken_at: datetime
    epoch: int
    revision: int
    buckets: int
    jobs: int


class HistoryStore:
    """Cassandra as Canary uses it."""

    def __init__(self, options: CassandraOptions) -> None:
        self._options = options
        self._cluster: Cluster | None = None
        self._session: Any = None
        self._statements: dict[str, Any] = {}

    def open(self) -> None:
        """Connect, and make the schema if that is allowed; does nothing when it is open already.

        Raises StoreUnavailable, or StoreRefused where Cassandra will not have it so.
        """
        if self._session is not None:
            return
        cluster = self._make_cluster()
        try:
            with errors_as_ours():
                session = cluster.connect()
                if self._options.create_schema:
                    self._ensure_schema(session)
                self._statements = {
                    text: session.prepare(text.format(keyspace=self._options.keyspace))
                    for text in (_INSERT_ROW, _INSERT_HEADER, _SELECT_HEADERS, _SELECT_ROWS)
                }
        except BaseException:
            cluster.shutdown()
            raise
        self._cluster, self._session = cluster, session

    def close(self) -> None:
        """Close every connection."""
        if self._cluster is not None:
            self._cluster.shutdown()
        self._cluster = self._session = None

    def ping(self, timeout: float) -> None:
        """Ask Cassandra something small. Raises StoreUnavailable after ``timeout`` seconds."""
        self.open()
        with errors_as_ours():
            self._session.execute("SELECT key FROM system.local", timeout=timeout)

    def write(
        self, board: Document, jobs: Iterable[Document], nodes: Iterable[str], taken_at: datetime
    ) -> Header:
        """Write a checkpoint of a board's document, of its jobs and of its other children."""
        self.open()
        key = (board["_id"], taken_at, board["epoch"], board["revision"])
        counts = {"buckets": 0, "jobs": 0}
        with errors_as_ours():
            rows = self._rows(key, jobs, nodes, counts)
            results = execute_concurrent_with_args(
                self._session,
                self._statements[_INSERT_ROW],
                rows,
                concurrency=CONCURRENCY,
                results_generator=True,
            )
            for success, result in results:
                if not success:
                    raise result
            stat = board["stat"] or dict.fromkeys(("czxid", "pzxid", "cversion", "num_children"))
            header = Header(*key, counts["buckets"], counts["jobs"])
            day = taken_at.astimezone(UTC).date()
            self._session.execute(
                self._statements[_INSERT_HEADER],
                (
                    *(header.board, day, header.taken_at, header.epoch, header.revision),
                    *(header.buckets, header.jobs),
                    *(stat["czxid"], stat["pzxid"], stat["cversion"], stat["num_children"]),
                    self._options.ttl,
                ),
                timeout=REQUEST_TIMEOUT,
            )
        return header

    def headers(self, board: str, day: date) -> list[Header]:
        """Return the finished checkpoints of a board on one day in UTC, the newest first."""
        self.open()
        with errors_as_ours():
            rows = self._session.execute(
                self._statements[_SELECT_HEADERS],
                (board, day),
                timeout=REQUEST_TIMEOUT,
            )
            return [
                Header(row[0], row[1].replace(tzinfo=UTC), row[2], row[3], row[4], row[5])
                for row in rows
            ]

    def rows(self, header: Header) -> Iterator[Any]:
        """Yield the rows of a checkpoint, jobs and nodes, as named tuples of their columns."""
        self.open()
        with errors_as_ours():
            for bucket in range(header.buckets):
                yield from self._session.execute(
                    self._statements[_SELECT_ROWS],
                    (header.board, header.taken_at, header.epoch, header.revision, bucket),
                    timeout=REQUEST_TIMEOUT,
                )

    def _rows(
        self,
        key: tuple[Any, ...],
        jobs: Iterable[Document],
        nodes: Iterable[str],
        counts: dict[str, int],
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows to insert, and count the buckets and jobs meanwhile."""
        bucket = number = size = 0
        columns = chain(
            (_job_columns(job) for job in jobs), ((_NODE, name, *(None,) * 12) for name in nodes)
        )
        for column in columns:
            weight = ROW_BYTES + len(column[1]) + len(column[-1] or "")
            if number >= BUCKET_ROWS or (number and size + weight > BUCKET_BYTES):
                bucket, number, size = bucket + 1, 0, 0
            yield (*key, bucket, number, *column, self._options.ttl)
            counts["jobs"] += column[0] == _JOB
            counts["buckets"] = bucket + 1
            number, size = number + 1, size + weight

    def _make_cluster(self) -> Cluster:
        options = self._options
        balancing = (
            DCAwareRoundRobinPolicy(options.local_datacenter)
            if options.local_datacenter
            else RoundRobinPolicy()
        )
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(balancing),
            consistency_level=ConsistencyLevel.name_to_value[options.consistency],
            request_timeout=REQUEST_TIMEOUT,
        )
        credentials = (
            PlainTextAuthProvider(options.username, options.password) if options.username else None
        )
        return Cluster(
            list(options.cluster),
            port=options.port,
            protocol_version=ProtocolVersion.V4,  # of Cassandra 3 to 5
            # The one event loop of the driver that works in a process patched by gevent.
            connection_class=AsyncioConnection,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            auth_provider=credentials,
            ssl_context=_tls(options) if options.tls else None,
            connect_timeout=CONNECT_TIMEOUT,
            control_connection_timeout=CONNECT_TIMEOUT,
        )

    def _ensure_schema(self, session: Any) -> None:
        keyspace, replication = self._options.keyspace, self._options.replication
        known = session.cluster.metadata.keyspaces
        if keyspace not in known:
            session.execute(
                f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}"
            )
        tables = known[keyspace].tables if keyspace in known else {}
        for table, statement in _SCHEMA.items():
            if table not in tables:
                session.execute(statement.format(keyspace=keyspace))


def _job_columns(job: Document) -> tuple[Any, ...]:
    lock = job["lock"] or {}
    return (
        _JOB,
        job["name"],
        job["_id"],
        job["czxid"],
        job["uuid"],
        job["job_name"],
        job["state"],
        job["owner"],
        lock.get("czxid"),
        lock.get("session"),
        job["at"],
        job["seen_at"],
        lock.get("at"),
        json.dumps(job["payload"]) if job["payload"] else None,
    )


def _tls(options: CassandraOptions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca_file)
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert_file:
        context.load_cert_chain(options.cert_file, options.key_file, options.key_password)
    return context


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what the driver raises in the ``with`` into StoreUnavailable or StoreRefused."""
    try:
        yield
    except (AuthenticationFailed, Unauthorized, InvalidRequest) as error:
        raise StoreRefused(f"Cassandra refuses: {error}") from error
    except NoHostAvailable as error:
        causes = list(error.errors.values()) if isinstance(error.errors, dict) else []
        if any(isinstance(cause, AuthenticationFailed) for cause in causes):
            raise StoreRefused(
                "Cassandra refuses the credentials: check [cassandra] username and password"
            ) from error
        raise StoreUnavailable(f"Cassandra does not answer: {error}") from error
    except (RequestExecutionException, DriverException, OSError) as error:
        raise StoreUnavailable(f"Cassandra could not do it now: {error}") from error
