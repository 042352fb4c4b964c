"""Each view with TaskFlow's own load: what it shows, in both themes, and what axe says of it."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from kazoo.client import KazooClient
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, screenshot
from tests.browser.site import Site
from tests.integration.boards import claim, post, posting
from tests.waiting import eventually

AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ("light", "dark")
# How many points of a chart have the colour of gaps, or almost.
COUNT_OF_GAPS = """holder => {
    const style = getComputedStyle(document.documentElement).getPropertyValue("--gap").trim();
    const wanted = [1, 3, 5].map(at => parseInt(style.slice(at, at + 2), 16));
    const canvas = holder.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const near = at => wanted.every((each, n) => Math.abs(data[at + n] - each) < 25);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        count += data[at + 3] > 100 && near(at);
    }
    return count;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two boards with the demo's load, and Canary before them."""
    with Site(tmp_path_factory.mktemp("views")) as site:
        prefix = f"/{site.corner}"
        for service in ("octavia", "poppy"):
            site.load(service, prefix)
        with_own = KazooClient(site.environment["DEVSTACK_ZOOKEEPER"])
        with_own.start()
        try:
            for service in ("octavia", "poppy"):
                site.add_board(with_own, service)
        finally:
            with_own.stop()
            with_own.close()
        eventually(
            lambda: len(site.ask("/v2/jobs", state="COMPLETE", limit="20")["jobs"]) > 8,
            180.0,
            "jobs have been done",
        )
        yield site


def hash_of(site: Site, view: str) -> str:
    path = f"/{site.corner}/octavia/jobs"
    if view == "job":
        jobs = site.ask("/v2/jobs", path=path, state="COMPLETE", outcome="consumed")["jobs"]
        return f"#/job?uuid={jobs[0]['uuid']}&path={path}"
    return {
        "overview": "#/",
        "board": f"#/board?path={path}",
        "conductors": "#/conductors",
        "canary": "#/canary",
    }[view]


