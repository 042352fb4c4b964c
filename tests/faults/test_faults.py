"""Something breaks while a board is worked on; afterwards everything must be right again.

Each fault comes in the middle of a load that logs what it did (``load``); when it is over and all
is quiet, ``judge`` compares ZooKeeper, MongoDB and that log.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from devstack import control
from tests.faults.judge import Verdict, is_mirror, judge, read_log
from tests.integration.conftest import Command, Spawn
from tests.integration.proxy import Proxy
from tests.waiting import eventually

pytestmark = pytest.mark.faults

HUMAN_PACE = 0.05  # seconds between two operations on the board
BURST = 0.001  # seconds: faster than ZooKeeper's watches tell one by one
SECONDS_TO_LIVE = 30.0  # seconds until a board is live again after a fault
# One seed in `make test`, more in `make faults`.
SEEDS = tuple(range(1, 1 + int(os.environ.get("FAULT_SEEDS", "1"))))


class Scene:
    """A board that is worked on, and watched by Canary."""

    def __init__(
        self,
        board: str,
        log: Path,
        spawn: Spawn,
        zookeeper: KazooClient,
        database: Database[dict[str, Any]],
    ) -> None:
        self.board, self.log, self.spawn = board, log, spawn
        self.zookeeper, self.database = zookeeper, database
        self.load: subprocess.Popen[bytes] | None = None

    def start(self, seed: int, pause: float) -> None:
        """Start the load, once the board is awaited: what was before the first look is no gap."""
        eventually(lambda: self.freshness() == "missing", why="the board is awaited")
        command = [sys.executable, "-m", "tests.faults.load", self.board, str(self.log)]
        self.load = subprocess.Popen([*command, str(seed), str(pause)], env=os.environ)

    def worker(self, **variables: str) -> Command:
        """Start a worker."""
        return self.spawn("canary-worker", **variables)

    def freshness(self) -> str | None:
        found = self.database.boards.find_one({"_id": self.board})
        return found["freshness"] if found else None

    def watcher(self) -> str:
        """Return who watches the board, the empty string for nobody."""
        found = self.database.boards.find_one({"_id": self.board})
        return found["writer"]["worker"] if found and found["writer"] else ""

    def await_live(self) -> None:
        eventually(lambda: self.freshness() == "live", SECONDS_TO_LIVE, "the board is live")

    def await_operations(self, more: int, timeout: float = 60.0) -> None:
        """Wait until the load has done so many more operations."""
        goal = len(read_log(self.log)) + more
        eventually(lambda: len(read_log(self.log)) >= goal, timeout, f"{more} more operations")

    def settle(self) -> Verdict:
        """End the load, wait for Canary to have caught up, and judge."""
        assert self.load is not None
        self.load.terminate()
        assert self.load.wait(60) == 0
        eventually(
            lambda: (
                self.freshness() == "live" and is_mirror(self.database, self.zookeeper, self.board)
            ),
            SECONDS_TO_LIVE,
            "MongoDB holds what ZooKeeper does",
        )
        verdict = judge(self.database, self.zookeeper, self.board, self.log)
        print(verdict)
        return verdict


@pytest.fixture
def scene(
    corner: str,
    tmp_path: Path,
    spawn: Spawn,
    run: Callable[..., "subprocess.CompletedProcess[str]"],
    zookeeper: KazooClient,
    database: Database[dict[str, Any]],
) -> Iterator[Scene]:
    board = f"/{corner}/faults/jobs"
    assert run("canary-producer", "add", board).returncode == 0
    log = tmp_path / "operations.jsonl"
    log.touch()
    made = Scene(board, log, spawn, zookeeper, database)
    yield made
    if made.load is not None and made.load.poll() is None:
        made.load.kill()
        made.load.wait()


def test_no_fault_at_a_human_pace_leaves_nothing_unseen(scene: Scene) -> None:
    scene.worker()
    scene.start(1, HUMAN_PACE)
    scene.await_operations(100)
    verdict = scene.settle()
    assert (verdict.unseen_creates, verdict.unseen_deletes, verdict.gaps) == (0, 0, ())
    assert verdict.operations == verdict.changes


@pytest.mark.parametrize("seed", SEEDS)
def test_a_burst_is_counted(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_operations(3000)
    assert set(scene.settle().gaps) <= {"coalesced", "overflow"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_killed_in_a_burst(scene: Scene, seed: int) -> None:
    first = scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    second = scene.worker()
    scene.await_operations(500)
    first.end(signal.SIGKILL)
    eventually(
        lambda: scene.watcher().endswith(f":{second.process.pid}"),
        SECONDS_TO_LIVE,
        "the other worker has the board",
    )
    scene.await_live()
    scene.await_operations(500)
    assert set(scene.settle().gaps) <= {"coalesced", "overflow", "restart"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_frozen_past_its_session_and_woken(scene: Scene, seed: int) -> None:
    first = scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    second = scene.worker()
    scene.await_operations(500)
    os.kill(first.process.pid, signal.SIGSTOP)
    eventually(
        lambda: scene.watcher().endswith(f":{second.process.pid}"),
        SECONDS_TO_LIVE,
        "the other worker has the board",
    )
    scene.await_operations(200)
    os.kill(first.process.pid, signal.SIGCONT)
    scene.await_operations(500)
    assert scene.watcher().endswith(f":{second.process.pid}")
    scene.settle()


@pytest.mark.parametrize("seed", SEEDS)
def test_zookeeper_killed_and_restarted(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(300)
    control.stop("zookeeper")
    try:
        eventually(lambda: scene.freshness() == "suspended", why="it is noticed")
    finally:
        control.start("zookeeper")
        control.wait_ready("zookeeper")
    scene.await_operations(500)
    scene.settle()


@pytest.mark.parametrize("seed", SEEDS)
def test_connections_dropped_again_and_again(scene: Scene, seed: int) -> None:
    with Proxy(os.environ["DEVSTACK_ZOOKEEPER"]) as proxy:
        scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address)
        scene.start(seed, BURST)
        scene.await_live()
        for _ in range(20):
            scene.await_operations(50)
            proxy.drop()
        scene.await_operations(200)
        assert set(scene.settle().gaps) <= {"coalesced", "suspended", "overflow", "restart"}


@pytest.mark.parametrize("seed", SEEDS)
def test_mongodb_killed_and_restarted(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(500)
    control.stop("mongodb")
    try:
        scene.await_operations(500)
    finally:
        control.start("mongodb")
        control.wait_ready("mongodb")
    scene.await_operations(500)
    scene.settle()


@pytest.mark.parametrize("seed", SEEDS)
def test_mongodb_frozen(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    control.freeze("mongodb")
    try:
        scene.await_operations(2000)
    finally:
        control.thaw("mongodb")
    scene.await_operations(500)
    scene.settle()
