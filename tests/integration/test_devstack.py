"""devstack starts real servers that answer, and leaves nothing behind however it ends.

These tests start stacks of their own, whatever stack they run under.
"""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from cassandra.cluster import Cluster
from cassandra.io.asyncioreactor import AsyncioConnection
from kazoo.client import KazooClient
from pymongo import MongoClient

from devstack import control, debian, java, zookeeper
from devstack.errors import DevstackError

pytestmark = pytest.mark.folders("devstack")

DEVSTACK = (sys.executable, "-m", "devstack")
ROOT = Path(__file__).resolve().parents[2]
CONTROL_C = b"\x03"
LIMIT = 180.0  # seconds for anything that is waited for here; most of it takes less than one

# A COMMAND that says what it was told, and runs until its stdin ends.
TELL = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
# One that ignores what `IGNORED` names, leaves two children behind and tells which signals it gets.
# It waits for them, since one that comes just before `signal.pause` would be noticed at the next.
STUBBORN = """
import json, os, signal, subprocess, sys
left = [subprocess.Popen(["sleep", "300"], start_new_session=own).pid for own in (True, False)]
signals, got = {signal.SIGINT, signal.SIGTERM}, []
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print(json.dumps({**os.environ, "left": left, "pid": os.getpid()}), flush=True)
while True:
    got.append(signal.sigwait(signals))
    print(json.dumps({"got": got}), flush=True)
    if got[-1].name not in os.environ.get("IGNORED", ""):
        sys.exit(3)
"""


def eventually(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:g} s: {what}"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


@dataclass
class Run:
    """A devstack that runs a COMMAND which prints JSON lines, the first with its environment."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path

    @property
    def pids(self) -> dict[str, int]:
        found = json.loads(Path(self.environment["DEVSTACK_PIDS"]).read_text())
        assert isinstance(found, dict)
        return found

    def everything(self) -> list[int]:
        """The pids of all that belongs to it, but devstack's own."""
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    @property
    def environment(self) -> dict[str, Any]:
        return self.line(0)

    def line(self, number: int) -> dict[str, Any]:
        """What COMMAND prints, waited for."""

        def has_it() -> bool:
            assert self.process.poll() is None or lines(), self.errors.read_text()
            return len(lines()) > number

        def lines() -> list[str]:
            return [line for line in self.output.read_text().splitlines(True) if line[-1] == "\n"]

        eventually(has_it, f"line {number} of COMMAND")
        found = json.loads(lines()[number])
        assert isinstance(found, dict)
        return found

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(LIMIT)


@contextlib.contextmanager
def devstack(
    folder: Path, *options: str, code: str = TELL, terminal: int | None = None, **environment: str
) -> Iterator[Run]:
    """In a session of its own, of which ``terminal`` is the controlling one, if it is given."""
    output, errors = folder / "stdout", folder / "stderr"
    own_session = () if terminal is None else ("setsid", "--ctty")
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    with (
        output.open("wb") as stdout,
        errors.open("wb") as stderr,
        subprocess.Popen(
            [*own_session, *DEVSTACK, "run", *options, "--", sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary), **environment},
            stdin=subprocess.PIPE if terminal is None else terminal,
            stdout=stdout,
            stderr=stderr,
            start_new_session=terminal is None,
        ) as process,
    ):
        run = Run(process, output, errors)
        try:
            run.line(0)
            yield run
        finally:
            process.terminate()
            process.wait(LIMIT)


