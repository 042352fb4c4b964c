"""Checkpoints in Cassandra: the whole state of a board as MongoDB holds it, at intervals.

A checkpoint's row in ``checkpoints`` is written last. Rows of children without it belong to a
checkpoint that was never finished, and no reader sees them. The key contains epoch and revision, so
a late writer overwrites nothing of another's. ``BUCKET_ROWS`` and ``BUCKET_BYTES`` keep every
partition below 100 MB. Rows expire by themselves. ``open`` makes the first call of Cassandra. Until
it has succeeded, and whenever Cassandra is away, calls raise StoreUnavailable; they work again once
it is back.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from cassandra.cluster import Cluster
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType

from canary.config import CassandraOptions
from canary.errors import StoreUnavailable
from canary.stores.cassandra import schema as cql
from canary.stores.cassandra.cluster import (
    REQUEST_TIMEOUT,
    ensure_schema,
    errors_as_ours,
    make_cluster,
)
from canary.stores.mongo.documents import Document

BUCKET_ROWS: Final = 1_000  # at most 64 KiB of payload each, twice that if it is all quotes
BUCKET_BYTES: Final = 32 * 2**20
ROW_BYTES: Final = 400  # of a row beside its texts
# Rows of one partition are sent as one mutation: single rows cost five times as much CPU. A batch
# has no more of them, since other greenlets wait while it is put together.
BATCH_ROWS: Final = 50
BATCH_BYTES: Final = 256 * 1024  # well below the 16 MB that Cassandra accepts in a mutation
CONCURRENCY: Final = 2  # batches in flight
CONNECT_TIMEOUT: Final = 5.0  # seconds
_JOB, _NODE = "job", "node"
_NODE_COLUMNS: Final = (None,) * 12  # for the columns that only jobs have
_NO_STAT: Final = dict.fromkeys(("czxid", "pzxid", "cversion", "num_children"))


@dataclass(frozen=True, slots=True)
class Header:
    """A finished checkpoint: its board, time, epoch and revision, and its size."""

    board: str
    taken_at: datetime
    epoch: int
    revision: int
    buckets: int
    jobs: int


class CheckpointStore:
    """Cassandra as Canary uses it."""

    def __init__(self, options: CassandraOptions) -> None:
        self._options = options
        self._opening = threading.Lock()
        self._cluster: Cluster | None = None
        self._session: Any = None
        self._statements: dict[str, Any] = {}

    def open(self, timeout: float = CONNECT_TIMEOUT) -> None:
        """Connect, and create the schema if that is allowed; does nothing if already open.

        ``timeout``, in seconds, is for each of the configured nodes. Raises StoreUnavailable, or
        StoreRefused if Cassandra refuses.
        """
        if self._session is not None:
            return
        if not self._opening.acquire(timeout=timeout):
            raise StoreUnavailable("Cassandra does not answer: still connecting")
        try:
            if self._session is None:
                self._connect(timeout)
        finally:
            self._opening.release()

    def _connect(self, timeout: float) -> None:
        cluster = make_cluster(self._options, timeout)
        try:
            with errors_as_ours():
                session = cluster.connect()
                ensure_schema(session, self._options)
                self._statements = {
                    text: session.prepare(text.format(keyspace=self._options.keyspace))
                    for text in cql.STATEMENTS
                }
        except BaseException:
            cluster.shutdown()
            raise
        self._cluster, self._session = cluster, session

    def close(self) -> None:
        """Close every connection."""
        cluster, self._cluster, self._session = self._cluster, None, None
        if cluster is not None:
            cluster.shutdown()

    def ping(self, timeout: float) -> None:
        """Send a small query. Raises StoreUnavailable after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self.open(timeout)
        with errors_as_ours():
            left = max(0.1, deadline - time.monotonic())
            self._session.execute("SELECT key FROM system.local", timeout=left)

    def write(
        self, board: Document, jobs: Iterable[Document], nodes: Iterable[str], taken_at: datetime
    ) -> Header:
        """Write a checkpoint of a board's document, its jobs and its other children.

        ``jobs`` and ``nodes`` are read while they are written, a batch at a time. What they raise
        is passed on, and leaves no checkpoint.
        """
        self.open()
        # Cassandra keeps milliseconds.
        taken_at = taken_at.astimezone(UTC)
        taken_at = taken_at.replace(microsecond=taken_at.microsecond // 1000 * 1000)
        key = (board["_id"], taken_at, int(board["epoch"]), int(board["revision"]))
        counts = {"buckets": 0, "jobs": 0}
        batches = self._batches(self._rows(key, jobs, nodes, counts))
        # A few at a time. If the driver got the iterator, it would read it, and MongoDB's cursor
        # behind it, in its event loop, and wait for ever if that raised.
        while some := [(batch, ()) for batch in islice(batches, CONCURRENCY)]:
            with errors_as_ours():
                execute_concurrent(self._session, some, concurrency=CONCURRENCY)
        header = Header(*key, counts["buckets"], counts["jobs"])
        stat = board["stat"] or _NO_STAT
        with errors_as_ours():
            self._session.execute(
                self._statements[cql.INSERT_HEADER],
                (
                    *(header.board, taken_at.date(), taken_at, header.epoch, header.revision),
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
                self._statements[cql.SELECT_HEADERS], (board, day), timeout=REQUEST_TIMEOUT
            )
            return [
                Header(row[0], row[1].replace(tzinfo=UTC), row[2], row[3], row[4], row[5])
                for row in rows
            ]

    def rows(self, header: Header) -> Iterator[Any]:
        """Yield the rows of a checkpoint, jobs and nodes, as named tuples of their columns.

        Their datetimes are in UTC but naive, as the driver returns them.
        """
        self.open()
        for bucket in range(header.buckets):
            with errors_as_ours():
                yield from self._session.execute(
                    self._statements[cql.SELECT_ROWS],
                    (header.board, header.taken_at, header.epoch, header.revision, bucket),
                    timeout=REQUEST_TIMEOUT,
                )

    def _batches(self, rows: Iterable["_Row"]) -> Iterator[BatchStatement]:
        """Yield the inserts of ``rows``, those of one partition together."""
        insert = self._statements[cql.INSERT_ROW]
        waiting: list[_Row] = []
        size = 0
        for row in rows:
            is_full = len(waiting) >= BATCH_ROWS or size + row.weight > BATCH_BYTES
            if waiting and (is_full or row.bucket != waiting[0].bucket):
                yield _batch(insert, waiting)
                waiting, size = [], 0
            waiting.append(row)
            size += row.weight
        if waiting:
            yield _batch(insert, waiting)

    def _rows(
        self,
        key: tuple[Any, ...],
        jobs: Iterable[Document],
        nodes: Iterable[str],
        counts: dict[str, int],
    ) -> Iterator["_Row"]:
        """Yield the rows to insert; count the buckets and jobs meanwhile."""
        bucket = number = size = 0
        columns = chain(
            (_job_columns(job) for job in jobs), ((_NODE, name, *_NODE_COLUMNS) for name in nodes)
        )
        for column in columns:
            weight = ROW_BYTES + sum(len(text) for text in column if isinstance(text, str))
            if number >= BUCKET_ROWS or (number and size + weight > BUCKET_BYTES):
                bucket, number, size = bucket + 1, 0, 0
            yield _Row(bucket, weight, (*key, bucket, number, *column, self._options.ttl))
            counts["jobs"] += column[0] == _JOB
            counts["buckets"] = bucket + 1
            number, size = number + 1, size + weight


class _Row(NamedTuple):
    """A row to insert: its partition, its approximate bytes, and its values."""

    bucket: int
    weight: int
    values: tuple[Any, ...]


def _batch(insert: Any, rows: Iterable[_Row]) -> BatchStatement:
    batch = BatchStatement(batch_type=BatchType.UNLOGGED)
    for row in rows:
        batch.add(insert, row.values)
    return batch


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
