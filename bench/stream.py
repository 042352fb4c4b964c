"""1,000 clients of the event stream on one server process, and a change at all of them.

The rival is a bare Flask view on the same gunicorn, which sends what it is handed, of the same
size, to as many clients out of its memory. Clients are in a process of their own. A change counts
from the moment at which MongoDB has said that it is stored, at the rival from the moment at which
its view has it; a client that has it earlier than that has it at once.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import requests
from pymongo.database import Database

from bench.boards import COMMANDS, running
from bench.figures import Figure, back, judged, p99, percentiles, table
from bench.pages import address
from canary.clock import now
from canary.config import load
from canary.model.changes import Change, Kind
from canary.model.freshness import Freshness
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.writing.take import LiveStore

CLIENTS: Final = 1_000
CHANGES: Final = 100
PACE: Final = 0.3  # seconds between two changes
WARMING: Final = 50  # clients that come and go before memory is looked at
PATIENCE: Final = 60.0  # seconds
SETTLED: Final = 3.0  # seconds; canary-server waits for one before it gives memory back
GOAL: Final = 250.0  # milliseconds at the 99th percentile
MEMORY_GOAL: Final = 10.0  # percent above what the first crowd left
EVENT: Final = 420  # bytes of the rival's, as a change has

Moments = dict[int, list[float]]


def measure() -> str:
    """Ask both, one after the other, and return the table."""
    name = f"bench{os.getpid()}"
    environment = {
        **os.environ,
        "OS_MONGO__DATABASE": name,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_CASSANDRA__ENABLED": "false",
        "OS_SERVER__PORT": "0",
        "OS_SERVER__RATE_LIMIT": "0",
        "OS_SERVER__MAX_STREAMS": str(CLIENTS + 10),
        "OS_SERVER__STREAMS_PER_CLIENT": str(CLIENTS + 10),
    }
    config = load(environ=environment)
    database = connect(config.mongo)
    ensure_schema(database, config.mongo)
    try:
        own, memory = _canary(database, environment)
    finally:
        database.client.drop_database(name)
        database.client.close()
    rival, rival_memory = _rival()
    lost = CLIENTS * CHANGES - len(own)
    return table(
        f"{CLIENTS:,} clients of the event stream on one process, {CHANGES} changes",
        "a bare Flask view",
        [
            Figure(
                "from MongoDB's answer to the client",
                percentiles(own),
                percentiles(rival),
                f"p99 {judged(p99(own) * 1000, GOAL, 'ms')}",
            ),
            Figure(
                "lost",
                str(lost),
                str(CLIENTS * CHANGES - len(rival)),
                f"none: {'met' if lost == 0 else f'missed by {lost}'}",
            ),
            Figure(
                "memory before, with and after them",
                _megabytes(memory[:3]),
                _megabytes(rival_memory),
                "",
            ),
            Figure(
                "and when as many others had come and left",
                _megabytes(memory[3:]),
                "",
                f"no more: {back(memory[2], memory[3], MEMORY_GOAL)}",
            ),
        ],
    )


def _canary(
    database: Database[dict[str, Any]], environment: dict[str, str]
) -> tuple[list[float], list[int]]:
    store = LiveStore(database, "bench")
    board = store.take("/bench/jobs", 1, lambda: True, now())

    def write(number: int) -> float:
        content = {"uuid": f"bench-{number}", "name": "build", "details": {"size": number}}
        at, payload = now(), decode(json.dumps(content).encode())
        change = Change(
            *(Kind.POSTED, f"job{number:010d}", 1, number, str(content["uuid"]), at, at, 1),
            payload=payload,
        )
        board.write([Step(BoardState(seen_at=at), (change,), ())], Freshness.LIVE, at)
        return time.monotonic()

    with tempfile.NamedTemporaryFile() as log:
        command = [str(COMMANDS / "canary-server")]
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        try:
            url = address(Path(log.name))

            def clients() -> float:
                text = requests.get(f"{url}/metrics", timeout=PATIENCE).text
                found = re.search(r"^canary_stream_clients (\S+)$", text, re.MULTILINE)
                return float(found[1]) if found else 0.0

            return _told(f"{url}/v2/stream", process.pid, write, clients, come_again=True)
        finally:
            process.terminate()
            process.wait()


def _rival() -> tuple[list[float], list[int]]:
    port = 20_000 + os.getpid() % 10_000  # below those that the system gives out
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bench.bare_stream", f"127.0.0.1:{port}", str(CLIENTS)]
    with running(command, dict(os.environ)) as process, requests.Session() as session:

        def write(number: int) -> float:
            event = f'event: change\ndata: {{"revision": {number}, '.encode()
            body = event.ljust(EVENT, b" ") + b"}\n\n"
            answer = session.post(url, data=body, timeout=PATIENCE)
            answer.raise_for_status()
            return float(answer.text)

        _until(lambda: _answers(url))
        return _told(f"{url}/stream", process.pid, write, lambda: 0.0, come_again=False)


def _told(
    stream: str,
    pid: int,
    write: Callable[[int], float],
    clients: Callable[[], float],
    *,
    come_again: bool,
) -> tuple[list[float], list[int]]:
    """Return the seconds until each client had each change, and the memory.

    It is before the clients came, with them, when they had left, and with ``come_again`` when as
    many others had come and left.
    """
    numbers = iter(range(1, 1_000_000))
    with _listening(stream, WARMING):
        write(next(numbers))

    def all_left() -> bool:
        write(next(numbers))  # that somebody is gone is noticed by writing
        return clients() == 0

    _until(all_left)
    memory = [_settled(pid)]
    with _listening(stream, CLIENTS) as listeners:
        assert listeners.stdin is not None
        assert listeners.stdout is not None
        begun: dict[int, float] = {}
        for _ in range(CHANGES):
            number = next(numbers)
            begun[number] = write(number)
            time.sleep(PACE)
        listeners.stdin.write(f"{CHANGES}\n".encode())
        listeners.stdin.flush()
        came = json.loads(listeners.stdout.readline())
        memory.append(_memory(pid))
    _until(all_left)
    memory.append(_settled(pid))
    if come_again:
        with _listening(stream, CLIENTS):
            write(next(numbers))
        _until(all_left)
        memory.append(_settled(pid))
    took = [
        max(0.0, moment - begun[int(number)])
        for number, moments in came.items()
        for moment in moments
        if int(number) in begun
    ]
    return took, memory


@contextmanager
def _listening(stream: str, count: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "bench.listeners", stream, str(count)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes)  # type: ignore[call-overload]
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the clients did not come")
        yield process
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to that")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        requests.post(url, data=b"", timeout=PATIENCE)
    except requests.ConnectionError:
        return False
    return True


def _memory(pid: int) -> int:
    """Return the resident bytes of the process that serves."""
    [worker] = psutil.Process(pid).children()
    return int(worker.memory_info().rss)


def _settled(pid: int) -> int:
    """Return the same once it has not become less for ``SETTLED`` seconds."""
    least, since = _memory(pid), time.monotonic()
    while time.monotonic() < since + SETTLED:
        time.sleep(0.1)
        if (size := _memory(pid)) < least:
            least, since = size, time.monotonic()
    return least


def _megabytes(sizes: list[int]) -> str:
    return ", ".join(f"{size / 2**20:.0f} MiB" for size in sizes)
