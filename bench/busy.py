"""A board of 10,000 jobs at work, shown in a browser.

BENCH_MINUTES says for how long, 10 if not set.
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kazoo.client import KazooClient
from playwright.sync_api import CDPSession, Page

from bench import frames
from bench.figures import Figure, back, table

JOBS: Final = 10_000
RATE: Final = 100  # changes a second
WARMING: Final = 20.0  # seconds before anything is measured
SAMPLES: Final = 11  # of the page's memory
SAMPLING: Final = 1.3  # seconds between two
MEMORY_GOAL: Final = 10.0  # percent above what it was after warming
PATIENCE: Final = 60.0  # seconds


def measure(page: Page, url: str, board: str) -> str:
    """Watch a board of ``JOBS`` jobs in a page, and return the table."""
    minutes = float(os.environ.get("BENCH_MINUTES", "10"))
    devtools = page.context.new_cdp_session(page)
    page.goto(f"{url}/#/board?path={board}")
    page.wait_for_selector("#live[data-condition=live]")
    page.wait_for_selector(f".table.jobs[aria-rowcount='{JOBS + 1}']")
    load = _Load(board)
    load.start()
    page.wait_for_timeout(WARMING * 1000)
    before = _heap(page, devtools)
    frames.note(page)
    done, begun = load.done, time.monotonic()
    page.wait_for_timeout(minutes * 60_000)
    rate = (load.done - done) / (time.monotonic() - begun)
    figures = frames.noted(page)
    after = _heap(page, devtools)
    load.end()
    mib = 2**20
    return table(
        f"a board of {JOBS:,} jobs with {rate:.0f} changes a second, for {minutes:g} minutes",
        "",
        [
            *figures,
            Figure(
                "the page's memory before and after",
                f"{before / mib:.1f}, {after / mib:.1f} MiB",
                "",
                back(before, after, MEMORY_GOAL),
            ),
        ],
    )


def _heap(page: Page, devtools: CDPSession) -> float:
    """Return the bytes that the page's JavaScript holds, the median over some seconds.

    They go up and down by a tenth, as what is drawn at the moment comes and goes.
    """
    devtools.send("Performance.enable")
    sizes = []
    for _ in range(SAMPLES):
        devtools.send("HeapProfiler.collectGarbage")
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        sizes += [each["value"] for each in metrics if each["name"] == "JSHeapUsedSize"]
        page.wait_for_timeout(SAMPLING * 1000)
    return float(statistics.median(sizes))


class _Load(threading.Thread):
    """Claims, ends and posts jobs, about ``RATE`` changes a second, with a session of its own."""

    def __init__(self, board: str) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self._board = board
        self._ending = threading.Event()

    def run(self) -> None:
        with _connected() as client:
            names = sorted(client.get_children(self._board))
            due = time.monotonic()
            while not self._ending.is_set():
                name = names.pop(0)
                path = f"{self._board}/{name}"
                data = json.dumps({"owner": "bench"}).encode()
                client.create(f"{path}.lock", data, ephemeral=True)
                transaction = client.transaction()
                transaction.delete(f"{path}.lock")
                transaction.delete(path)
                transaction.commit()
                posting = json.dumps({"uuid": f"{name}-{self.done}", "name": "busy"}).encode()
                made = client.create(f"{self._board}/job", posting, sequence=True)
                names.append(made.rpartition("/")[2])
                self.done += 3
                due += 3 / RATE
                self._ending.wait(max(0.0, due - time.monotonic()))

    def end(self) -> None:
        """Stop, and wait for that."""
        self._ending.set()
        self.join(PATIENCE)


@contextmanager
def _connected() -> Iterator[KazooClient]:
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    try:
        yield client
    finally:
        client.stop()
        client.close()
