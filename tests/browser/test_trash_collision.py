"""A claimed job that TaskFlow can't trash, as the overview, its board and its own page show it."""

import re

from kazoo.client import KazooClient
from playwright.sync_api import expect

from canary.model.names import trash_path
from tests.browser.conftest import Open, screenshot
from tests.integration.boards import claim, post, posting

SECONDS = re.compile(r"^\d+ s$")
LOOKS = 60_000  # milliseconds; whether one is in the way is looked at every 15 s


def test_it_stands_out_until_nothing_is_in_its_way(
    open_page: Open, board: str, zookeeper: KazooClient
) -> None:
    waiting = post(zookeeper, board)
    job = post(zookeeper, board)
    in_trash = trash_path(board, job)
    zookeeper.create(in_trash, posting("older"), makepath=True)  # of a board beside it
    overview = open_page().go("#/")
    row = overview.locator(f".row[data-path='{board}']")
    longest = row.locator("[data-figure='longest claim']")
    expect(row.locator("[data-figure=oldest]")).to_have_text(SECONDS)
    expect(longest).not_to_have_text(SECONDS)
    claim(zookeeper, board, job)
    expect(longest).to_have_text(SECONDS)
    expect(row.locator("[data-figure=claimed]")).to_have_text("1 ⚠ 1", timeout=LOOKS)
    title = row.locator("[data-figure=claimed] strong").get_attribute("title") or ""
    assert "the trash already has jobs with the same numbers" in title
    screenshot(overview, "overview-collision")

    of_board = open_page().go(f"#/board?path={board}")
    expect(of_board.locator("main")).to_contain_text("One claimed job cannot be moved to the trash")
    of_job = open_page().go(f"#/job?znode={job}&path={board}")
    expect(of_job.locator("main")).to_contain_text("This job cannot be moved to the trash")
    screenshot(of_job, "job-collision")
    other = open_page().go(f"#/job?znode={waiting}&path={board}")
    expect(other.get_by_role("heading", name="What happened")).to_be_visible()
    assert "moved to the trash" not in other.locator("main").inner_text()

    zookeeper.delete(in_trash)
    expect(row.locator("[data-figure=claimed]")).to_have_text("1", timeout=LOOKS)
    expect(of_board.locator("main")).not_to_contain_text("moved to the trash")
    expect(of_job.locator("main")).not_to_contain_text("moved to the trash", timeout=LOOKS)
