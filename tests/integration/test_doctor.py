"""``canary doctor`` on real servers: well, away, frozen, and wrong in ways that it should see."""

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.security import make_acl
from pymongo.database import Database

from canary.config import Config, load
from canary.stores.cassandra.cluster import ensure_schema as ensure_cassandra_schema
from canary.stores.cassandra.cluster import make_cluster
from canary.stores.mongo.client import ensure_schema
from devstack import control
from tests.integration.boards import post_many, register
from tests.integration.conftest import Spawn
from tests.integration.own_mongod import own_mongod
from tests.integration.proxy import Proxy
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, ago, now, posted
from tests.waiting import allowed, eventually

CHECKS = [
    *("options", "cassandra", "zookeeper", "boards", "mongodb", "clocks", "workers", "freshness"),
    "server",
]
NOBODY = "http://127.0.0.1:1"
SECRET = "hunter2"
#: Seconds in which it has promised to end; on a machine that is busy with other tests, some more.
PROMISED, SLACK = 15.0, 30.0

Row = tuple[str, str, str, str]


class Doctor:
    """Runs the doctor, and holds what it said."""

    def __init__(self, run: Callable[..., Any], *words: str, **variables: str) -> None:
        begun = time.monotonic()
        self.done = run("canary", "doctor", "-f", "json", *words, **variables)
        self.seconds = time.monotonic() - begun
        assert self.done.returncode in {0, 1}, self.done.stderr
        told = json.loads(self.done.stdout)
        self.rows: list[Row] = [
            (row["check"], row["status"], row["finding"], row["advice"]) for row in told
        ]
        has_failed = any(status == "failed" for _, status, _, _ in self.rows)
        assert self.done.returncode == has_failed
        for _, status, finding, advice in self.rows:
            assert finding
            assert bool(advice) is (status in {"warning", "failed"}), (finding, advice)

    def status(self, check: str) -> set[str]:
        """Return the statuses of a check's findings."""
        return {status for name, status, _, _ in self.rows if name == check}

    def finding(self, words: str) -> Row:
        """Return the one finding with these words in it."""
        [found] = [row for row in self.rows if words in row[2]]
        return found


@pytest.fixture
def doctor(run: Callable[..., Any]) -> Callable[..., Doctor]:
    return lambda *words, **variables: Doctor(run, *words, **variables)


@pytest.fixture
def lent(fresh: str) -> str:
    """Without collections, unless a test makes them."""
    return fresh


@pytest.fixture
def schema(config: Config, database: Database[dict[str, Any]]) -> None:
    ensure_schema(database, config.mongo)


def tree(zookeeper: KazooClient, path: str) -> dict[str, Any]:
    """Return every node below ``path`` with what changes when somebody writes there."""
    try:
        children, stat = zookeeper.get_children(path, include_data=True)
    except NoNodeError:
        return {}
    found = {path: (stat.mzxid, stat.pzxid, stat.cversion, stat.aversion)}
    for child in children:
        found |= tree(zookeeper, f"{path}/{child}")
    return found


