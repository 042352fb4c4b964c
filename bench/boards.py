"""200 boards with 10 jobs each: how soon they are live, and how soon a change on one is stored.

The rival is what a monitor does without watches: one process that goes over all boards with
TaskFlow's own ``iterjobs(ensure_fresh=True)`` and ``job.state``, over and over without a pause. It
stores nothing, which Canary does; a change counts as seen by it when its sweep comes to it.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from pymongo import MongoClient
from pymongo.database import Database

from bench.figures import Figure, judged, percentiles, table

BOARDS: Final = 200
JOBS: Final = 10
CHANGES: Final = 400
PACE: Final = 0.02  # seconds between two changes: a change finds the chain idle, as most do
LIVE_GOAL: Final = 20.0  # seconds
STORED_GOAL: Final = 100.0  # milliseconds, at the median
PATIENCE: Final = 120.0  # seconds
SEED: Final = 20261122
COMMANDS: Final = Path(sys.executable).parent


def measure() -> str:
    """Run both and return the table."""
    name = f"boards{os.getpid()}"  # its own: the measurements share the servers
    environment = {
        **os.environ,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_MONGO__DATABASE": name,
        "OS_CASSANDRA__KEYSPACE": name,
        "OS_LOG__LEVEL": "WARNING",
    }
    boards = [f"/{name}/{number}/jobs" for number in range(BOARDS)]
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    database = MongoClient[dict[str, Any]](os.environ["OS_MONGO__URI"])[name]
    try:
        for board in boards:
            client.ensure_path(board)
            for number in range(JOBS):
                post(client, board, f"job-{number}")
        live, latencies = _canary(client, database, boards, environment)
        sweep, rival = _poller(client, boards, environment)
    finally:
        database.client.drop_database(name)
        client.stop()
    return table(
        f"{BOARDS} boards with {JOBS} jobs each, {CHANGES} jobs posted one by one",
        "TaskFlow polled without pause",
        [
            Figure(
                "all boards live, from the start",
                *(f"{live:.1f} s", f"{sweep:.1f} s"),
                judged(live, LIVE_GOAL, "s"),
            ),
            Figure(
                "from ZooKeeper's answer to stored / seen",
                percentiles(latencies),
                percentiles(rival),
                f"p50 {judged(statistics.median(latencies) * 1000, STORED_GOAL, 'ms')}",
            ),
        ],
    )


def post(client: KazooClient, board: str, name: str) -> str:
    """Post a job as TaskFlow does, and return its uuid."""
    uuid = f"{random.getrandbits(128):032x}"
    posting = {"uuid": uuid, "name": name, "priority": "NORMAL", "details": {"size": 3}}
    client.create(f"{board}/job", json.dumps(posting).encode(), sequence=True)
    return uuid


def _canary(
    client: KazooClient,
    database: Database[dict[str, Any]],
    boards: list[str],
    environment: dict[str, str],
) -> tuple[float, list[float]]:
    """Return the seconds until all boards are live, and those of each change until stored."""
    subprocess.run(
        [COMMANDS / "canary-producer", "add", *boards],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    begun = time.monotonic()
    with running([str(COMMANDS / "canary-worker")], environment):
        while database.boards.count_documents({"freshness": "live"}) < len(boards):
            if time.monotonic() - begun > PATIENCE:
                raise TimeoutError(f"not all of {len(boards)} boards are live in {PATIENCE:g} s")
            time.sleep(0.05)
        live = time.monotonic() - begun
        only_inserts = [{"$match": {"operationType": "insert"}}]
        with database.changes.watch(only_inserts, max_await_time_ms=1000) as stream:
            stream.try_next()
            return live, [_one(client, stream, board) for board in _chosen(boards)]


def _one(client: KazooClient, stream: Any, board: str) -> float:
    """Post a job and return the seconds until its change comes out of MongoDB's change stream."""
    time.sleep(PACE)
    uuid = post(client, board, "measured")
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        event = stream.try_next()
        if event is not None and event["fullDocument"]["uuid"] == uuid:
            return time.monotonic() - begun
    raise TimeoutError(f"the change on {board} was not stored in {PATIENCE:g} s")


def _chosen(boards: list[str], changes: int = CHANGES) -> list[str]:
    chooser = random.Random(SEED)
    return [chooser.choice(boards) for _ in range(changes)]


def _poller(
    client: KazooClient, boards: list[str], environment: dict[str, str]
) -> tuple[float, list[float]]:
    """Return the seconds of the first sweep, and those of each change until it was seen."""
    command = [sys.executable, "-m", "bench.poller", *boards]
    with running(command, environment, stdout=subprocess.PIPE) as poller:
        assert poller.stdout is not None
        begun = time.monotonic()
        while not poller.stdout.readline().startswith(b"swept"):
            pass
        sweep = time.monotonic() - begun
        latencies = []
        # A poller is so much slower that a tenth of the changes tells as much.
        for board in _chosen(boards, CHANGES // 10):
            uuid = post(client, board, "measured")
            posted = time.monotonic()
            while poller.stdout.readline().strip() != f"saw {uuid}".encode():
                pass
            latencies.append(time.monotonic() - posted)
    return sweep, latencies


@contextmanager
def running(
    command: list[str], environment: dict[str, str], stdout: int | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command beside the ``with``, and end it after."""
    process = subprocess.Popen(command, env=environment, stdout=stdout)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
