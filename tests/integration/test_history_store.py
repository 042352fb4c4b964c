"""Checkpoints in a real Cassandra, taken from a real MongoDB."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any

import gevent
import pytest
from cassandra.cluster import Session
from gevent.event import Event
from pymongo.database import Database

from canary.config import CassandraOptions, MongoOptions, load
from canary.errors import StoreError, StoreRefused, StoreUnavailable
from canary.stores.cassandra import checkpoints as history_module
from canary.stores.cassandra.checkpoints import BUCKET_ROWS, CheckpointStore
from canary.stores.cassandra.cluster import make_cluster
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.mongo.documents import Document
from canary.stores.writing.take import LiveStore
from canary.worker import checkpointer as checkpointer_module
from canary.worker.checkpointer import Checkpointer
from devstack import control
from tests.integration.hand_watch import HandWatch, busy_history, now
from tests.integration.proxy import Proxy
from tests.unit.board_history import History
from tests.waiting import eventually

pytestmark = pytest.mark.cassandra
PATH = "/lbaas/jobs"
HOSTILE = (
    b'{"uuid": "u", "name": "n", "a": 1%s}' % (b"0" * 400),
    b'{"uuid": "\\u0000", "name": "\\ud800\\u0000", "a\\u0000": "\\udfff"}',
    b'{"uuid": "u", "name": "n", "a": "%s"}' % (b'\\"' * 8_000),
    b'{"uuid": "%s", "name": "\xf0\x9f\x90\xa6"}' % (b"\xf0\x9f\x90\xa6" * 1024),
    b"\x00\xff" * 1000,
    b"[" * 100_000,
    b"",
)


@pytest.fixture(scope="module")
def options() -> Iterator[CassandraOptions]:
    """A keyspace for this module; boards are apart by their paths."""
    options = replace(load(environ=dict(os.environ)).cassandra, keyspace=f"t{os.getpid()}")
    yield options
    cluster = make_cluster(options, 5.0)
    cluster.connect().execute(f"DROP KEYSPACE IF EXISTS {options.keyspace}", timeout=30)
    cluster.shutdown()


@pytest.fixture
def history(options: CassandraOptions) -> Iterator[CheckpointStore]:
    store = CheckpointStore(options)
    yield store
    store.close()


@pytest.fixture
def cql(options: CassandraOptions) -> Iterator[Session]:
    cluster = make_cluster(options, 5.0)
    yield cluster.connect()
    cluster.shutdown()


@pytest.fixture
def database(corner: str) -> Iterator[Database[Document]]:
    forever = 2**31 - 1
    options = MongoOptions(
        uri=os.environ["OS_MONGO__URI"],
        database=corner,
        change_ttl=forever,
        ended_job_ttl=forever,
    )
    database = connect(options)
    ensure_schema(database, options)
    yield database
    database.client.drop_database(corner)
    database.client.close()


def watch(database: Database[Document], path: str, history: History | None = None) -> HandWatch:
    board = LiveStore(database, "worker").take(path, 7, lambda: True, now())
    return HandWatch(history or busy_history(), board)


def checkpointer(
    database: Database[Document], history: CheckpointStore, *paths: str, interval: float = 300
) -> Checkpointer:
    return Checkpointer(database, history, interval, lambda: paths)


def today() -> Any:
    return datetime.now(UTC).date()


def utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def board_document(path: str, epoch: int = 7, revision: int = 3) -> Document:
    return {"_id": path, "epoch": epoch, "revision": revision, "stat": None}


def job_documents(count: int) -> Iterator[Document]:
    """Jobs as MongoDB holds them, with nothing in them that is not the same for all."""
    for number in range(count):
        yield {
            "_id": f"{number:016x}",
            "name": f"job{number:010d}",
            "czxid": number,
            "uuid": "u",
            "job_name": "n",
            "state": "UNCLAIMED",
            "owner": None,
            "lock": None,
            "at": now(),
            "seen_at": now(),
            "payload": None,
        }


class TestSchema:
    def test_nothing_is_made_where_that_is_not_allowed(
        self, options: CassandraOptions, corner: str
    ) -> None:
        store = CheckpointStore(replace(options, keyspace=corner, create_schema=False))
        for _ in range(2):
            with pytest.raises(StoreRefused) as refused:
                store.open()
            assert str(refused.value) == (
                f"Cassandra has no table checkpoint_rows or checkpoints in the keyspace {corner}:"
                " create the missing tables, or start canary-worker with"
                " [cassandra] create_schema = true"
            )

    def test_what_a_worker_made_is_enough_for_a_server(
        self, options: CassandraOptions, history: CheckpointStore
    ) -> None:
        history.open()
        history.open()
        server = CheckpointStore(replace(options, create_schema=False))
        assert server.headers("/nowhere", today()) == []
        server.ping(2.0)
        server.close()

    def test_two_may_open_at_once(self, options: CassandraOptions, corner: str) -> None:
        stores = [CheckpointStore(replace(options, keyspace=corner)) for _ in range(2)]
        doing = [gevent.spawn(store.open) for store in stores for _ in range(2)]
        gevent.joinall(doing, raise_error=True)
        for store in stores:
            assert store.headers(PATH, today()) == []
            store.close()

    def test_a_replication_that_cassandra_does_not_know_is_refused(
        self, options: CassandraOptions, corner: str
    ) -> None:
        wrong = replace(options, keyspace=corner, replication="{'class': 'NoStrategy', 'x': 1}")
        with pytest.raises(StoreRefused, match="NoStrategy"):
            CheckpointStore(wrong).open()


class TestCheckpoint:
    def test_every_column_comes_back(
        self, database: Database[Document], history: CheckpointStore
    ) -> None:
        path = f"{PATH}/every"
        board = busy_history(2_480)
        for payload in HOSTILE:
            board.post(payload)
        for name in ("folder \N{BIRD}", "job", "a#b", "$x.y", "'; DROP TABLE"):
            board.create_child(name)
        for name in board.jobs()[5:300]:
            board.claim(name, 1)
        board.abandon(board.claimed()[-1])
        watching = watch(database, path, board)
        watching.round()
        began = now()
        header = checkpointer(database, history).take(path)
        assert header is not None
        assert history.headers(path, header.taken_at.date()) == [header]
        state = watching.state
        assert (header.board, header.epoch, header.revision) == (path, 7, watching.board.revision)
        assert header.jobs == len(state.jobs) == len(board.jobs()) == 2_488
        assert began <= header.taken_at <= now()
        rows = list(history.rows(header))
        assert {row.name for row in rows if row.kind == "node"} == state.others
        jobs = {row.name: row for row in rows if row.kind == "job"}
        assert len(rows) == len(jobs) + len(state.others)
        stored = {job["name"]: job for job in database.jobs.find({"board": path})}
        for name, job in state.jobs.items():
            row, lock = jobs[name], job.lock
            assert (row.czxid, row.uuid, row.job_name) == (job.czxid, job.uuid, job.job_name)
            assert (row.state, row.id) == (job.state.value, stored[name]["_id"])
            assert (utc(row.posted_at), utc(row.seen_at)) == (job.at, job.seen_at)
            assert (row.owner, row.lock_czxid, row.lock_session, utc(row.claimed_at)) == (
                (lock.owner, lock.czxid, lock.session, lock.at) if lock else (None,) * 4
            )
            assert json.loads(row.payload) == stored[name]["payload"]
            assert row.payload is not None

    def test_buckets_are_bounded_by_rows_and_by_bytes(
        self, history: CheckpointStore, cql: Session, options: CassandraOptions, monkeypatch: Any
    ) -> None:
        path = f"{PATH}/buckets"
        header = history.write(board_document(path), job_documents(2_500), ["x", "y"], now())
        assert (header.buckets, header.jobs) == (3, 2_500)
        count = (
            f"SELECT bucket, number FROM {options.keyspace}.checkpoint_rows WHERE board = %s"
            " ALLOW FILTERING"
        )
        rows: dict[int, list[int]] = {}
        for row in cql.execute(count, (path,)):
            rows.setdefault(row.bucket, []).append(row.number)
        assert {bucket: len(numbers) for bucket, numbers in rows.items()} == {
            0: BUCKET_ROWS,
            1: BUCKET_ROWS,
            2: 502,
        }
        assert sorted(rows[0]) == list(range(BUCKET_ROWS))
        monkeypatch.setattr(history_module, "BUCKET_BYTES", 10_000)
        payload = {"text": "x" * 3_000}
        large = ({**job, "payload": payload} for job in job_documents(10))
        assert history.write(board_document(path, 8), large, [], now()).buckets == 5

    def test_rows_and_header_have_a_time_to_live(
        self, options: CassandraOptions, cql: Session
    ) -> None:
        path = f"{PATH}/ttl"
        store = CheckpointStore(replace(options, ttl=5_000))
        store.write(board_document(path), job_documents(3), ["x"], now())
        store.close()
        for table, column in (("checkpoint_rows", "name"), ("checkpoints", "buckets")):
            found = list(
                cql.execute(
                    f"SELECT TTL({column}) FROM {options.keyspace}.{table} WHERE board = %s"
                    " ALLOW FILTERING",
                    (path,),
                )
            )
            assert found
            assert all(4_900 < row[0] <= 5_000 for row in found)

    def test_one_that_broke_off_is_none(self, history: CheckpointStore) -> None:
        path = f"{PATH}/half"
        whole = history.write(board_document(path), job_documents(3), [], now())

        def broken() -> Iterator[Document]:
            yield from job_documents(1_500)
            raise StoreUnavailable("MongoDB went away")

        with gevent.Timeout(20), pytest.raises(StoreUnavailable, match="went away"):
            history.write(board_document(path, 8), broken(), [], now())
        assert history.headers(path, today()) == [whole]

    def test_a_late_writer_overwrites_nothing(self, history: CheckpointStore) -> None:
        path, moment = f"{PATH}/late", now()
        new = history.write(board_document(path, 9, 50), job_documents(20), ["x"], moment)
        late = history.write(board_document(path, 8, 40), job_documents(2), [], moment)
        assert history.headers(path, moment.date()) == [new, late]
        assert sum(row.kind == "job" for row in history.rows(new)) == 20
        assert sum(row.kind == "job" for row in history.rows(late)) == 2

    def test_a_day_is_in_utc_and_moments_are_kept_to_the_millisecond(
        self, history: CheckpointStore
    ) -> None:
        path = f"{PATH}/day"
        moment = datetime.fromisoformat("2026-03-01T00:30:00.123456+02:00")
        header = history.write(board_document(path), [], [], moment)
        assert header.taken_at.isoformat() == "2026-02-28T22:30:00.123000+00:00"
        assert history.headers(path, header.taken_at.date()) == [header]
        assert history.headers(path, moment.date()) == []


class TestAway:
    def test_it_is_looked_for_every_second_however_long_it_is_away(
        self, options: CassandraOptions
    ) -> None:
        delays = make_cluster(options, 5.0).reconnection_policy.new_schedule()
        assert set(islice(delays, 1_000)) == {1.0}

    @pytest.mark.faults
    def test_a_cassandra_that_stands_still_or_is_killed_and_comes_back(
        self, options: CassandraOptions, history: CheckpointStore
    ) -> None:
        path = f"{PATH}/away"
        history.write(board_document(path), job_documents(3), [], now())
        fresh = CheckpointStore(options)
        control.freeze("cassandra")
        try:
            began = now()
            with pytest.raises(StoreUnavailable):
                fresh.open()
            assert now() - began < timedelta(seconds=50)
            began = now()
            with pytest.raises(StoreUnavailable):
                fresh.ping(1.0)
            assert now() - began < timedelta(seconds=10)
            with pytest.raises(StoreUnavailable):
                history.ping(1.0)
        finally:
            control.thaw("cassandra")
        eventually(lambda: answers(history), why="an open store works after a freeze")
        control.stop("cassandra")
        try:
            for store in (history, fresh):
                began = now()
                with pytest.raises(StoreUnavailable, match=r"^Cassandra ") as refused:
                    store.write(board_document(path, 9), job_documents(3), [], now())
                assert now() - began < timedelta(seconds=50)
                assert "\n" not in str(refused.value)
        finally:
            control.start("cassandra")
            control.wait_ready("cassandra")
        for store in (history, fresh):
            eventually(partial(answers, store), why="it is found again")
            store.write(board_document(path, 10), job_documents(3), [], now())
        assert {header.epoch for header in history.headers(path, today())} == {7, 10}
        fresh.close()


def answers(store: CheckpointStore) -> bool:
    try:
        store.ping(1.0)
    except StoreError:
        return False
    return True


class TestStart:
    """What a worker does with Cassandra before it has a board."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checkpointer_module, "MAX_PAUSE", 0.02)
        monkeypatch.setattr(checkpointer_module, "RETRY_DELAY", 0.1)

    @contextmanager
    def taking(self, database: Database[Document], options: CassandraOptions) -> Iterator[None]:
        stopping, history = Event(), CheckpointStore(options)
        running = gevent.spawn(checkpointer(database, history).run, stopping)
        try:
            yield
        finally:
            stopping.set()
            running.join(timeout=50)
            history.close()
        assert running.successful()

    def test_the_schema_is_made(
        self, database: Database[Document], options: CassandraOptions, corner: str
    ) -> None:
        with self.taking(database, replace(options, keyspace=corner)):
            eventually(partial(has_schema, options, corner))

    def test_it_is_made_once_cassandra_is_there(
        self,
        database: Database[Document],
        options: CassandraOptions,
        corner: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with Proxy(f"{options.cluster[0]}:{options.port}") as proxy:
            port = int(proxy.address.rpartition(":")[2])
            with proxy.away(), self.taking(database, replace(options, keyspace=corner, port=port)):
                eventually(lambda: len(proxy.attempts) > 1)
                proxy._refusing = False
                eventually(partial(has_schema, options, corner))
        [told] = [each for each in caplog.records if "can't be written" in each.message]
        assert told.levelname == "WARNING"
        assert told.message.startswith("checkpoints can't be written: Cassandra does not answer: ")

    def test_a_refusal_is_said_at_once(
        self,
        database: Database[Document],
        options: CassandraOptions,
        corner: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        refusing = replace(options, keyspace=corner, create_schema=False)
        with self.taking(database, refusing):
            eventually(lambda: [each for each in caplog.records if each.levelname == "ERROR"])
        [said] = [each.message for each in caplog.records if each.levelname == "ERROR"]
        assert said.startswith("checkpoints can't be written: Cassandra has no table ")
        assert "[cassandra] create_schema = true" in said


def has_schema(options: CassandraOptions, keyspace: str) -> bool:
    """Tell whether all is there that a reader needs, who may make nothing."""
    reader = CheckpointStore(replace(options, keyspace=keyspace, create_schema=False))
    try:
        reader.open()
    except (StoreRefused, StoreUnavailable):  # of a table that is just being made, either
        return False
    reader.close()
    return True


class TestCheckpointer:
    def test_one_at_first_sight_and_then_one_an_interval(
        self,
        database: Database[Document],
        history: CheckpointStore,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(checkpointer_module, "MAX_PAUSE", 0.02)
        first, later, unseen = (f"{PATH}/{name}" for name in ("first", "later", "unseen"))
        watch(database, first).round()
        new = watch(database, later)
        watch(database, unseen)
        watched = {first, later, unseen}

        def count(path: str) -> int:
            return len(history.headers(path, today()))

        @contextmanager
        def taking(interval: float) -> Iterator[None]:
            stopping = Event()
            taker = Checkpointer(database, history, interval, lambda: watched)
            running = gevent.spawn(taker.run, stopping)
            try:
                yield
            finally:
                stopping.set()
                running.join(timeout=50)
            assert running.successful()

        with taking(3600.0):
            eventually(lambda: count(first) == 1)
            assert count(later) == 0
            new.round()  # looked at for the first time only now
            eventually(lambda: count(later) == 1)
        with taking(1.0):
            eventually(lambda: count(first) >= 4)
            watched.remove(first)
            gone, more = count(first), count(later)
            eventually(lambda: count(later) >= more + 2)
            assert count(first) <= gone + 1
        taken = [header.taken_at for header in history.headers(first, today())[:3]]
        assert all(after - before > timedelta(seconds=0.9) for after, before in pairwise(taken))
        assert count(unseen) == 0

    def test_one_that_fails_does_not_hold_up_the_others_and_is_tried_again(
        self,
        database: Database[Document],
        history: CheckpointStore,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(checkpointer_module, "MAX_PAUSE", 0.02)
        monkeypatch.setattr(checkpointer_module, "RETRY_DELAY", 0.1)
        bad, good = f"{PATH}/a-bad", f"{PATH}/b-good"
        for path in (bad, good):
            watch(database, path).round()
        write, failing = history.write, [True]

        def refusing(board: Document, *rest: Any) -> Any:
            if board["_id"] == bad and failing:
                raise StoreRefused("not this one")
            return write(board, *rest)

        monkeypatch.setattr(history, "write", refusing)
        stopping = Event()
        taking = checkpointer(database, history, bad, good)
        running = gevent.spawn(taking.run, stopping)
        eventually(lambda: history.headers(good, today()))
        assert not history.headers(bad, today())
        failing.clear()
        eventually(lambda: history.headers(bad, today()))
        stopping.set()
        running.join(timeout=5)
        told = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert 1 <= told.count("a checkpoint can't be written: not this one") <= 2

    def test_it_sees_one_moment_while_others_write(
        self, database: Database[Document], history: CheckpointStore
    ) -> None:
        path = f"{PATH}/moment"
        board = History()
        for _ in range(200):
            board.post()
        watching = watch(database, path, board)
        watching.round()
        writing = True

        def write() -> None:
            while writing:
                board.post()  # one change is one job: revision and jobs go up together
                watching.round()
                gevent.sleep(0)

        writer = gevent.spawn(write)
        taking = checkpointer(database, history)
        headers = [taking.take(path) for _ in range(3)]
        writing = False
        writer.join()
        revisions = set()
        for header in headers:
            assert header is not None
            assert header.jobs == header.revision
            assert sum(1 for _ in history.rows(header)) == header.jobs
            revisions.add(header.revision)
        assert len(revisions) == 3

    def test_a_board_that_was_never_looked_at_has_none(
        self, database: Database[Document], history: CheckpointStore
    ) -> None:
        taking = checkpointer(database, history)
        assert taking.take(f"{PATH}/nowhere") is None
        watch(database, f"{PATH}/taken")
        assert taking.take(f"{PATH}/taken") is None

    def test_mongodb_away_is_said_in_one_line(self, history: CheckpointStore) -> None:
        away = connect(MongoOptions(uri="mongodb://127.0.0.1:1/", timeout=0.3))
        with pytest.raises(StoreUnavailable, match=r"^MongoDB does not answer: "):
            checkpointer(away, history).take(PATH)
        away.client.close()