def findings(page: Page) -> list[str]:
    """Return what axe finds that is serious, of WCAG 2.2's levels A and AA."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """() => axe.run(document, {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        })"""
    )
    return [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", ["overview", "board", "job", "conductors", "canary"])
def test_a_view(open_page: Open, site: Site, view: str, theme: str) -> None:
    page = open_page(color_scheme=theme, reduced_motion="reduce").go(hash_of(site, view))
    expect(page.locator("#live")).to_have_attribute("data-condition", "live")
    expect(page.locator("main h1").first).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    expect(page.locator(".note.bad")).to_have_count(0)
    screenshot(page, f"{view}-{theme}")
    assert findings(page) == []


@pytest.mark.parametrize("theme", THEMES)
def test_the_api_s_description_wears_the_theme(open_page: Open, theme: str) -> None:
    page = open_page(color_scheme=theme).go("docs")
    expect(page.locator(".opblock").first).to_be_visible()
    screenshot(page, f"docs-{theme}")
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 64 or theme == "light", background
    other: Literal["dark", "light"] = "dark" if theme == "light" else "light"
    before = page.locator("html").get_attribute("class") or ""
    page.emulate_media(color_scheme=other)
    expect(page.locator("html")).not_to_have_attribute("class", before)


def test_axe_would_find_something(open_page: Open) -> None:
    page = open_page().go("#/")
    expect(page.locator("main h1")).to_be_visible()
    page.evaluate("""() => {
        const planted = document.createElement("button");
        document.querySelector("main").append(planted);
    }""")
    assert [finding.split(":")[0] for finding in findings(page)] == ["button-name"]


def test_the_overview_shows_every_board(open_page: Open, site: Site) -> None:
    page = open_page().go("#/")
    for service in ("octavia", "poppy"):
        row = page.locator(f".row[data-path='/{site.corner}/{service}/jobs']")
        expect(row).to_contain_text("live")
        expect(row.locator("[data-figure=ended]")).not_to_have_text("0")
        expect(row.locator("svg.sparkline rect.known").first).to_be_attached()
        expect(row.locator("svg.sparkline rect.unfinished")).to_have_count(1)
        # It has not been watched for the whole interval yet; and on a busy machine two changes may
        # have been one event.
        expect(row).to_contain_text(re.compile(r"◔ last|⚠ \d+ unseen"))
    assert not page.locator(f".row[data-path='{site.jobboard}']").count()


def test_a_board_shows_charts_conductors_and_jobs(open_page: Open, site: Site) -> None:
    page = open_page().go(hash_of(site, "board"))
    expect(page.locator(".chart canvas")).to_have_count(4)
    charts = page.locator(".chart [role=slider]")
    expect(charts.nth(1)).to_have_attribute("aria-label", _matching("ended [1-9]"))
    expect(page.get_by_role("region", name="Conductors")).to_contain_text("octavia-conductor-1")
    expect(page.locator("table.plain .badge.good").first).to_contain_text("alive")
    page.get_by_role("button", name="Ended", exact=True).click()
    page.get_by_role("button", name="Unclaimed").click()
    page.get_by_role("button", name="Claimed", exact=True).click()
    expect(page.locator(".row[data-state=COMPLETE]").first).to_be_visible()
    expect(page.locator(".row[data-state=CLAIMED]")).to_have_count(0)
    assert "state=COMPLETE" in page.url


def test_a_job_tells_its_story(open_page: Open, site: Site) -> None:
    page = open_page().go(hash_of(site, "job"))
    steps = page.locator(".timeline li strong")
    expect(steps.first).to_have_text("Posted")
    expect(steps.last).to_have_text("Consumed")
    expect(page.locator(".payload").first).to_contain_text('"request"')
    page.get_by_role("link", name=f"/{site.corner}/octavia/jobs").click()
    expect(page.locator("h1")).to_have_text(f"/{site.corner}/octavia/jobs")


def test_a_job_moves_on_its_own_page(open_page: Open, site: Site, zookeeper: KazooClient) -> None:
    path = site.add_board(zookeeper)
    job = post(zookeeper, path, posting("watched", size=3))
    eventually(lambda: site.ask("/v2/jobs", path=path)["jobs"], why="it is seen")
    [told] = site.ask("/v2/jobs", path=path)["jobs"]
    page = open_page().go(f"#/job?uuid={told['uuid']}&path={path}")
    expect(page.locator(".timeline li")).to_have_count(1)
    claim(zookeeper, path, job, "ann")
    expect(page.locator(".timeline li strong").last).to_have_text("Claimed")
    expect(page.locator(".facts")).to_contain_text("ann")


def test_what_is_malformed_is_shown_masked(
    open_page: Open, site: Site, zookeeper: KazooClient
) -> None:
    path = site.add_board(zookeeper)
    secret = b'{"uuid": "u-1", "password": "hunter2", "broken": '
    post(zookeeper, path, secret)
    page = open_page().go(f"#/board?path={path}")
    page.locator(".row .cell.name a").first.click()
    expect(page.locator("main")).to_contain_text("The payload cannot be read: not JSON")
    expect(page.locator("main")).to_contain_text(f"{len(secret)} bytes")
    expect(page.locator(".payload").first).to_contain_text("password***")
    assert "hunter2" not in page.content()


def test_a_gap_is_drawn_as_one(open_page: Open, site: Site, zookeeper: KazooClient) -> None:
    path = site.add_board(zookeeper)
    unseen = zookeeper.transaction()  # what comes and goes in one is only counted
    unseen.create(f"{path}/job0000000099", posting())
    unseen.delete(f"{path}/job0000000099")
    unseen.commit()
    page = open_page().go(f"#/board?path={path}")
    row = page.get_by_role("region", name="Gaps").locator("tbody tr")
    expect(row).to_contain_text("1 creates, 1 deletes")
    expect(row).to_contain_text("coalesced")
    expect(page.locator(".head").first).to_contain_text("2 unseen")
    for chart in page.locator(".chart [role=slider]").all():
        expect(chart).to_have_attribute("data-gaps", "1")
        expect(chart).to_have_attribute("aria-label", _matching("; gaps in [12] of 60 steps"))
        eventually(partial(_shows_a_gap, chart), why="it is drawn")
    page = open_page().go("#/")
    row = page.locator(f".row[data-path='{path}']")
    expect(row).to_contain_text("2 unseen")
    expect(row.locator("svg rect.gap")).to_be_attached()


def test_orphans_are_told(open_page: Open, site: Site, zookeeper: KazooClient) -> None:
    path = site.add_board(zookeeper)
    job = post(zookeeper, path)
    claim(zookeeper, path, job, "stranger")
    left = post(zookeeper, path)
    zookeeper.create(f"{path}/{left}.lock", b'{"owner": "ghost"}')  # by a hand: of no session
    page = open_page().go("#/conductors")
    row = page.locator("tr.orphan", has_text="ghost")
    expect(row).to_contain_text("no session")
    row = page.locator("tr", has_text="stranger")
    expect(row).to_contain_text("not registered, session alive")
    page.go_back()
    page = open_page().go("#/")
    expect(page.locator(f".row[data-path='{path}']")).to_contain_text("1 orphaned")


def test_canary_shows_its_own_board(open_page: Open, site: Site) -> None:
    page = open_page().go("#/canary")
    workers = page.get_by_role("region", name="Workers")
    expect(workers).to_contain_text("alive")
    expect(workers).to_contain_text("Cassandra is off")
    expect(page.locator(".tiles")).to_contain_text(_matching(r"\d+ ms Delay until Canary sees"))
    watched = page.get_by_role("region", name="Boards and their watchers")
    expect(watched).to_contain_text(f"/{site.corner}/poppy/jobs")
    page.get_by_role("link", name=site.jobboard).click()
    expect(page.locator("main")).to_contain_text("own board")
    expect(page.locator(".row[data-state=CLAIMED]").first).to_contain_text("watch")


def _shows_a_gap(chart: Locator) -> bool:
    return bool(chart.evaluate(COUNT_OF_GAPS) > 20)


def _matching(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
