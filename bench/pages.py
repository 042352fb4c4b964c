"""A page of 100 jobs of a board with 10,000, of a MongoDB with 200,000.

The rival is a bare Flask view on the same gunicorn, which returns the very same bytes out of its
memory. The two are asked in turns, over a connection that stays open.
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
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import requests
from pymongo.database import Database

from bench.boards import COMMANDS, running
from bench.figures import Figure, judged, p99, percentiles, table
from canary.clock import now
from canary.config import load
from canary.model.changes import Change, Kind
from canary.model.freshness import Freshness
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.writing.take import LiveStore

BOARDS: Final = 20
JOBS: Final = 10_000  # a board
ASKED: Final = 1_000  # times, of each
PATIENCE: Final = 60.0  # seconds
GOAL: Final = 5  # times the rival's p99
BOARD: Final = "/bench/7/jobs"
QUERIES: Final = {
    "the first page": "",
    "the last page but one": "",  # its cursor is found by walking there
    "claimed jobs only": "&state=CLAIMED",
}


def measure() -> str:
    """Fill a database, ask both, and return the table."""
    name = f"bench{os.getpid()}"
    environment = {
        **os.environ,
        "OS_MONGO__DATABASE": name,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_CASSANDRA__ENABLED": "false",
        "OS_SERVER__PORT": "0",
        "OS_SERVER__RATE_LIMIT": "0",
    }
    config = load(environ=environment)
    database = connect(config.mongo)
    ensure_schema(database, config.mongo)
    try:
        filling = _fill(database)
        with _server(environment) as url:
            figures = [_compare(url, what, query) for what, query in QUERIES.items()]
            walk = _walk(url)
    finally:
        database.client.drop_database(name)
        database.client.close()
    return table(
        f"a page of 100 jobs of a board with {JOBS:,}, of {BOARDS * JOBS:,} jobs in MongoDB",
        "a bare Flask view",
        [
            *figures,
            Figure(f"all {BOARDS * JOBS:,} jobs as JSON lines", f"{walk:.1f} s", "-"),
            Figure("writing them, by the slice", f"{filling:.1f} s", "-"),
        ],
    )


def _fill(database: Database[dict[str, Any]]) -> float:
    """Write jobs as a worker does, a third of them claimed; return the seconds that it took."""
    store, begun = LiveStore(database, "bench"), time.monotonic()
    for number in range(BOARDS):
        path = f"/bench/{number}/jobs"
        board = store.take(path, number + 1, lambda: True, now())
        step = Step(BoardState(seen_at=now()), tuple(_changes(number)), ())
        board.write([step], Freshness.LIVE, now())
    return time.monotonic() - begun


def _changes(board: int) -> Iterator[Change]:
    start = now() - timedelta(hours=5)
    for number in range(JOBS):
        czxid = board * JOBS * 2 + number * 2
        content = {"uuid": f"{board}-{number}", "name": "build", "details": {"size": number}}
        at = start + timedelta(seconds=number)
        znode, uuid = f"job{number:010d}", content["uuid"]
        payload = decode(json.dumps(content).encode())
        yield Change(Kind.POSTED, znode, 1, czxid, str(uuid), at, at, 1, payload=payload)
        if number % 3 == 0:
            yield Change(
                *(Kind.CLAIMED, znode, 1, czxid, str(uuid), at, at, 1),
                owner="ann",
                session=1,
                lock_czxid=czxid + 1,
            )


def _compare(url: str, what: str, query: str) -> Figure:
    """Ask both for one page, in turns."""
    page = f"{url}/v2/jobs?path={BOARD}{query}"
    with requests.Session() as session:
        if "last" in what:
            for _ in range(JOBS // 100 - 2):
                page = f"{page.partition('&cursor')[0]}&cursor={session.get(page).json()['next']}"
        body = session.get(page).content
        with _bare(body) as bare, requests.Session() as other:
            own, rival = _ask(session, page), _ask(other, bare)
            for _ in range(20):  # both have begun
                own(), rival()
            took = [(own(), rival()) for _ in range(ASKED)]
    canary, bare_took = [each for each, _ in took], [each for _, each in took]
    ratio = p99(canary) / p99(bare_took)
    told = judged(ratio, GOAL, "times the rival's")
    return Figure(
        f"{what} ({len(body) // 1024} KiB)",
        percentiles(canary),
        percentiles(bare_took),
        f"p99 {told} ({ratio:.1f})",
    )


def _ask(session: requests.Session, address: str) -> Callable[[], float]:
    def once() -> float:
        begun = time.perf_counter()
        answer = session.get(address, timeout=PATIENCE)
        took = time.perf_counter() - begun
        answer.raise_for_status()
        return took

    return once


def _walk(url: str) -> float:
    begun, lines = time.monotonic(), 0
    with requests.get(f"{url}/v2/jobs?format=jsonl", stream=True, timeout=PATIENCE) as answer:
        lines = sum(1 for _ in answer.iter_lines(chunk_size=65_536))
    if lines != BOARDS * JOBS:
        raise RuntimeError(f"{lines} jobs were exported of {BOARDS * JOBS}")
    return time.monotonic() - begun


@contextmanager
def _server(environment: dict[str, str]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [COMMANDS / "canary-server"], env=environment, stderr=log, stdout=log
        )
        try:
            yield address(Path(log.name))
        finally:
            process.terminate()
            process.wait()


def address(log: Path) -> str:
    """Return where the server that writes to ``log`` answers, once it does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found and requests.get(f"{found[0]}/readyz", timeout=PATIENCE).ok:
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(f"the server does not answer; it said: {log.read_text()[-2_000:]}")


@contextmanager
def _bare(body: bytes) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "body"
        kept.write_bytes(body)
        port = 20_000 + os.getpid() % 10_000  # below those that the system gives out
        command = [sys.executable, "-m", "bench.bare", f"127.0.0.1:{port}", str(kept)]
        with running(command, dict(os.environ)):
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                try:
                    requests.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE)
                except requests.ConnectionError:
                    time.sleep(0.1)
                else:
                    break
            yield f"http://127.0.0.1:{port}/"
