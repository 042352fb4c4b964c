"""``canary tail`` takes the stream up where it was, though the server was killed; with filters."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from tests.integration.boards import register
from tests.integration.conftest import Command, Spawn
from tests.integration.test_black_box import by_job
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, ago, claimed, now, posted
from tests.processes import family
from tests.waiting import eventually

OPERATIONS = 150


def told(tail: Command) -> list[dict[str, Any]]:
    """Return the events that were printed whole."""
    lines = tail.output.splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def changes(tail: Command) -> list[dict[str, Any]]:
    return [event["data"] for event in told(tail) if event["event"] == "change"]


def kill(server: Server) -> None:
    """End every process of a server as though its machine had failed."""
    processes = family(server.command.process.pid)
    for process in processes:
        process.suspend()  # so that none notices the end of another
    for process in processes:
        process.kill()
    server.command.process.wait()
    psutil.wait_procs(processes[1:])


@pytest.mark.faults
def test_each_change_comes_once_though_the_server_is_killed(
    spawn: Spawn,
    zookeeper: KazooClient,
    corner: str,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    board = f"/{corner}/lbaas/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], board)
    spawn("canary-worker")
    steady, server = Server(spawn), Server(spawn)
    eventually(lambda: _freshness(server) == ["live"], why="the board is watched")
    tail = spawn("canary", "tail", "-f", "json", CANARY_URL=server.address)
    people = spawn("canary", "tail", CANARY_URL=server.address)
    eventually(lambda: told(tail), why="tail listens")
    log = tmp_path / "operations.jsonl"
    hands = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.operating", "hands", board, str(log)),
            *(steady.address, "7", str(OPERATIONS)),
        ],
        env=os.environ,
    )
    try:
        for times, done in enumerate((OPERATIONS // 5, OPERATIONS // 2)):
            eventually(partial(_has, tail, done), 120)
            # Both are connected: each waits a random time of its own before it is again.
            eventually(lambda done=done: people.output.count(board) >= done, 120)  # type: ignore[misc]
            for command in (tail, people):
                eventually(partial(_said, command, times))
            kill(server)
            for command in (tail, people):
                eventually(partial(_said, command, times, "disconnected"))
            server = Server(spawn, OS_SERVER__PORT=str(server.port))
        assert hands.wait(120) == 0
    finally:
        hands.kill()
        hands.wait()
    operations = [json.loads(line) for line in log.read_text().splitlines()]
    expected = [(each["kind"], each["uuid"], each["owner"]) for each in operations]
    eventually(lambda: len(changes(tail)) >= len(expected), 90)  # a pause is 30 s at most
    rows = [(change["kind"], change["uuid"], change["owner"]) for change in changes(tail)]
    assert [change["revision"] for change in changes(tail)] == list(range(1, len(expected) + 1))
    assert by_job(rows) == by_job(expected)
    assert [event for event in told(tail) if event["event"] in {"gap", "reset", "dropped"}] == []
    eventually(lambda: people.output.count(board) >= len(expected))
    lines = [line.split() for line in people.output.splitlines()]
    assert len([line for line in lines if line[1:2] == [board]]) == len(expected)
    for command in (tail, people):
        # What came with the new connection may be there before it is said that there is one.
        eventually(partial(_said, command, 2))
        assert command.end(signal.SIGINT) == 130


def _said(command: Command, times: int, *more: str) -> bool:
    """Tell whether it said so often that it lost its connection and has it again, and then more."""
    said = [line for line in command.output.splitlines() if line.startswith("canary: ")]
    return [line.split()[1] for line in said] == [*("disconnected", "connected") * times, *more]


def _has(tail: Command, count: int) -> bool:
    return len(changes(tail)) >= count


def _freshness(server: Server) -> list[str]:
    return [board["freshness"] for board in server.get("/v2/boards").json()["boards"]]


def test_only_what_is_asked_for(spawn: Spawn, database: Database[dict[str, Any]]) -> None:
    written = WrittenBoard(database, watched_since=ago(60))
    written.beat()
    server = Server(spawn)
    everything = spawn("canary", "tail", "-f", "json", CANARY_URL=server.address)
    claims = spawn("canary", "tail", "-f", "json", "--kind", "claimed", CANARY_URL=server.address)
    eventually(lambda: told(everything) and told(claims), why="both listen")
    for number in range(1, 6):
        written.write(posted(number, now()), claimed(number, now()))
    eventually(lambda: len(changes(everything)) == 10 and len(changes(claims)) == 5)
    assert {change["kind"] for change in changes(claims)} == {"claimed"}
