"""canary-worker, from its start to its end, and what breaks in between."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from pymongo.database import Database

from canary.model.names import conductor_folder
from devstack import control
from devstack.mongodb import program
from devstack.ports import Ports
from tests.freshness_log import FreshnessLog
from tests.integration.boards import (
    claim,
    consume,
    kinds,
    mirrored,
    missed,
    on_board,
    post,
    post_many,
    posting,
    register,
)
from tests.integration.conftest import SESSION_TIMEOUT, Command, Spawn
from tests.integration.ensemble import new_ensemble
from tests.integration.proxy import Proxy
from tests.waiting import allowed, eventually

END = 10.0  # seconds in which a worker has promised to end

Mongo = Database[dict[str, Any]]


@pytest.fixture
def path(corner: str) -> str:
    return f"/{corner}/watched/jobs"


@pytest.fixture
def jobboard(environment: dict[str, str]) -> str:
    return environment["OS_CANARY__JOBBOARD"]


class Own:
    """Canary's own board, by hand: what canary-producer does, at once."""

    def __init__(self, zookeeper: KazooClient, path: str) -> None:
        self._zookeeper, self.path = zookeeper, path

    def add(self, *boards: str) -> None:
        register(self._zookeeper, self.path, *boards)

    def remove(self, board: str) -> None:
        name = self.jobs()[board]
        transaction = self._zookeeper.transaction()
        if self._zookeeper.exists(f"{self.path}/{name}.lock"):
            transaction.delete(f"{self.path}/{name}.lock")
        transaction.delete(f"{self.path}/{name}")
        assert set(transaction.commit()) == {True}

    def jobs(self) -> dict[str, str]:
        """Return the watch jobs' znodes, by board."""
        names = [n for n in self._zookeeper.get_children(self.path) if not n.endswith(".lock")]
        return {
            json.loads(self._zookeeper.get(f"{self.path}/{name}")[0])["details"]["path"]: name
            for name in names
        }

    def locks(self) -> list[str]:
        return [n for n in self._zookeeper.get_children(self.path) if n.endswith(".lock")]

    def trash(self) -> list[str]:
        folder = f"{self.path.rpartition('/')[0]}/.trash"
        found: list[str] = self._zookeeper.get_children(folder)
        return found


@pytest.fixture
def own(zookeeper: KazooClient, jobboard: str) -> Own:
    return Own(zookeeper, jobboard)


def board_of(database: Mongo, path: str) -> dict[str, Any]:
    return database.boards.find_one({"_id": path}) or {}


def shows(database: Mongo, path: str, freshness: str) -> Callable[[], bool]:
    return lambda: board_of(database, path).get("freshness") == freshness


def assert_follows(zookeeper: KazooClient, database: Mongo, path: str) -> None:
    """Assert that what happens on a board arrives: a job posted, claimed and consumed."""
    job = post(zookeeper, path)
    eventually(lambda: mirrored(database, path).get(job) == ("UNCLAIMED", None))
    claim(zookeeper, path, job)
    eventually(lambda: mirrored(database, path).get(job) == ("CLAIMED", "ann"))
    consume(zookeeper, path, job)
    eventually(lambda: job not in mirrored(database, path))
    ended = database.jobs.find_one({"board": path, "name": job}, sort=[("revision", -1)])
    assert ended is not None
    assert ended["outcome"] == "consumed"


