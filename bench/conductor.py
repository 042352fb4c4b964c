"""300 watch jobs on one worker: how soon they run, what they cost at rest, how soon they are ended.

The rival is TaskFlow's own non-blocking conductor with as many jobs that only wait. Then a second
worker joins, and the first is killed: how soon the boards are shared, and live again.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psutil
from kazoo.client import KazooClient
from pymongo import MongoClient
from pymongo.database import Database

from bench.boards import COMMANDS, PATIENCE, running
from bench.figures import Figure, judged, table

BOARDS: Final = 300
REST: Final = 60.0  # seconds: each board is compared with ZooKeeper once in them
SETTLE: Final = 10.0  # seconds after all is live, until rest is measured
SESSION_TIMEOUT: Final = 6.0  # seconds
LIVE_GOAL: Final = 10.0  # seconds
REST_GOAL: Final = 2.0  # percent of one core
END_GOAL: Final = 10.0  # seconds
JOIN_GOAL: Final = 15.0  # seconds
REPLACE_GOAL: Final = SESSION_TIMEOUT + 5.0  # seconds

Mongo = Database[dict[str, Any]]


def measure() -> str:
    """Run both and return the table."""
    name = f"conductor{os.getpid()}"  # its own: the measurements share the servers
    environment = {
        **os.environ,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_MONGO__DATABASE": name,
        "OS_CASSANDRA__ENABLED": "false",
        "OS_ZOOKEEPER__SESSION_TIMEOUT": str(SESSION_TIMEOUT),
        "OS_LOG__LEVEL": "WARNING",
    }
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    database = MongoClient[dict[str, Any]](os.environ["OS_MONGO__URI"])[name]
    try:
        canary = _canary(client, database, name, environment)
        stock = _stock(name)
        joined, replaced = _several(database, environment)
    finally:
        database.client.drop_database(name)
        client.stop()
    (live, rest, ended), (run, stock_rest, stock_ended) = canary, stock
    own = table(
        f"{BOARDS} watch jobs on one worker",
        "TaskFlow's own conductor",
        [
            Figure(
                "all run (Canary's: and are live)",
                *_seconds(live, run),
                judged(live, LIVE_GOAL, "s"),
            ),
            Figure(
                "at rest, of one core",
                *(f"{rest:.1f} %", f"{stock_rest:.1f} %"),
                judged(rest, REST_GOAL, "%"),
            ),
            Figure(
                "all abandoned, the process gone",
                *_seconds(ended, stock_ended),
                judged(ended, END_GOAL, "s"),
            ),
        ],
    )
    shared = table(
        f"{BOARDS} boards, two workers, a session timeout of {SESSION_TIMEOUT:g} s",
        "",
        [
            Figure(
                "one joins: each has its share, all live",
                *(f"{joined:.1f} s", ""),
                judged(joined, JOIN_GOAL, "s"),
            ),
            Figure(
                "one is killed: all live again",
                *(f"{replaced:.1f} s", ""),
                judged(replaced, REPLACE_GOAL, "s"),
            ),
        ],
    )
    return f"{own}\n{shared}"


def _seconds(canary: float, stock: float) -> tuple[str, str]:
    return f"{canary:.1f} s", f"{stock:.1f} s"


def _canary(
    client: KazooClient, database: Mongo, name: str, environment: dict[str, str]
) -> tuple[float, float, float]:
    boards = [f"/{name}/{number}/jobs" for number in range(BOARDS)]
    for board in boards:
        client.ensure_path(board)
    subprocess.run(
        [COMMANDS / "canary-producer", "add", *boards],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with _worker(environment) as worker:
        live = _seconds_until(lambda: _watched(database).total() == BOARDS)
        time.sleep(SETTLE)
        rest = _at_rest(worker.pid)
        worker.send_signal(signal.SIGTERM)
        ended = _seconds_until(lambda: worker.poll() is not None)
    return live, rest, ended


def _stock(name: str) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "bench.stock_conductor", f"/{name}/stock/jobs", str(BOARDS)]
    with running(command, dict(os.environ), stdout=subprocess.PIPE) as stock:
        assert stock.stdout is not None
        begun = time.monotonic()
        stock.stdout.readline()
        run = time.monotonic() - begun
        rest = _at_rest(stock.pid)
        stock.send_signal(signal.SIGTERM)
        ended = _seconds_until(lambda: stock.poll() is not None)
    return run, rest, ended


def _several(database: Mongo, environment: dict[str, str]) -> tuple[float, float]:
    with _worker(environment) as first:
        _seconds_until(lambda: _watched(database).total() == BOARDS)
        with _worker(environment):
            half = [BOARDS // 2] * 2
            joined = _seconds_until(lambda: sorted(_watched(database).values()) == half)
            first.kill()
            replaced = _seconds_until(
                lambda: [*_watched(database, but=first.pid).values()] == [BOARDS]
            )
    return joined, replaced


@contextmanager
def _worker(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with running([str(COMMANDS / "canary-worker")], environment) as worker:
        yield worker


def _watched(database: Mongo, but: int = 0) -> Counter[str]:
    """Return how many boards are live, by their worker."""
    found = {"freshness": "live", "registered": True}  # not Canary's own
    live = database.boards.find(found, {"writer.worker": 1})
    workers = (board["writer"]["worker"] for board in live)
    return Counter(worker for worker in workers if not worker.endswith(f":{but}"))


def _at_rest(pid: int) -> float:
    """Return the percentage of one core that a process takes while nothing happens."""
    process = psutil.Process(pid)
    process.cpu_percent()
    time.sleep(REST)
    return process.cpu_percent()


def _seconds_until(is_so: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(f"not within {PATIENCE:g} s")
        time.sleep(0.05)
    return time.monotonic() - begun
