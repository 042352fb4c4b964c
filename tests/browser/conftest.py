"""A real browser before a real server, with a real worker behind it.

Each test has boards of its own on servers that a module shares. What a page says on its console
that is an error, what it throws, and what its content security policy forbids fail the test.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from devstack import chromium
from devstack.reaper import Reaper
from tests.browser.site import Site
from tests.integration.conftest import _dev_stack, zookeeper

__all__ = ["_dev_stack", "zookeeper"]  # fixtures

SCREENSHOTS = Path(__file__).parents[2] / "tmp" / "screenshots"
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def _program() -> Path:
    with Reaper() as reaper:
        return await chromium.program(reaper)


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    """Where Chromium is."""
    return asyncio.run(_program())


@pytest.fixture(scope="session")
def browser(chromium_program: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A canary-server and a canary-worker; the page is theirs."""
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def board(site: Site, zookeeper: KazooClient) -> str:
    """The path of a board that is watched, empty."""
    return site.add_board(zookeeper)


class Opened:
    """A page, and what it has complained about."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self._site = page, site
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def go(self, hash_: str) -> Page:
        self.page.goto(f"{self._site.url}/{hash_}")
        return self.page

    def _said(self, message: ConsoleMessage) -> None:
        # What the page does about a server that is gone is the page's own to say.
        if message.type == "error" and not re.search("net::ERR|status of (4|5)", message.text):
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith(self._site.url):
            self.complaints.append(f"it asked another host: {url}")


Open = Callable[..., Opened]

expect.set_options(timeout=30_000)  # milliseconds; by itself it waits for five seconds


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Open a page in a context of its own; the words are Playwright's, for a context."""
    contexts: list[BrowserContext] = []
    opened: list[Opened] = []

    def make(of: Site = site, **words: Any) -> Opened:
        context = browser.new_context(**({"viewport": {"width": 1400, "height": 900}} | words))
        context.set_default_timeout(20_000)
        contexts.append(context)
        opened.append(Opened(context.new_page(), of))
        return opened[-1]

    yield make
    for each in opened:
        assert each.complaints == []
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Open) -> Page:
    """A page at the boards, that is live."""
    page = open_page().go("#/")
    page.wait_for_selector("#live[data-condition=live]")
    return page


def screenshot(page: Page, name: str) -> None:
    """Keep what a page looks like."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
