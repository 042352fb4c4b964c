"""The dev stack's servers, and a corner of them for each test alone."""

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.retry import KazooRetry
from pymongo import MongoClient
from pymongo.database import Database

from canary.config import Config, load
from canary.stores.mongo.client import connect
from tests import programs, unchanged
from tests.integration.databases import Databases
from tests.integration.proxy import Proxy
from tests.programs import Process

#: Seconds, all that the dev stack's ZooKeeper grants: a machine that stands still for a few of them
#: ends no session that is not to end.
SESSION_TIMEOUT = 10.0
FOR_EVER = 3_600.0  # seconds that a call may wait where a test is to see that none does
STOP_TIMEOUT = 60.0  # seconds; a worker has promised to be gone within 10, given a processor
LAST_LINES, LINE_LIMIT = 40, 400  # of a program's output, and characters of each, after a failure


@pytest.fixture(scope="session", autouse=True)
def _dev_stack() -> None:
    missing = [name for name in ("ZOOKEEPER", "MONGODB") if f"DEVSTACK_{name}" not in os.environ]
    if missing:
        pytest.exit("these tests need real servers: run them with `make integration`", 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs Cassandra where the dev stack has none, and tools that are unchanged."""
    unchanged.leave_out(items)
    if "DEVSTACK_CASSANDRA" not in os.environ:
        without = pytest.mark.skip(reason="devstack runs without Cassandra")
        for item in items:
            if item.get_closest_marker("cassandra"):
                item.add_marker(without)


@pytest.fixture
def corner() -> str:
    """A name that no other test uses: of a database, a keyspace, the parent of a test's boards."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Databases of MongoDB, for one test each at a time."""
    with Databases(os.environ["OS_MONGO__URI"]) as databases:
        yield databases


@pytest.fixture
def lent(databases: Databases) -> Iterator[str]:
    """The name of an empty database that has Canary's collections and indexes."""
    with databases.lent() as name:
        yield name


@pytest.fixture
def fresh(corner: str) -> Iterator[str]:
    """The name of a database that is not there, for a module's ``lent``; dropped at the end."""
    yield corner
    with MongoClient[dict[str, Any]](os.environ["OS_MONGO__URI"]) as client:
        client.drop_database(corner)


@pytest.fixture
def environment(corner: str, lent: str) -> dict[str, str]:
    """The environment that gives Canary's commands a corner of their own."""
    return {
        **os.environ,
        "OS_CANARY__JOBBOARD": f"/{corner}/canary/jobs",
        "OS_MONGO__DATABASE": lent,
        "OS_CASSANDRA__KEYSPACE": corner,
        "OS_CASSANDRA__ENABLED": "false",
        "OS_ZOOKEEPER__SESSION_TIMEOUT": str(SESSION_TIMEOUT),
    }


@pytest.fixture
def config(environment: dict[str, str]) -> Config:
    """The options that Canary's commands read in that environment."""
    return load(environ=environment)


@pytest.fixture
def zookeeper() -> Iterator[KazooClient]:
    """A plain client, to be what Canary is not: one that writes on watched boards."""
    # kazoo's own pauses grow: after a minute without ZooKeeper it would not be back for another.
    retry = KazooRetry(max_tries=-1, delay=0.1, max_delay=1.0)
    hosts = os.environ["DEVSTACK_ZOOKEEPER"]
    client = KazooClient(hosts, timeout=10, connection_retry=retry)
    try:
        client.start()
        yield client
    finally:
        try:
            client.stop()
        finally:
            client.close()  # also where it does not stop in time


@pytest.fixture
def database(config: Config) -> Iterator[Database[dict[str, Any]]]:
    """The test's database in MongoDB."""
    client: MongoClient[dict[str, Any]] = MongoClient(config.mongo.uri, tz_aware=True)
    yield client[config.mongo.database]
    client.close()


@pytest.fixture
def connected(config: Config) -> Iterator[Database[dict[str, Any]]]:
    """The test's database as Canary's programs connect to it."""
    connected = connect(config.mongo)
    connected.command("ping")  # its threads are there before a test counts those that it starts
    yield connected
    connected.client.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before ZooKeeper, for what happens to connections."""
    with Proxy(os.environ["DEVSTACK_ZOOKEEPER"]) as proxy:
        yield proxy


class Command:
    """One of Canary's programs, running."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process, self.log = process, log

    @property
    def output(self) -> str:
        """What it has written so far, to both of its outputs."""
        return self.log.read_text(errors="replace")

    def last_lines(self) -> list[str]:
        """Return the end of its output: what may tell why a test failed."""
        return [line[:LINE_LIMIT] for line in self.output.splitlines()[-LAST_LINES:]]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT)


Spawn = Callable[..., Command]


@pytest.fixture
def spawn(environment: dict[str, str], tmp_path: Path) -> Iterator[Spawn]:
    """Start a console script, such as ``spawn("canary-worker")``; it is ended with the test."""
    started: list[Command] = []

    def start(name: str, *words: str, **variables: str) -> Command:
        log = tmp_path / f"{len(started)}-{Path(name).name}.log"
        with log.open("wb") as output:
            process = programs.start(name, words, {**environment, **variables}, output, output)
        started.append(Command(process, log))
        return started[-1]

    yield start
    for command in started:
        command.process.terminate()  # a server that is killed leaves its own processes behind
    for command in started:
        try:
            command.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            command.process.kill()
            command.process.wait()
        print(f"{command.log.name} ends:", *command.last_lines(), sep="\n")  # pytest shows failures


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a console script to its end, such as ``run("canary-producer", "add", "/x")``."""

    def start(name: str, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return programs.run(name, words, {**environment, **variables}, timeout=60)

    return start