class TestWell:
    def test_everything_is_there(
        self,
        doctor: Callable[..., Doctor],
        spawn: Spawn,
        zookeeper: KazooClient,
        corner: str,
        config: Config,
    ) -> None:
        board = f"/{corner}/lbaas/jobs"
        post_many(zookeeper, _made(zookeeper, board), 3)
        register(zookeeper, config.canary.jobboard, board)
        server = Server(spawn)
        worker = spawn("canary-worker")
        eventually(lambda: _freshness(server) == ["live"], why="the board is watched")

        def examined_well() -> Doctor:
            """A machine that stands still is a finding as well, while it lasts."""
            examined = doctor(CANARY_URL=server.address)
            assert examined.done.returncode == 0, examined.rows
            assert {check: examined.status(check) for check in CHECKS if check != "clocks"} == {
                check: {"skipped"} if check == "cassandra" else {"ok"}
                for check in CHECKS
                if check != "clocks"
            }
            assert "warning" not in examined.status("clocks")
            return examined

        examined = eventually(examined_well, allowed(PROMISED))
        assert list(dict.fromkeys(check for check, _, _, _ in examined.rows)) == CHECKS
        assert "standalone" in examined.finding("ZooKeeper 3.")[2]
        assert "replica set rs0" in examined.finding("MongoDB ")[2]
        assert examined.finding(f"live: {board}")[1] == "ok"
        assert worker.process.poll() is None

    @pytest.mark.cassandra
    def test_cassandra(
        self, doctor: Callable[..., Doctor], corner: str, environment: dict[str, str]
    ) -> None:
        def told(words: str, **variables: str) -> list[tuple[str, str]]:
            rows = doctor(OS_CASSANDRA__ENABLED="true", **variables).rows
            return [row[:2] for row in rows if words in row[2]]

        lacking = f"keyspace {corner} has no table"
        eventually(lambda: told(lacking) == [("cassandra", "warning")], allowed(PROMISED))
        not_allowed = {"OS_CASSANDRA__CREATE_SCHEMA": "false"}
        eventually(
            lambda: told(lacking, **not_allowed) == [("cassandra", "failed")], allowed(PROMISED)
        )

        def is_well() -> bool:
            return doctor(OS_CASSANDRA__ENABLED="true").status("cassandra") == {"ok"}

        options = load(environ=environment | {"OS_CASSANDRA__ENABLED": "true"}).cassandra
        cluster = make_cluster(options, 5.0)
        try:
            with cluster.connect() as session:
                ensure_cassandra_schema(session, options)
                eventually(is_well, allowed(PROMISED))
                session.execute(f"DROP KEYSPACE {corner}", timeout=30)
        finally:
            cluster.shutdown()

    def test_nothing_is_written(
        self,
        doctor: Callable[..., Doctor],
        zookeeper: KazooClient,
        database: Database[dict[str, Any]],
        corner: str,
        config: Config,
    ) -> None:
        board = _made(zookeeper, f"/{corner}/lbaas/jobs")
        register(zookeeper, config.canary.jobboard, board)
        before = tree(zookeeper, f"/{corner}")
        assert len(before) > 4
        doctor()
        assert tree(zookeeper, f"/{corner}") == before
        assert database.list_collection_names() == []


class TestAway:
    @pytest.mark.parametrize(
        ("away", "variables", "skipped"),
        [
            ("zookeeper", {"OS_ZOOKEEPER__HOSTS": "127.0.0.1:1,[::1]:1"}, ["boards"]),
            (
                "mongodb",
                {"OS_MONGO__URI": f"mongodb://canary:{SECRET}@127.0.0.1:1/?replicaSet=rs0"},
                ["clocks", "workers", "freshness"],
            ),
            (
                "cassandra",
                {
                    "OS_CASSANDRA__ENABLED": "true",
                    "OS_CASSANDRA__PORT": "1",
                    "OS_CASSANDRA__USERNAME": "canary",
                    "OS_CASSANDRA__PASSWORD": SECRET,
                },
                [],
            ),
            ("server", {"CANARY_TOKEN": SECRET}, []),
        ],
    )
    def test_nobody_listens(
        self,
        doctor: Callable[..., Doctor],
        away: str,
        variables: dict[str, str],
        skipped: list[str],
    ) -> None:
        examined = doctor("--url", NOBODY, **variables)
        assert examined.done.returncode == 1
        assert examined.status(away) == {"failed"}
        assert all(examined.status(check) == {"skipped"} for check in skipped)
        well = {"zookeeper", "mongodb"} - {away}
        assert all("failed" not in examined.status(check) for check in well)
        assert SECRET not in examined.done.stdout + examined.done.stderr
        assert examined.seconds < PROMISED + SLACK

    @pytest.mark.faults
    @pytest.mark.parametrize("frozen", ["zookeeper", "mongodb"])
    def test_it_stands_still(self, doctor: Callable[..., Doctor], frozen: str) -> None:
        control.freeze(frozen)
        try:
            examined = doctor("--url", NOBODY)
        finally:
            control.thaw(frozen)
            control.wait_ready(frozen)
        assert examined.status(frozen) == {"failed"}
        assert examined.seconds < PROMISED + SLACK

    def test_everything_takes_connections_and_says_nothing(
        self, doctor: Callable[..., Doctor]
    ) -> None:
        targets = [os.environ["DEVSTACK_ZOOKEEPER"]] * 4
        with (
            Proxy(targets[0]) as one,
            Proxy(targets[1]) as two,
            Proxy(targets[2]) as three,
            Proxy(targets[3]) as four,
            one.frozen(),
            two.frozen(),
            three.frozen(),
            four.frozen(),
        ):
            examined = doctor(
                OS_ZOOKEEPER__HOSTS=one.address,
                OS_MONGO__URI=f"mongodb://{two.address}/?replicaSet=rs0",
                OS_MONGO__TIMEOUT="300",
                OS_CASSANDRA__ENABLED="true",
                OS_CASSANDRA__CLUSTER="127.0.0.1",
                OS_CASSANDRA__PORT=three.address.rpartition(":")[2],
                CANARY_URL=f"http://{four.address}",
            )
        for check in ("zookeeper", "mongodb", "cassandra", "server"):
            assert "failed" in examined.status(check), examined.rows
        assert examined.seconds < PROMISED + SLACK