class TestWatching:
    def test_a_board_is_watched_from_its_creation_on(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        own.add(path)
        spawn("canary-worker")
        eventually(shows(database, path, "missing"))
        created = datetime.now(UTC)
        zookeeper.create(path, makepath=True)
        for _ in range(5):
            post(zookeeper, path)
        eventually(lambda: len(mirrored(database, path)) == 5)
        assert_follows(zookeeper, database, path)
        eventually(shows(database, path, "live"))
        assert board_of(database, path)["watched_since"] < created
        assert kinds(database, path).count("posted") == 6
        assert missed(database, path) == []

    def test_a_board_deleted_and_made_again(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        spawn("canary-worker")
        eventually(shows(database, path, "live"))
        for _ in range(2):
            post(zookeeper, path)
            eventually(lambda: mirrored(database, path) == on_board(zookeeper, path))
            zookeeper.delete(path, recursive=True)
            eventually(shows(database, path, "missing"))
            assert mirrored(database, path) == {}
            zookeeper.create(path)
            eventually(shows(database, path, "live"))
            assert_follows(zookeeper, database, path)

    def test_removing_a_board_ends_its_watch(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        other = f"{path}2"
        zookeeper.create(path, makepath=True)
        zookeeper.create(other)
        own.add(path, other)
        spawn("canary-worker")
        eventually(shows(database, path, "live"))
        eventually(shows(database, other, "live"))
        own.remove(path)
        eventually(lambda: not board_of(database, path)["registered"])
        eventually(shows(database, path, "unwatched"))
        revision = board_of(database, path)["revision"]
        post(zookeeper, path)
        assert_follows(zookeeper, database, other)
        assert board_of(database, path)["revision"] == revision
        assert board_of(database, path)["writer"] is None
        assert board_of(database, other)["registered"]
        own.add(path)
        eventually(shows(database, path, "live"))
        assert board_of(database, path)["registered"]
        eventually(lambda: mirrored(database, path) == on_board(zookeeper, path))

    def test_the_log_says_of_which_board_job_and_epoch(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        worker = spawn("canary-worker", OS_LOG__FORMAT="json")
        eventually(shows(database, path, "live"))
        [line] = [line for line in worker.output.splitlines() if '"watching"' in line]
        name = own.jobs()[path]
        epoch = zookeeper.exists(f"{own.path}/{name}.lock").czxid
        facts = {"board": path, "job": name, "epoch": epoch}
        assert json.loads(line).items() >= facts.items()
        zookeeper.create(f"{own.path}/job0000000099", b"")
        eventually(lambda: '"job": "job0000000099"' in worker.output)

    def test_garbage_on_canarys_own_board_is_passed_over(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        secret = make_digest_acl("somebody", "else", all=True)

        def litter(first: int) -> None:
            contents = [b"no json", b"null", b"[]", b"\xff", None, posting(path="relative")]
            for number, data in enumerate(contents, first):
                zookeeper.create(f"{own.path}/job{number:010d}", data)
            zookeeper.create(f"{own.path}/jobless{first}", b"")
            zookeeper.create(f"{own.path}/job{first:010d}.lock", b"")
            zookeeper.create(f"{own.path}/job{first + 50:010d}", b"", acl=[secret])

        litter(100)
        worker = spawn("canary-worker")
        eventually(shows(database, path, "live"))
        litter(200)
        other = f"{path}2"
        zookeeper.create(other)
        own.add(other)
        eventually(shows(database, other, "live"))
        assert_follows(zookeeper, database, path)
        assert worker.output.count("ignored a child of Canary's own board") >= 14
        assert "Traceback" not in worker.output

    def test_conductors_appear_and_vanish(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        spawn("canary-worker")
        eventually(shows(database, path, "live"))
        folder = conductor_folder(path)
        said = {"kind": "conductor", "name": "ann@h:7", "metadata": {"hostname": "h", "pid": 7}}
        zookeeper.create(
            f"{folder}/ann@h:7", json.dumps(said).encode(), ephemeral=True, makepath=True
        )
        zookeeper.create(f"{folder}/garbage", b"\xff", ephemeral=True)
        secret = make_digest_acl("somebody", "else", all=True)
        zookeeper.create(f"{folder}/hidden", b"", acl=[secret])

        def shown() -> list[tuple[str, str | None, int | None]]:
            found = database.conductors.find_one({"_id": path}) or {"conductors": []}
            return [(c["name"], c["host"], c["pid"]) for c in found["conductors"]]

        eventually(lambda: shown() == [("ann@h:7", "h", 7), ("garbage", None, None)])
        zookeeper.delete(f"{folder}/ann@h:7")
        eventually(lambda: shown() == [("garbage", None, None)])


class TestStopping:
    @pytest.fixture
    def watching(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> Command:
        zookeeper.create(path, makepath=True)
        own.add(path)
        worker = spawn("canary-worker")
        eventually(shows(database, path, "live"))
        return worker

    def assert_ends(self, worker: Command) -> None:
        """Assert it; a busy machine gets more time than is promised."""
        started = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(allowed(END)) == 0
        print(f"it took {time.monotonic() - started:.1f} s, of the {END:g} s that are promised")
        assert "Traceback" not in worker.output

    def assert_released(self, own: Own, path: str, within: float = SESSION_TIMEOUT * 2 / 3) -> None:
        """Assert it, by itself before its session is over, of which a ping may be a third ago."""
        eventually(lambda: own.locks() == [], within)
        assert list(own.jobs()) == [path]
        assert own.trash() == []

    def test_its_jobs_are_free_for_another(
        self, watching: Command, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        [name] = zookeeper.get_children(conductor_folder(own.path))
        assert name == f"canary@{os.uname().nodename}:{watching.process.pid}"
        [beat] = database.workers.find({})
        assert beat["_id"] == name
        self.assert_ends(watching)
        self.assert_released(own, path)
        assert zookeeper.get_children(conductor_folder(own.path)) == []
        board = board_of(database, path)
        assert (board["freshness"], board["writer"]) == ("unwatched", None)
        assert database.workers.count_documents({}) == 0
        assert "WARNING" not in watching.output

    @pytest.mark.parametrize("how", ["frozen", "killed"])
    def test_without_mongodb(
        self,
        watching: Command,
        own: Own,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        how: str,
    ) -> None:
        (control.freeze if how == "frozen" else control.stop)("mongodb")
        try:
            post_many(zookeeper, path, 100)  # there is something to write
            own.add(f"{path}2")  # and a board to take
            eventually(lambda: len(own.locks()) == 2)
            self.assert_ends(watching)
            own.remove(f"{path}2")
            self.assert_released(own, path)
        finally:
            (control.thaw if how == "frozen" else control.start)("mongodb")
            control.wait_ready("mongodb")
            # Who takes the board would end the transaction that may have been left open.
            database.client.admin.command("killAllSessions", [])

    @pytest.mark.parametrize("how", ["frozen", "away"])
    def test_without_zookeeper(
        self,
        spawn: Spawn,
        own: Own,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        proxy: Proxy,
        how: str,
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        worker = spawn("canary-worker", OS_ZOOKEEPER__HOSTS=proxy.address)
        eventually(shows(database, path, "live"))
        if how == "frozen":
            with proxy.frozen():
                own.add(f"{path}2")
                zookeeper.set(path, b"wake")
                self.assert_ends(worker)
        else:
            with FreshnessLog(database, path) as log, proxy.away():
                eventually(lambda: "suspended" in log.written())
                self.assert_ends(worker)
        own.remove(f"{path}2") if f"{path}2" in own.jobs() else None
        self.assert_released(own, path, allowed(SESSION_TIMEOUT))

    def test_while_it_waits_for_its_servers(
        self, spawn: Spawn, environment: dict[str, str]
    ) -> None:
        address = environment["DEVSTACK_MONGODB"].partition("://")[2].partition("/")[0]
        with Proxy(address) as mongodb, mongodb.frozen():
            without_mongodb = spawn(
                "canary-worker",
                OS_MONGO__URI=f"mongodb://{mongodb.address}/?directConnection=true",
                OS_MONGO__TIMEOUT="60",
            )
            without_zookeeper = spawn("canary-worker", OS_ZOOKEEPER__HOSTS="127.0.0.1:1")
            eventually(lambda: mongodb.attempts)
            self.assert_ends(without_mongodb)
            waiting = "waiting for ZooKeeper at 127.0.0.1:1"
            eventually(lambda: waiting in without_zookeeper.output)
            self.assert_ends(without_zookeeper)


class TestFailing:
    def test_another_worker_takes_over(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        first = spawn("canary-worker")
        eventually(shows(database, path, "live"))
        second = spawn("canary-worker")
        eventually(lambda: database.workers.count_documents({}) == 2)
        job = post(zookeeper, path)
        eventually(lambda: job in mirrored(database, path))
        before = board_of(database, path)
        first.process.kill()
        gone = post(zookeeper, path)
        killed = time.monotonic()
        eventually(lambda: gone in mirrored(database, path), allowed(SESSION_TIMEOUT + 5))
        print(f"it took {time.monotonic() - killed:.1f} s, of {SESSION_TIMEOUT:g} + 5 s")
        after = board_of(database, path)
        assert after["epoch"] > before["epoch"]
        assert after["revision"] == before["revision"] + 1
        assert after["writer"]["worker"].endswith(f":{second.process.pid}")
        assert after["watched_since"] == before["watched_since"]
        assert_follows(zookeeper, database, path)
        assert missed(database, path) == [("restart", 0, 0)], "all of it was told, afterwards"

    def test_a_lost_session_is_begun_anew(
        self,
        spawn: Spawn,
        own: Own,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        proxy: Proxy,
    ) -> None:
        other = f"{path}2"
        zookeeper.create(path, makepath=True)
        zookeeper.create(other)
        own.add(path, other)
        worker = spawn("canary-worker", OS_ZOOKEEPER__HOSTS=proxy.address)
        eventually(shows(database, path, "live"))
        eventually(shows(database, other, "live"))
        epochs = {each: board_of(database, each)["epoch"] for each in (path, other)}
        with FreshnessLog(database, path) as log, proxy.away():
            job = post(zookeeper, path)
            eventually(lambda: own.locks() == [], allowed(SESSION_TIMEOUT))
            eventually(
                lambda: log.written() == ["suspended", "unwatched"], allowed(SESSION_TIMEOUT)
            )
        for each in (path, other):
            eventually(shows(database, each, "live"))
            assert board_of(database, each)["epoch"] > epochs[each]
            assert_follows(zookeeper, database, each)
        assert job in mirrored(database, path)
        assert len(own.locks()) == 2
        [name] = eventually(lambda: zookeeper.get_children(conductor_folder(own.path)))
        assert name.endswith(f":{worker.process.pid}"), "it has registered again"
        # One run a watch job: each claim begins one, and both of the first have ended.
        lines = worker.output.splitlines()
        begun = [line for line in lines if "canary.worker.conductor watching board" in line]
        ended = [line for line in lines if "canary.worker.conductor stopped watching" in line]
        assert len(begun) == len(ended) + 2

    def test_a_drop_with_three_thousand_lock_watches_loses_nothing(
        self,
        spawn: Spawn,
        own: Own,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        proxy: Proxy,
    ) -> None:
        zookeeper.create(path, makepath=True)
        post_many(zookeeper, path, 3_000, owner="ann")
        own.add(path)
        spawn("canary-worker", OS_ZOOKEEPER__HOSTS=proxy.address)
        eventually(shows(database, path, "live"), 30)
        assert database.jobs.count_documents({"board": path, "state": "CLAIMED"}) == 3_000
        epoch = board_of(database, path)["epoch"]
        for number in range(2):
            proxy.drop()
            # While it is away, or reads all of it again, the board goes on.
            ended, abandoned = (f"job{number * 2 + n:010d}" for n in range(2))
            consume(zookeeper, path, ended)
            zookeeper.delete(f"{path}/{abandoned}.lock")
            claim(zookeeper, path, abandoned, "bob")
            bobs = {"board": path, "name": abandoned, "owner": "bob", "state": "CLAIMED"}
            eventually(partial(database.jobs.find_one, bobs))
        eventually(shows(database, path, "live"))
        assert board_of(database, path)["epoch"] == epoch, "the session was never lost"
        assert_follows(zookeeper, database, path)
        assert mirrored(database, path) == on_board_quickly(zookeeper, path)
        gaps = list(database.gaps.find({"board": path}))
        assert all(gap["creates"] is not None for gap in gaps)

    def test_a_rebuilt_ensemble_registers_what_is_added_to_it_and_nothing_else(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, corner: str
    ) -> None:
        boards = [f"/{corner}/{name}/jobs" for name in ("a", "b", "c")]
        for _ in range(200):  # so that its zxids are far from the beginning
            zookeeper.set("/", b"")
        for each in boards:
            zookeeper.ensure_path(each)
        own.add(*boards)
        first = spawn("canary-worker")
        for each in boards:
            eventually(shows(database, each, "live"))
        epochs = {each: board_of(database, each)["epoch"] for each in boards}
        first.end()
        with new_ensemble() as hosts, connected(hosts) as client:
            for each in boards:
                client.ensure_path(each)
            register(client, own.path, *boards[:2])
            second = spawn("canary-worker", OS_ZOOKEEPER__HOSTS=hosts)
            for each in boards[:2]:
                eventually(shows(database, each, "live"))
                assert board_of(database, each)["epoch"] < epochs[each]
            eventually(lambda: not board_of(database, boards[2])["registered"])
            assert all(board_of(database, each)["registered"] for each in boards[:2])
            second.end()

    def test_it_waits_for_its_servers_and_then_works(
        self, spawn: Spawn, own: Own, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        own.add(path)
        with Proxy(os.environ["DEVSTACK_ZOOKEEPER"]) as proxy, proxy.away():
            control.stop("mongodb")
            try:
                worker = spawn(
                    "canary-worker",
                    OS_ZOOKEEPER__HOSTS=proxy.address,
                    OS_MONGO__TIMEOUT="1",
                )
                eventually(lambda: "waiting for MongoDB" in worker.output)
            finally:
                control.start("mongodb")
                control.wait_ready("mongodb")
            eventually(lambda: "waiting for ZooKeeper" in worker.output)
            proxy._refusing = False
            eventually(shows(database, path, "live"))
            assert_follows(zookeeper, database, path)
            worker.end()


class TestRefusals:
    def test_a_wrong_option(self, spawn: Spawn) -> None:
        worker = spawn("canary-worker", OS_CANARY__MAX_BOARDS="many")
        assert worker.process.wait(60) == 2
        assert "[canary] max_boards" in worker.output
        assert "Traceback" not in worker.output

    def test_a_standalone_mongod(self, spawn: Spawn, tmp_path: Path) -> None:
        folder = tmp_path / "db"
        folder.mkdir()
        with Ports() as ports:
            port = ports.reserve()
            mongod = subprocess.Popen(
                [program(), "--dbpath", folder, "--port", str(port), "--bind_ip", "127.0.0.1"],
                stdout=subprocess.DEVNULL,
            )
            try:
                worker = spawn("canary-worker", OS_MONGO__URI=f"mongodb://127.0.0.1:{port}/")
                assert worker.process.wait(30) == 1
            finally:
                mongod.kill()
                mongod.wait()
        assert worker.output.splitlines()[-1].startswith("canary-worker: This MongoDB is a stand")
        assert "--replSet" in worker.output
        assert "Traceback" not in worker.output


@contextmanager
def connected(hosts: str) -> Iterator[KazooClient]:
    """A plain client of another ensemble."""
    client = KazooClient(hosts)
    try:
        client.start()
        yield client
    finally:
        client.stop()
        client.close()


def on_board_quickly(zookeeper: KazooClient, path: str) -> dict[str, tuple[str, str | None]]:
    """Return what ``on_board`` does, for thousands of jobs."""
    children = zookeeper.get_children(path)
    locks = {
        name.removesuffix(".lock"): zookeeper.get_async(f"{path}/{name}")
        for name in children
        if name.endswith(".lock")
    }
    owners = {
        name: json.loads(answer.get(timeout=30)[0])["owner"] for name, answer in locks.items()
    }
    return {
        name: ("CLAIMED", owners[name]) if name in owners else ("UNCLAIMED", None)
        for name in children
        if not name.endswith(".lock")
    }
