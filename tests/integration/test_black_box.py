"""Canary from the outside: its commands and its HTTP, against what TaskFlow's own processes did.

Nothing of Canary is imported here. What is compared: every change that Canary recorded matches
exactly one operation, in order per job, nothing twice, none missing, by the same owners; the same
in MongoDB, on the stream, and in ``/v1.0/jobs``; and of what is done one by one nothing is unseen.
"""

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from tests.asking import ask, is_ready, open_stream
from tests.integration.boards import missed
from tests.integration.conftest import Spawn
from tests.ports import free_port
from tests.waiting import eventually

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "v1.0-jobs.json").read_text())
OPERATIONS = 120
FLOWS = 12

Operation = tuple[str, str, str | None]  # kind, uuid, owner


class Stream:
    """A client of the event stream."""

    def __init__(self, url: str) -> None:
        self.changes: list[dict[str, Any]] = []
        self._response = open_stream(url, timeout=60)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._response.iter_lines(chunk_size=None):
                field, _, value = line.decode().partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name == "change":
                    self.changes.append(json.loads(value))
        except (requests.RequestException, AttributeError):
            return  # the server was stopped

    def join(self) -> None:
        """Wait for the end of the stream, which the server's end brings."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._response.close()


@pytest.fixture
def url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def operate(tmp_path: Path) -> Iterator[Callable[..., tuple["subprocess.Popen[bytes]", Path]]]:
    """Start a process that works on a board; returns it with the log of what it did."""
    started: list[subprocess.Popen[bytes]] = []

    def start(what: str, board: str, *words: str | int) -> tuple["subprocess.Popen[bytes]", Path]:
        log = tmp_path / f"operations-{len(started)}.jsonl"
        command = [sys.executable, "-m", "tests.integration.operating", what, board, str(log)]
        started.append(subprocess.Popen([*command, *map(str, words)], env=os.environ))
        return started[-1], log

    yield start
    for process in started:
        process.kill()
        process.wait()


def operations(log: Path) -> list[Operation]:
    """Read what was done on a board."""
    lines = (json.loads(line) for line in log.read_text().splitlines())
    return [(line["kind"], line["uuid"], line["owner"]) for line in lines]


def by_job(rows: list[Operation]) -> dict[str, list[tuple[str, str | None]]]:
    """Return the order of events of each job."""
    orders: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for kind, uuid, owner in rows:
        orders[uuid].append((kind, owner))
    return orders


def freshness(url: str) -> dict[str, str]:
    return {board["path"]: board["freshness"] for board in ask(url, "/v2/boards")["boards"]}


def test_what_canary_tells_is_what_was_done(
    corner: str,
    url: str,
    spawn: Spawn,
    run: Callable[..., "subprocess.CompletedProcess[str]"],
    operate: Callable[..., tuple["subprocess.Popen[bytes]", Path]],
    zookeeper: KazooClient,
    database: Database[dict[str, Any]],
) -> None:
    old, new = f"/{corner}/old/jobs", f"/{corner}/new/jobs"
    zookeeper.ensure_path(old)
    server = spawn("canary-server", OS_SERVER__PORT=url.rpartition(":")[2])
    spawn("canary-worker")
    assert run("canary-producer", "add", old, new).returncode == 0
    eventually(lambda: is_ready(url), why="canary-server answers")
    eventually(
        lambda: freshness(url) == {old: "live", new: "missing"}, why="both boards are watched"
    )
    stream = Stream(url)

    logs = {}
    processes = []
    words: tuple[str | int, ...]
    for board, what, words in (
        (old, "hands", (url, 1, OPERATIONS)),
        (new, "conductor", (url, FLOWS)),
    ):
        process, logs[board] = operate(what, board, *words)
        processes.append(process)
    for process in processes:
        assert process.wait(300) == 0

    done = {board: operations(log) for board, log in logs.items()}
    assert len(done[old]) >= OPERATIONS
    assert {kind for kind, _, _ in done[old]} == {
        *("posted", "claimed", "abandoned", "consumed", "trashed")
    }
    assert len(done[new]) == 3 * FLOWS
    for board, expected in done.items():
        _compare(board, expected, database, stream)
        _check_answer(url, board, expected)
    assert missed(database) == [], "one by one, nothing is unseen"
    eventually(lambda: freshness(url) == {old: "live", new: "live"})
    assert server.end() == 0, server.output
    stream.join()


def _compare(
    board: str, expected: list[Operation], database: Database[dict[str, Any]], stream: Stream
) -> None:
    """Compare what MongoDB and the stream hold of a board with what was done on it."""
    count = len(expected)
    eventually(lambda: database.changes.count_documents({"board": board}) >= count)
    recorded = list(database.changes.find({"board": board}).sort("revision"))
    assert by_job([_row(change) for change in recorded]) == by_job(expected)
    assert [change["revision"] for change in recorded] == list(range(1, count + 1))
    eventually(lambda: len(_of(stream, board)) >= count)
    streamed = _of(stream, board)
    assert [change["revision"] for change in streamed] == list(range(1, count + 1))
    assert [_row(change) for change in streamed] == [_row(change) for change in recorded]


def _of(stream: Stream, board: str) -> list[dict[str, Any]]:
    return [change for change in stream.changes if change["path"] == board]


def _row(change: dict[str, Any]) -> Operation:
    return change["kind"], change["uuid"], change["owner"]


def _check_answer(url: str, board: str, expected: list[Operation]) -> None:
    """Compare ``/v1.0/jobs`` with what follows from the operations."""
    answer = ask(url, "/v1.0/jobs", path=board)
    jsonschema.validate(answer, SCHEMA, cls=jsonschema.Draft202012Validator)
    [told] = answer
    ends = {"consumed": "COMPLETE", "trashed": "COMPLETE", "claimed": "CLAIMED"}
    statuses, owners, outcomes = {}, {}, {}
    for kind, uuid, owner in expected:
        statuses[uuid] = ends.get(kind, "UNCLAIMED")
        outcomes[uuid] = kind if statuses[uuid] == "COMPLETE" else None
        owners[uuid] = owner if kind != "abandoned" else None
    jobs = {job["_uuid"]: job for job in told["jobs"]}
    assert told["job_count"] == len(told["jobs"]) == len(statuses)
    assert {uuid: job["status"] for uuid, job in jobs.items()} == statuses
    assert {uuid: job["outcome"] for uuid, job in jobs.items()} == outcomes
    assert {uuid: job["owner"] for uuid, job in jobs.items()} == owners

    def is_complete() -> bool:
        [recent] = ask(url, "/v1.0/jobs", path=board, interval="1")
        return (recent["freshness"], recent["complete"]) == ("live", True)

    eventually(is_complete)