class TestFindings:
    def test_wrong_options(self, doctor: Callable[..., Doctor], tmp_path: Path) -> None:
        file = tmp_path / "canary.conf"
        file.write_text(f"[mongo]\nuri = {SECRET}\n")
        examined = doctor("--config-file", str(file), OS_MONGO__URI=SECRET)
        assert examined.status("options") == {"failed"}
        assert examined.status("zookeeper") == examined.status("mongodb") == {"skipped"}
        assert SECRET not in examined.done.stdout + examined.done.stderr

    def test_boards(
        self,
        doctor: Callable[..., Doctor],
        zookeeper: KazooClient,
        corner: str,
        config: Config,
    ) -> None:
        there, twin, hidden, missing = (
            f"/{corner}/{name}" for name in ("a/jobs", "a/others", "b/jobs", "c/jobs")
        )
        for path in (there, twin, hidden):
            _made(zookeeper, path)
        register(zookeeper, config.canary.jobboard, there, twin, hidden, missing)
        zookeeper.ensure_path(f"/{corner}/b/.trash")
        nobody = [make_acl("digest", "nobody:x", all=True)]
        zookeeper.set_acls(f"/{corner}/b/.trash", nobody)
        zookeeper.set_acls(hidden, nobody)
        examined = doctor(OS_CANARY__PATH=f"{there},/{corner}/d/jobs")
        assert examined.finding(f"not registered: /{corner}/d/jobs")[1] == "warning"
        assert examined.finding("no worker has claimed the watch jobs of")[1] == "failed"
        assert examined.finding(f"not in ZooKeeper now: {missing}")[1] == "warning"
        assert examined.finding(f"read {hidden}")[1] == "failed"
        assert examined.finding(f"read /{corner}/b/.trash")[1] == "warning"
        for folder in (".trash", ".entities"):
            shared = examined.finding(f"{there}, {twin} share /{corner}/a/{folder}")
            assert shared[1] == "warning"
        assert examined.finding(f"{there}, {twin}: present")[1] == "ok"

    def test_no_board_at_all(self, doctor: Callable[..., Doctor]) -> None:
        examined = doctor()
        assert examined.finding("no board is registered")[3] == "run: canary-producer add PATH"
        assert examined.finding("no worker is alive")[1] == "failed"
        assert examined.finding("no board has been watched")[1] == "warning"
        lacking = "missing or different indexes: changes (board, revision)"
        assert examined.finding(lacking)[1] == "warning"

    @pytest.mark.usefixtures("schema")
    def test_indexes_and_times_to_live(
        self, doctor: Callable[..., Doctor], database: Database[dict[str, Any]]
    ) -> None:
        assert doctor().finding("all indexes exist")[1] == "ok"
        database.jobs.drop_index("uuid_1")
        examined = doctor(OS_MONGO__CHANGE_TTL="86400")
        words = examined.finding("missing or different indexes")[2]
        assert "jobs (uuid)" in words
        assert "changes (time to live by seen_at: 86400 s)" in words
        assert "jobs (time to live" not in words

    @pytest.mark.usefixtures("schema")
    def test_workers_and_freshness(
        self, doctor: Callable[..., Doctor], database: Database[dict[str, Any]]
    ) -> None:
        written = WrittenBoard(database, "/a")
        written.beat()
        WrittenBoard(database, "/b", worker="worker-2").beat(worker="worker-2", lasting=-90)
        WrittenBoard(database, "/c").mended("a job was gone", "another one was, too")
        examined = doctor()
        assert examined.finding("1 alive: worker-1")[1] == "ok"
        words = examined.finding("worker-2 sent")[2]
        silent = re.search(r"last heartbeat (\d+) s ago", words)
        assert silent
        assert 90 <= int(silent[1]) < 600
        assert examined.finding("live: /a, /c")[1] == "ok"
        assert examined.finding("unwatched: /b")[1] == "failed"
        assert examined.finding("/c: 2 differences")[1] == "warning"

    @pytest.mark.usefixtures("schema")
    @pytest.mark.parametrize(
        ("late", "status", "said"),
        [
            (0.05, "ok", "agree in the last 3 changes"),
            (-30, "warning", "ZooKeeper's clock is 30.0 s ahead of MongoDB's"),
            (45, "warning", "were seen 45.0 s or more after"),
        ],
    )
    def test_zookeepers_clock(
        self,
        doctor: Callable[..., Doctor],
        database: Database[dict[str, Any]],
        late: float,
        status: str,
        said: str,
    ) -> None:
        written = WrittenBoard(database, watched_since=ago(600))
        # What the first look finds is as old as it likes to be.
        written.write(*(replace(posted(number, ago(598)), at=ago(9_000)) for number in range(9)))
        moment = now()
        at = moment - timedelta(seconds=late)
        written.write(*(replace(posted(number, moment), at=at) for number in range(10, 13)))
        examined = doctor()
        assert examined.finding(said)[:2] == ("clocks", status)
        assert examined.finding("this machine's clock and MongoDB's agree")[1] == "ok"

    def test_a_session_timeout_that_is_not_granted(self, doctor: Callable[..., Doctor]) -> None:
        examined = doctor(OS_ZOOKEEPER__SESSION_TIMEOUT="120")
        assert examined.finding("[zookeeper] session_timeout is 120 s")[1] == "warning"

    def test_several_ensembles(self, doctor: Callable[..., Doctor], proxy: Proxy) -> None:
        hosts = f"{os.environ['DEVSTACK_ZOOKEEPER']},{proxy.address}"
        examined = doctor(OS_ZOOKEEPER__HOSTS=hosts)
        assert examined.finding("names several ensembles")[1] == "failed"

    def test_one_server_of_several_is_away(self, doctor: Callable[..., Doctor]) -> None:
        hosts = f"{os.environ['DEVSTACK_ZOOKEEPER']},127.0.0.1:1"
        examined = doctor(OS_ZOOKEEPER__HOSTS=hosts)
        assert examined.finding("127.0.0.1:1 does not answer")[1] == "warning"

    def test_a_standalone_mongod(self, doctor: Callable[..., Doctor], tmp_path: Path) -> None:
        with own_mongod(tmp_path / "mongod") as address:
            examined = doctor(OS_MONGO__URI=f"mongodb://{address}/")
        assert examined.finding("standalone mongod")[1] == "failed"
        assert examined.status("workers") == {"skipped"}

    def test_a_server_that_lacks_what_is_behind_it(
        self, doctor: Callable[..., Doctor], spawn: Spawn
    ) -> None:
        server = Server(spawn, OS_ZOOKEEPER__HOSTS="127.0.0.1:1")
        examined = doctor(CANARY_URL=server.address)
        assert examined.finding("does not reach zookeeper")[1] == "warning"
        away = Server(
            spawn, OS_MONGO__URI="mongodb://127.0.0.1:1/?replicaSet=rs0", OS_MONGO__TIMEOUT="0.5"
        )
        examined = doctor(CANARY_URL=away.address)
        assert examined.finding("does not reach mongodb")[1] == "failed"


def _made(zookeeper: KazooClient, path: str) -> str:
    zookeeper.ensure_path(path)
    return path


def _freshness(server: Server) -> list[str]:
    return [board["freshness"] for board in server.get("/v2/boards").json()["boards"]]
