"""A job's page: its story however long, what a hand has written into it, and what was cut."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from kazoo.client import KazooClient
from playwright.sync_api import Page, Request, expect
from pymongo import MongoClient
from pymongo.database import Database

from tests.browser.conftest import Open, screenshot
from tests.browser.site import Site
from tests.integration.boards import claim, post, posting
from tests.integration.written_board import WrittenBoard, abandoned, ago, claimed, name_of, posted

STEP = 5_000  # changes that the page shows more with each press
TOLD = 1_000  # changes that the server tells by itself
BATCH = 1_000  # changes in a transaction


@pytest.fixture
def database(site: Site) -> Iterator[Database[dict[str, Any]]]:
    """The site's MongoDB."""
    with MongoClient[dict[str, Any]](os.environ["DEVSTACK_MONGODB"]) as client:
        yield client[site.corner]


def asked_for_the_job(page: Page) -> list[str]:
    """Return a list that grows by the addresses at which the page asks for a job."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/v2/job?" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


def written(database: Database[dict[str, Any]], path: str, changes: int) -> WrittenBoard:
    """Write a job that was claimed and abandoned until it has so many changes."""
    board = WrittenBoard(database, path)
    board.write(posted(1, ago(changes + 1)))
    moves = [(claimed, abandoned)[n % 2](1, ago(changes - n)) for n in range(changes - 1)]
    for start in range(0, len(moves), BATCH):
        board.write(*moves[start : start + BATCH])
    return board


def test_a_story_of_more_than_the_server_tells(
    open_page: Open, site: Site, database: Database[dict[str, Any]]
) -> None:
    path = f"/{site.corner}/long/jobs"
    changes = TOLD + 500
    written(database, path, changes)
    page = open_page().go(f"#/job?znode={name_of(1)}&path={path}")
    expect(page.locator(".left-out")).to_contain_text("500 more changes are not shown.")
    expect(page.locator(".timeline > li")).to_have_count(TOLD + 1)
    page.get_by_role("button", name="Show them").click()
    expect(page.locator(".left-out")).to_have_count(0)
    expect(page.locator(".timeline > li")).to_have_count(changes)


def test_a_story_that_is_longer_than_one_answer(
    open_page: Open, site: Site, database: Database[dict[str, Any]]
) -> None:
    path = f"/{site.corner}/longer/jobs"
    changes = 10_000 + TOLD + 1
    board = written(database, path, changes)
    page = open_page().go(f"#/job?znode={name_of(1)}&path={path}")
    items = page.locator(".timeline > li")
    button = page.get_by_role("button", name="Show the")
    for shown in (TOLD, TOLD + STEP, TOLD + 2 * STEP):
        expect(items).to_have_count(shown + 1)
        expect(page.locator(".left-out")).to_contain_text(f"{changes - shown:,} more")
        button.click() if changes - shown > STEP else None
    page.get_by_role("button", name="Show them").click()
    expect(items).to_have_count(changes)
    expect(page.locator(".left-out")).to_have_count(0)
    asked = asked_for_the_job(page)
    last = claimed if changes % 2 else abandoned
    board.write(last(1, ago(0)))
    expect(items).to_have_count(changes + 1)
    assert asked
    assert all(f"after={changes}" in address for address in asked), "only what is new is asked for"


def test_what_a_hand_has_written_anew(open_page: Open, board: str, zookeeper: KazooClient) -> None:
    job = post(zookeeper, board, posting("rebuild", size=3))
    claim(zookeeper, board, job, "ann")
    page = open_page().go(f"#/job?znode={job}&path={board}")
    items = page.locator(".timeline > li")
    expect(items).to_have_count(2)
    znode = f"{board}/{job}"
    payload = json.loads(zookeeper.get(znode)[0])
    payload["details"]["size"] = 4
    payload["priority"] = "VERY_HIGH"
    zookeeper.set(znode, json.dumps(payload).encode())
    expect(items).to_have_count(3)
    expect(items.last.locator("strong")).to_have_text("Edited by hand")
    expect(items.last).to_contain_text('→ "VERY_HIGH"')
    expect(items.last).to_contain_text("details.size: 3 → 4")
    expect(page.locator(".facts")).to_contain_text("VERY_HIGH")

    zookeeper.set(f"{znode}.lock", b'{"owner": "bob"}')
    expect(items).to_have_count(4)
    expect(items.last).to_contain_text("Edited by hand: the claim\u2019s lock")
    expect(items.last).to_contain_text('owner: "ann" → "bob"')
    expect(page.locator(".facts")).to_contain_text("ann, bob")

    zookeeper.set(znode, b"{")
    expect(items).to_have_count(5)
    expect(items.last).to_contain_text("Now malformed:")
    expect(page.get_by_role("heading", name="Malformed")).to_be_visible()
    screenshot(page, "edited")


def test_what_was_cut(open_page: Open, board: str, zookeeper: KazooClient) -> None:
    large, number = "x" * 90_000, "6e0c1a64-2e5c-4d7e-a6f5-1d0a3a1ad0a3"
    job = post(zookeeper, board, posting("create_listener", listener=large, balancer=number))
    page = open_page().go(f"#/job?znode={job}&path={board}")
    expect(page.get_by_role("heading", name="Truncated values")).to_be_visible()
    [cut] = page.locator("ul.cuts > li").all()
    expect(cut).to_contain_text("/details/listener")
    expect(cut).to_contain_text("of 90,000 kept")
    expect(page.locator("main")).to_contain_text("truncated; Canary does not store all of it")
    expect(page.locator("pre.payload").first).to_contain_text(number)
    screenshot(page, "cut")
