"""A ZooKeeper whose clock is off: real programs, and a real server under libfaketime.

What Canary shows of waiting and running goes by MongoDB's clock, and everybody is told.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from kazoo.client import KazooClient

from canary.clock import now
from canary.watchers.ensemble_clock import INTERVAL
from tests.integration.boards import claim, consume, post, register
from tests.integration.conftest import Command, Spawn
from tests.integration.faketime import Clock, faketime, zookeeper_ahead
from tests.integration.test_metrics import Program, await_scrape
from tests.scraping import Scrape
from tests.waiting import eventually

__all__ = ["faketime"]  # a fixture

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HOUR = 3_600.0
ABOUT = 3.0  # seconds that are no fault


@pytest.fixture(params=[HOUR, -20.0])
def ahead(request: pytest.FixtureRequest) -> float:
    seconds: float = request.param
    return seconds


@pytest.fixture
def clock(
    faketime: Path, tmp_path: Path, ahead: float, environment: dict[str, str]
) -> Iterator[Clock]:
    with zookeeper_ahead(faketime, tmp_path, ahead) as clock:
        environment["OS_ZOOKEEPER__HOSTS"] = clock.hosts
        yield clock


@pytest.fixture
def beside(clock: Clock) -> Iterator[KazooClient]:
    client = KazooClient(clock.hosts, timeout=10)
    try:
        client.start()
        yield client
    finally:
        client.stop()
        client.close()


class Server(Program):
    """A canary-server."""

    def get(self, where: str, **query: str) -> dict[str, Any]:
        with requests.get(f"{self.url}{where}", params=query, timeout=30) as answer:
            assert answer.status_code == 200, answer.text
            told: dict[str, Any] = answer.json()
            return told

    def board(self, path: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.get("/v2/boards", path=path)["boards"]
        return found[0] if found else {}

    def off_by(self, path: str, seconds: float) -> dict[str, Any] | None:
        """Return the board if its ZooKeeper's clock is that far ahead."""
        board = self.board(path)
        is_so = board["clock_offset"] == pytest.approx(seconds, abs=ABOUT)
        return board if is_so else None

    def jobs(self, path: str) -> dict[str, dict[str, Any]]:
        return {job["znode"]: job for job in self.get("/v2/jobs", path=path)["jobs"]}


def times(job: dict[str, Any]) -> list[float]:
    return [job[name] for name in ("age", "waiting", "running") if job[name] is not None]


def test_times_go_by_when_it_was_seen_and_everybody_is_told(
    clock: Clock,
    ahead: float,
    beside: KazooClient,
    environment: dict[str, str],
    corner: str,
    spawn: Spawn,
    run: Run,
) -> None:
    path = f"/{corner}/watched/jobs"
    beside.ensure_path(path)
    begun = now()
    there = post(beside, path)  # before anybody watches
    held = post(beside, path)
    claim(beside, path, held)
    beside.create(f"/{corner}/watched/.entities/conductor/ann@h:1", ephemeral=True, makepath=True)
    register(beside, environment["OS_CANARY__JOBBOARD"], path)
    worker: Command = spawn("canary-worker")
    server = Server(spawn, "canary-server", "OS_SERVER__PORT")
    eventually(lambda: server.jobs(path).keys() >= {there, held}, why="it is watched")
    live = post(beside, path)
    eventually(lambda: live in server.jobs(path), why="it is seen")

    def lasted() -> float:
        return (now() - begun).total_seconds() + ABOUT

    for name, job in server.jobs(path).items():
        assert all(0 <= each <= lasted() for each in times(job)), (name, job)
    # A heartbeat tells, once a second, and first only bounds: what the first look found.
    board = eventually(lambda: server.off_by(path, ahead), why="a heartbeat tells")
    assert board is not None
    assert board["clock_off"] is True
    assert 0 <= board["oldest_unclaimed"] <= lasted()
    [conductor] = server.get("/v2/conductors", path=path)["conductors"][:1]
    assert abs(seconds_ago(conductor["since"])) <= lasted()

    def is_off(told: Scrape) -> None:
        offset = told.value("canary_board_clock_offset_seconds", board=path)
        assert offset == pytest.approx(ahead, abs=ABOUT)

    # The server keeps what it asked for a scrape for a second.
    figures = await_scrape(server, is_off)
    waits = figures.value("canary_board_oldest_unclaimed_seconds", board=path)
    assert waits is not None
    assert 0 <= waits <= lasted()

    waited: float = server.jobs(path)[live]["waiting"]
    claim(beside, path, live)
    eventually(lambda: server.jobs(path)[live]["state"] == "CLAIMED")
    assert waited <= server.jobs(path)[live]["waiting"] <= lasted()
    consume(beside, path, live)
    eventually(lambda: server.jobs(path)[live]["state"] == "COMPLETE")
    assert all(0 <= each <= lasted() for each in times(server.jobs(path)[live]))
    [old] = requests.get(f"{server.url}/v1.0/jobs", params={"path": path}, timeout=30).json()
    assert {job["_path"].rpartition("/")[2] for job in old["jobs"]} == {there, held, live}
    for job in old["jobs"]:
        assert 0 <= job["waiting"] <= lasted(), job

    for change in server.get("/v2/changes", path=path)["changes"]:
        assert abs(seconds_ago(change["moment"])) <= lasted()
        if change["at"] is not None:
            off = seconds_ago(change["moment"]) - seconds_ago(change["at"])
            # What the first look finds has a bound alone, if ZooKeeper is slow to say its time.
            about = ABOUT if change["name"] == live else lasted()
            assert off == pytest.approx(ahead, abs=about), "ZooKeeper's time stays as it is"

    side = "ahead of" if ahead > 0 else "behind"
    told = [line for line in worker.output.splitlines() if "ZooKeeper's clock is" in line]
    assert len(told) == 1, "once"
    assert f"s {side} MongoDB's" in told[0]
    doctor = run("canary", "doctor", "-f", "value")
    by = re.search(rf"ZooKeeper's clock is ([\d.]+) s {side} MongoDB's", doctor.stdout)
    assert by, doctor.stdout
    assert float(by[1]) == pytest.approx(abs(ahead), abs=ABOUT)
    assert "with NTP" in doctor.stdout

    clock.set(0)
    board = eventually(lambda: server.off_by(path, 0), why="it agrees")
    assert board is not None
    assert board["clock_off"] is False
    begun = now()
    right = post(beside, path)
    eventually(lambda: right in server.jobs(path))
    assert 0 <= server.jobs(path)[right]["waiting"] <= lasted()
    assert worker.output.count("ZooKeeper's clock and MongoDB's agree again") == 1
    clock.set(-ahead)
    begun = now()
    again = post(beside, path)
    eventually(lambda: server.board(path)["clock_off"], why="the change tells it, or the worker")
    assert 0 <= server.jobs(path)[again]["waiting"] <= lasted() + INTERVAL


def seconds_ago(moment: str) -> float:
    return (now() - datetime.fromisoformat(moment)).total_seconds()