def call(
    folder: Path, *words: str, services: str = "mongodb", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEVSTACK, "run", "--services", services, "--", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT * 2,
        check=False,
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One stack with all three services, for the tests that leave it as they found it."""
    with devstack(tmp_path_factory.mktemp("shared")) as run:
        yield run
        assert run.end() == 0, run.errors.read_text()


@pytest.fixture
def controlled(shared: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DEVSTACK_FOLDER", shared.environment["DEVSTACK_FOLDER"])
    return shared


@contextlib.contextmanager
def kazoo(hosts: str) -> Iterator[Any]:
    client = KazooClient(hosts=hosts, timeout=5)
    client.start(timeout=LIMIT)
    try:
        yield client
    finally:
        client.stop()
        client.close()


@contextlib.contextmanager
def cassandra(address: str) -> Iterator[Any]:
    host, port = address.split(":")
    cluster = Cluster(
        [host], port=int(port), connection_class=AsyncioConnection, protocol_version=4
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


class TestServers:
    def test_says_where_they_are(self, shared: Run) -> None:
        told = shared.environment
        assert told["OS_ZOOKEEPER__HOSTS"] == told["DEVSTACK_ZOOKEEPER"]
        assert told["OS_MONGO__URI"] == told["DEVSTACK_MONGODB"]
        assert "replicaSet=rs0" in told["DEVSTACK_MONGODB"]
        cluster, port = told["OS_CASSANDRA__CLUSTER"], told["OS_CASSANDRA__PORT"]
        assert told["DEVSTACK_CASSANDRA"] == f"{cluster}:{port}"
        assert sorted(shared.pids) == ["cassandra", "mongodb", "zookeeper"]
        assert all(runs(pid) for pid in shared.pids.values())
        assert Path(told["DEVSTACK_PIDS"]).parent == Path(told["DEVSTACK_FOLDER"])

    def test_zookeeper_takes_a_million_bytes(self, shared: Run) -> None:
        payload = os.urandom(1_000_000)
        with kazoo(shared.environment["DEVSTACK_ZOOKEEPER"]) as client:
            client.create("/large", payload)
            assert client.get("/large")[0] == payload

    def test_mongodb_has_transactions_and_change_streams(self, shared: Run) -> None:
        with (
            MongoClient[dict[str, Any]](shared.environment["DEVSTACK_MONGODB"]) as client,
            client.start_session() as session,
            client.test.things.watch() as stream,
        ):
            with session.start_transaction():
                client.test.things.insert_one({"_id": 1}, session=session)
                client.test.others.insert_one({"_id": 1}, session=session)
            with session.start_transaction():
                client.test.things.insert_one({"_id": 2}, session=session)
                session.abort_transaction()
            assert client.test.others.count_documents({}) == 1
            assert stream.next()["documentKey"] == {"_id": 1}
            assert client.test.things.count_documents({}) == 1

    def test_killed_servers_come_back_with_their_data(self, controlled: Run) -> None:
        told, before = controlled.environment, controlled.pids
        with kazoo(told["DEVSTACK_ZOOKEEPER"]) as client:
            client.create("/kept", b"it")
        with MongoClient[dict[str, Any]](told["DEVSTACK_MONGODB"]) as mongo:
            mongo.test.kept.insert_one({"_id": "it"})
        with cassandra(told["DEVSTACK_CASSANDRA"]) as session:
            session.execute(
                "CREATE KEYSPACE test WITH replication ="
                " {'class': 'SimpleStrategy', 'replication_factor': 1}"
            )
            session.execute("CREATE TABLE test.kept (name text PRIMARY KEY)")
            session.execute("INSERT INTO test.kept (name) VALUES ('it')")
        # Through its memtables' files, so as not to wait for the commit log's next write.
        control.stop("cassandra", signal.SIGTERM)
        os.kill(before["zookeeper"], signal.SIGKILL)
        control.stop("mongodb")
        eventually(lambda: controlled.pids == {}, "all three have ended and are no longer listed")

        started = {name: control.start(name) for name in before}
        for name in started:
            control.wait_ready(name)
        assert controlled.pids == started
        assert not set(started.values()) & set(before.values())
        with kazoo(told["DEVSTACK_ZOOKEEPER"]) as client:
            assert client.get("/kept")[0] == b"it"
        with MongoClient[dict[str, Any]](told["DEVSTACK_MONGODB"]) as mongo:
            assert mongo.test.kept.find_one() == {"_id": "it"}
        with cassandra(told["DEVSTACK_CASSANDRA"]) as session:
            assert session.execute("SELECT name FROM test.kept").one().name == "it"
        # The one that nobody asked devstack to end was reported, and only that one.
        said = controlled.errors.read_text()
        assert f"zookeeper (pid {before['zookeeper']}) was ended by SIGKILL" in said
        assert "mongodb (pid" not in said

    def test_a_frozen_server_answers_when_it_is_thawed(self, controlled: Run) -> None:
        pid = controlled.pids["zookeeper"]
        control.freeze("zookeeper")
        assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
        with pytest.raises(DevstackError, match=r"did not answer within 0\.2 s"):
            control.wait_ready("zookeeper", limit=0.2)
        control.thaw("zookeeper")
        control.wait_ready("zookeeper")
        assert controlled.pids["zookeeper"] == pid

    def test_control_says_what_it_cannot_do(
        self, controlled: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(DevstackError, match=f"already runs.*{controlled.pids['mongodb']}"):
            control.start("mongodb")
        with pytest.raises(
            DevstackError, match=r"no server 'redis'.*zookeeper, mongodb, cassandra"
        ):
            control.stop("redis")
        monkeypatch.delenv("DEVSTACK_FOLDER")
        with pytest.raises(DevstackError, match="devstack run"):
            control.freeze("mongodb")

    def test_three_zookeepers_have_one_leader(self, tmp_path: Path) -> None:
        with devstack(tmp_path, "--services", "zookeeper", "--zookeepers", "3") as run:
            hosts = run.environment["DEVSTACK_ZOOKEEPER"].split(",")
            assert sorted(run.pids) == ["zookeeper-1", "zookeeper-2", "zookeeper-3"]
            modes = []
            for number, host in enumerate(hosts):
                with kazoo(host) as client:
                    modes.append(client.command(b"srvr").split("Mode: ")[1].split()[0])
                    client.create(f"/{number}")
                    client.sync("/")
                    assert len(client.get_children("/")) == number + 2  # and /zookeeper
            assert sorted(modes) == ["follower", "follower", "leader"]
            assert run.environment["OS_CASSANDRA__ENABLED"] == "false"
            assert "DEVSTACK_MONGODB" not in run.environment
            assert run.end() == 0


class TestEnd:
    @pytest.mark.parametrize(("code", "status"), [("exit 7", 7), ("kill -TERM $$", 143)])
    def test_passes_on_the_status_and_removes_the_folder(
        self, tmp_path: Path, code: str, status: int
    ) -> None:
        ended = call(tmp_path, "bash", "-c", f"echo out; {code}")
        assert (ended.returncode, ended.stdout) == (status, "out\n"), ended.stderr
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_to_devstack_ends_everything(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        with devstack(tmp_path, "--services", "mongodb", code=STUBBORN) as run:
            everything = run.everything()
            assert {*run.pids.values(), *run.environment["left"]} < set(everything)
            run.process.send_signal(number)
            if number == signal.SIGHUP:
                assert run.process.wait(LIMIT) == 128 + number
            else:
                assert run.process.wait(LIMIT) == 3
                assert run.line(1) == {"got": [number]}
            assert [pid for pid in everything if runs(pid)] == []
            assert list((tmp_path / "tmp").iterdir()) == []

    def test_control_c_reaches_command_once_and_harder_each_time(self, tmp_path: Path) -> None:
        keyboard, terminal = pty.openpty()
        with (
            os.fdopen(keyboard, "wb", buffering=0) as keyboard_file,
            os.fdopen(terminal, "rb", buffering=0),
            devstack(
                *(tmp_path, "--services", "mongodb"),
                code=STUBBORN,
                terminal=terminal,
                IGNORED="SIGINT SIGTERM",
            ) as run,
        ):
            everything = run.everything()
            keyboard_file.write(CONTROL_C)
            assert run.line(1) == {"got": [signal.SIGINT]}
            # devstack has taken notice too; otherwise the system makes one of two that wait for it.
            eventually(lambda: "interrupt again" in run.errors.read_text(), "devstack's word")
            # The second one is followed by a SIGTERM of devstack's.
            keyboard_file.write(CONTROL_C)
            assert run.line(2) == {"got": [signal.SIGINT] * 2}
            assert run.line(3) == {"got": [signal.SIGINT] * 2 + [signal.SIGTERM]}
            assert run.pids
            keyboard_file.write(CONTROL_C)
            assert run.process.wait(LIMIT) == 128 + signal.SIGKILL
            assert [pid for pid in everything if runs(pid)] == []

    def test_nothing_outlives_a_killed_devstack_and_the_next(self, tmp_path: Path) -> None:
        with devstack(tmp_path, "--services", "mongodb", code=STUBBORN, IGNORED="SIGTERM") as run:
            left = run.environment["left"]
            at_once = set(run.everything()) - set(left)
            assert {*run.pids.values(), run.environment["pid"]} == at_once
            os.kill(run.process.pid, signal.SIGKILL)
            assert run.process.wait(LIMIT) == -signal.SIGKILL
            eventually(lambda: not any(runs(pid) for pid in at_once), f"all of {at_once} ended")
        assert all(runs(pid) for pid in left), "nobody was there to end them"
        # What a killed one could not end and remove, the next does, as it starts.
        assert call(tmp_path / "tmp", "true").returncode == 0
        eventually(lambda: not any(runs(pid) for pid in left), f"{left} ended")
        assert list((tmp_path / "tmp").iterdir()) == []

    def test_a_restarted_server_ends_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with devstack(tmp_path, "--services", "mongodb") as run:
            monkeypatch.setenv("DEVSTACK_FOLDER", run.environment["DEVSTACK_FOLDER"])
            control.stop("mongodb")
            pid = control.start("mongodb")
            assert run.pids == {"mongodb": pid}
            os.kill(run.process.pid, signal.SIGKILL)
            eventually(lambda: not runs(pid), "the restarted server ended")


class TestFailure:
    def test_a_server_that_does_not_start_is_explained(self, tmp_path: Path) -> None:
        cache, temporary = tmp_path / "cache", tmp_path / "tmp"
        temporary.mkdir()
        jars = cache / "canary-devstack" / f"zookeeper-{zookeeper.VERSION}"
        jars.mkdir(parents=True)
        (jars / "broken.jar").write_bytes(b"no jar")
        ended = call(
            temporary, "echo", "never", services="zookeeper,mongodb", XDG_CACHE_HOME=str(cache)
        )
        assert (ended.returncode, ended.stdout) == (125, "")
        assert "zookeeper ended with status 1" in ended.stderr
        assert "QuorumPeerMain" in ended.stderr  # from the log's end
        kept = list(temporary.iterdir())
        assert len(kept) == 1
        assert str(kept[0] / "zookeeper.log") in ended.stderr
        # It is there to be looked at: the next run leaves it alone.
        assert call(temporary, "true").returncode == 0
        assert list(temporary.iterdir()) == kept
        shutil.rmtree(kept[0])

    @pytest.mark.parametrize(
        ("words", "status", "said"),
        [
            (["run", "--", "no-such-program"], 127, "no-such-program: not found"),
            (["run", "--services", "redis", "--", "true"], 2, "redis is none of"),
            (["run"], 2, "COMMAND is missing"),
            (["run", "--zookeepers", "0", "--", "true"], 2, "not a number from 1 to 9"),
        ],
    )
    def test_a_wrong_command_line_starts_nothing(
        self, tmp_path: Path, words: Sequence[str], status: int, said: str
    ) -> None:
        ended = subprocess.run(
            [*DEVSTACK, *words],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert ended.returncode == status
        assert said in ended.stderr
        assert list(tmp_path.iterdir()) == []

    def test_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(debian, "can_install", lambda: False)
        monkeypatch.setattr(java, "INSTALLED", tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        reaper: Any = None  # nothing is started, so nothing is awaited either
        with pytest.raises(DevstackError, match=r"ZooKeeper needs Java 17.*apt-get install"):
            java.home(reaper, [17], "ZooKeeper").send(None)
        with pytest.raises(DevstackError, match="no mvn on the PATH"):
            java.maven(reaper).send(None)
