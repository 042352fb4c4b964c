"""From ZooKeeper to the pixels of the dashboard; many boards; a busy one (``busy``).

The rival of the first is a client of the event stream that does nothing but note when a line comes,
beside the page and told of the same changes. All of it is on one machine, by one clock. A change
counts from ZooKeeper's answer to who made it; on the page, to the moment behind the frame in which
it is drawn.
"""

import asyncio
import json
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import requests
from kazoo.client import KazooClient
from playwright.sync_api import Page, ViewportSize, sync_playwright

from bench import busy, frames
from bench.boards import COMMANDS, post, running
from bench.figures import Figure, judged, percentiles, table
from devstack import chromium
from devstack.reaper import Reaper
from tests.integration.boards import post_many, register
from tests.ports import free_port

CHANGES: Final = 200
PACE: Final = 0.2  # seconds between two: more often than it is drawn would only measure that
PIXELS_GOAL: Final = 200.0  # milliseconds, at the median
BOARDS: Final = 300
MANY_FOR: Final = 30.0  # seconds
PATIENCE: Final = 180.0  # seconds; ten times what the boards take to be live
LOOK: Final = 1.0  # seconds between two looks whether they are, which cost a processor
VIEW: Final[ViewportSize] = {"width": 1400, "height": 900}

# Notes when each job's row is drawn: a frame after the one in which it came into the page.
WATCH: Final = """() => {
    window.drawn = {};
    const note = (uuid) => requestAnimationFrame(() => setTimeout(() => {
        window.drawn[uuid] ??= performance.timeOrigin + performance.now();
    }));
    new MutationObserver((records) => {
        for (const record of records) {
            for (const node of record.addedNodes) {
                if (node.dataset?.uuid) {
                    note(node.dataset.uuid);
                }
            }
        }
    }).observe(document.querySelector("main"), { childList: true, subtree: true });
}"""


def measure() -> str:
    """Measure both and return the tables."""
    name = f"dashboard{os.getpid()}"
    port = free_port()
    environment = {
        **os.environ,
        "OS_CANARY__JOBBOARD": f"/{name}/canary/jobs",
        "OS_MONGO__DATABASE": name,
        "OS_CASSANDRA__ENABLED": "false",
        "OS_LOG__LEVEL": "WARNING",
        "OS_SERVER__PORT": str(port),
        "OS_SERVER__RATE_LIMIT": "0",
    }
    program = _program()  # before Playwright's own event loop
    url = f"http://127.0.0.1:{port}"
    quiet, at_work = f"/{name}/quiet/jobs", f"/{name}/busy/jobs"
    others = [f"/{name}/{number}/jobs" for number in range(BOARDS - 2)]
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    try:
        for board in (quiet, at_work, *others):
            client.ensure_path(board)
        post_many(client, at_work, busy.JOBS)
        with ExitStack() as stack:
            register(client, environment["OS_CANARY__JOBBOARD"], quiet, at_work, *others)
            stack.enter_context(running([str(COMMANDS / "canary-worker")], environment))
            stack.enter_context(running([str(COMMANDS / "canary-server")], environment))
            _wait_until_live(url, BOARDS)
            playwright = stack.enter_context(sync_playwright())
            switches = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=program, args=switches)
            stack.callback(browser.close)
            return "\n".join(
                [
                    _pixels(client, browser.new_page(viewport=VIEW), url, quiet),
                    _many(client, browser.new_page(viewport=VIEW), url, others),
                    busy.measure(browser.new_page(viewport=VIEW), url, at_work),
                ]
            )
    finally:
        client.stop()


def _program() -> Path:
    async def find() -> Path:
        with Reaper() as reaper:
            return await chromium.program(reaper)

    return asyncio.run(find())


def _wait_until_live(url: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            told = requests.get(f"{url}/v2/boards?limit=1000", timeout=30).json()["boards"]
            if [board["freshness"] for board in told] == ["live"] * count:
                return
        except (requests.RequestException, KeyError):
            pass
        time.sleep(LOOK)
    raise TimeoutError(f"{count} boards are not live in {PATIENCE:g} s")


class _Listener(threading.Thread):
    """A client of the stream that notes when each job's posting comes."""

    def __init__(self, url: str, board: str) -> None:
        super().__init__(daemon=True)
        self.came: dict[str, float] = {}
        self._url, self._query = f"{url}/v2/stream", {"path": board, "kind": "posted"}

    def run(self) -> None:
        headers = {"Accept": "application/x-ndjson"}
        with requests.get(
            self._url, params=self._query, headers=headers, stream=True, timeout=PATIENCE
        ) as answer:
            for line in answer.iter_lines(chunk_size=None):
                moment = time.time()
                event = json.loads(line)
                if event["event"] == "change":
                    self.came.setdefault(event["data"]["uuid"], moment)


def _pixels(client: KazooClient, page: Page, url: str, board: str) -> str:
    listener = _Listener(url, board)
    listener.start()
    page.goto(f"{url}/#/board?path={board}")
    page.wait_for_selector("#live[data-condition=live]")
    post(client, board, "first")
    page.wait_for_selector(".table.jobs .scroll .row")
    page.evaluate(WATCH)
    committed: dict[str, float] = {}
    for _ in range(CHANGES):
        page.wait_for_timeout(PACE * 1000)
        uuid = post(client, board, "measured")
        committed[uuid] = time.time()
    page.wait_for_timeout(1_000)
    drawn = {uuid: moment / 1000 for uuid, moment in page.evaluate("window.drawn").items()}
    page.close()
    pixels = [max(0.0, drawn[uuid] - moment) for uuid, moment in committed.items()]
    lines = [max(0.0, listener.came[uuid] - moment) for uuid, moment in committed.items()]
    median = sorted(pixels)[len(pixels) // 2] * 1000
    return table(
        f"{CHANGES} jobs posted one by one, shown as rows of their board",
        "a client of the stream",
        [
            Figure(
                "from ZooKeeper's answer to the pixels / the line",
                percentiles(pixels),
                percentiles(lines),
                f"p50 {judged(median, PIXELS_GOAL, 'ms')}",
            )
        ],
    )


def _many(client: KazooClient, page: Page, url: str, boards: list[str]) -> str:
    page.goto(f"{url}/#/")
    page.wait_for_selector(f".table.boards[aria-rowcount='{BOARDS + 1}']")
    frames.note(page)
    posted, end = 0, time.monotonic() + MANY_FOR
    while time.monotonic() < end:
        post(client, boards[posted % len(boards)], "many")
        posted += 1
        page.wait_for_timeout(20)
    figures = frames.noted(page)
    page.close()
    return table(
        f"{BOARDS} boards, a job posted on one after the other, {posted / MANY_FOR:.0f} a second",
        "",
        figures,
    )
