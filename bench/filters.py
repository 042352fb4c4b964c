"""One client of the event stream beside 500 that ask for a filter each, and 200 changes a second.

The rival is the same server without the 500: what they cost the one is the difference. A change
counts from the moment at which MongoDB has said that it is stored.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

from bench.boards import COMMANDS
from bench.figures import Figure, judged, median, percentiles, table
from bench.pages import address
from canary.clock import now
from canary.config import load
from canary.model.changes import Change, Kind
from canary.model.freshness import Freshness
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore

FILTERING: Final = 500  # clients, each with another ``q``
RATE: Final = 200  # changes a second
AT_ONCE: Final = 10  # changes in one write
LASTING: Final = 10.0  # seconds
PATIENCE: Final = 60.0  # seconds
GOAL: Final = 250.0  # milliseconds in the median, as for a thousand clients without a filter


def measure() -> str:
    """Ask the same server without the clients that filter and with them; return the table."""
    name = f"bench{os.getpid()}"
    environment = {
        **os.environ,
        "OS_MONGO__DATABASE": name,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_CASSANDRA__ENABLED": "false",
        "OS_SERVER__PORT": "0",
        "OS_SERVER__RATE_LIMIT": "0",
        "OS_SERVER__MAX_STREAMS": str(FILTERING + 10),
        "OS_SERVER__STREAMS_PER_CLIENT": str(FILTERING + 10),
    }
    config = load(environ=environment)
    database = connect(config.mongo)
    ensure_schema(database, config.mongo)
    try:
        alone, beside = _told(database, environment)
    finally:
        database.client.drop_database(name)
        database.client.close()
    count = int(RATE * LASTING)
    return table(
        f"One client of the event stream beside {FILTERING} that filter, {RATE} changes a second",
        "without them",
        [
            Figure(
                "from MongoDB's answer to the client",
                percentiles(beside),
                percentiles(alone),
                f"p50 {judged(median(beside) * 1000, GOAL, 'ms')}",
            ),
            Figure("lost", str(count - len(beside)), str(count - len(alone))),
        ],
    )


def _told(
    database: Database[dict[str, Any]], environment: dict[str, str]
) -> tuple[list[float], list[float]]:
    board = LiveStore(database, "bench").take("/bench/jobs", 1, lambda: True, now())
    with _serving(environment) as url:
        numbers = iter(range(1, 1_000_000))
        with _listening(f"{url}/v2/stream", 1) as client:
            alone = _latencies(client, board, numbers)
        with ExitStack() as crowd:
            crowd.enter_context(_listening(f"{url}/v2/stream?q=never-{{}}&q!=nor-{{}}", FILTERING))
            client = crowd.enter_context(_listening(f"{url}/v2/stream", 1))
            beside = _latencies(client, board, numbers)
    return alone, beside


def _latencies(
    client: "subprocess.Popen[bytes]", board: LiveBoard, numbers: Iterator[int]
) -> list[float]:
    """Return the seconds until a client had each change that is written meanwhile."""
    assert client.stdin is not None
    assert client.stdout is not None
    begun: dict[int, float] = {}
    start = time.monotonic()
    while len(begun) < RATE * LASTING:
        some = [next(numbers) for _ in range(AT_ONCE)]
        at = now()
        changes = tuple(_posted(number) for number in some)
        board.write([Step(BoardState(seen_at=at), changes, ())], Freshness.LIVE, at)
        begun |= dict.fromkeys(some, time.monotonic())
        time.sleep(max(0.0, start + len(begun) / RATE - time.monotonic()))
    client.stdin.write(f"{len(begun)}\n".encode())
    client.stdin.flush()
    came: dict[str, list[float]] = json.loads(client.stdout.readline())
    return [
        max(0.0, moment - begun[int(number)])
        for number, moments in came.items()
        for moment in moments
        if int(number) in begun
    ]


def _posted(number: int) -> Change:
    content = {"uuid": f"bench-{number}", "name": "build", "details": {"size": number}}
    at, payload = now(), decode(json.dumps(content).encode())
    return Change(
        *(Kind.POSTED, f"job{number:010d}", 1, number, str(content["uuid"]), at, at, 1),
        payload=payload,
    )


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile() as log:
        command = [str(COMMANDS / "canary-server")]
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        try:
            yield address(Path(log.name))
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _listening(stream: str, count: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "bench.listeners", stream, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the clients did not come")
        yield process
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()
