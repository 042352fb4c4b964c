"""The page as things happen: at once, calmly, and right again after everything that goes wrong.

How soon is a figure of `make bench`; here it is far longer, on a machine that other tests share.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from kazoo.client import KazooClient
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.site import Site
from tests.integration.boards import claim, consume, post, post_many, posting
from tests.waiting import allowed, eventually

SHOWN = 5_000  # milliseconds for a change to be shown; sooner than anything asks anew by itself
AGAIN = 1_000 * allowed(2.0)  # milliseconds to be right again
RETRIED = 30_000 + AGAIN  # where the page lost the server: it waits for 30 s at most between tries
SLEEP = 8.0  # seconds, more than the page takes for a pause of its own
SILENCE = 30_000  # milliseconds for silence to be noticed, which takes six seconds


def figure(page: Page, path: str, name: str) -> str:
    return page.locator(f".row[data-path='{path}'] [data-figure={name}]").inner_text()


def live(page: Page, timeout: float = AGAIN) -> None:
    expect(page.locator("#live")).to_have_attribute("data-condition", "live", timeout=timeout)


def test_counts_change_without_a_reload(page: Page, board: str, zookeeper: KazooClient) -> None:
    row = page.locator(f".row[data-path='{board}']")
    expect(row).to_be_visible()  # though it was registered after the page was opened
    counts = [row.locator(f"[data-figure={name}]") for name in ("unclaimed", "claimed", "ended")]
    job = post(zookeeper, board)
    for step, numbers in ((None, "100"), (claim, "010"), (consume, "001")):
        if step is not None:
            step(zookeeper, board, job)
        for count, number in zip(counts, numbers, strict=True):
            expect(count).to_have_text(number, timeout=SHOWN)


def test_rows_change_in_place(
    open_page: Open, board: str, site: Site, zookeeper: KazooClient
) -> None:
    post_many(zookeeper, board, 300)
    eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["unclaimed"] == 300)
    page = open_page().go(f"#/board?path={board}&sort=name")
    live(page)
    scroll = page.locator(".table.jobs .scroll")
    expect(page.locator(".table.jobs")).to_have_attribute("aria-rowcount", "301")
    assert page.locator(".table.jobs .scroll .row").count() < 60, "only what is in sight"

    first = page.locator(".table.jobs .scroll .row").first
    expect(first).to_have_attribute("aria-rowindex", "2")
    scroll.evaluate("element => element.scrollTo(0, 3000)")
    expect(first, "what is in sight is drawn").not_to_have_attribute("aria-rowindex", "2")
    marked = page.locator(".table.jobs .scroll .row").nth(12)
    uuid = marked.get_attribute("data-uuid")
    row = page.locator(f".row[data-uuid='{uuid}']")
    row.click()
    page.keyboard.press(" ")
    expect(row.locator(".unfolded")).to_be_visible()
    before = scroll.evaluate("element => element.scrollTop")
    znode = row.locator(".unfolded dd").nth(1).inner_text().rpartition("/")[2]

    claim(zookeeper, board, znode, "ann")
    expect(row).to_have_attribute("data-state", "CLAIMED", timeout=SHOWN)
    post(zookeeper, board, posting("new one"))
    news = page.get_by_role("button", name="1 new")
    expect(news).to_be_visible(timeout=SHOWN)
    assert scroll.evaluate("element => element.scrollTop") == before
    expect(row).to_have_class(re.compile("selected"))
    expect(row.locator(".unfolded")).to_be_visible()

    news.click()
    expect(page.locator(".table.jobs")).to_have_attribute("aria-rowcount", "302")
    expect(news).to_have_count(0)


def test_who_types_is_left_alone_by_what_changes(
    open_page: Open, board: str, zookeeper: KazooClient
) -> None:
    page = open_page().go(f"#/board?path={board}")
    rows = page.locator(".table.jobs .scroll .row")
    post(zookeeper, board)
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="+ Filter").click()
    expect(page.get_by_label("Value")).to_be_focused()
    choice = page.get_by_label("Is or is not")
    choice.focus()
    post(zookeeper, board)
    expect(rows).to_have_count(2)
    expect(choice).to_be_focused()
    page.get_by_role("button", name="Cancel").click()

    search = page.locator("[data-search]")
    search.press_sequentially("half a wo")
    post(zookeeper, board)
    expect(rows).to_have_count(3)
    expect(search).to_have_value("half a wo")
    expect(search).to_be_focused()


def test_a_job_comes_when_it_has_waited_for_as_long_as_is_asked(
    open_page: Open, board: str, zookeeper: KazooClient
) -> None:
    page = open_page().go(f"#/board?path={board}&waiting>=8s")
    expect(page.locator("main")).to_contain_text("No job matches these filters.")
    post(zookeeper, board)  # and then nothing happens any more
    expect(page.locator(".table.jobs .scroll .row")).to_have_count(1)


def test_a_row_that_begins_with_a_job_s_end_tells_when_it_was_claimed(
    page: Page, site: Site, board: str, zookeeper: KazooClient
) -> None:
    job = post(zookeeper, board, posting("short"))
    claim(zookeeper, board, job)
    page.goto(f"{site.url}/#/board?path={board}&state=COMPLETE")
    live(page)
    expect(page.locator("main")).to_contain_text("No job matches these filters.")
    consume(zookeeper, board, job)
    page.locator(".table.jobs .scroll .row").click()
    page.keyboard.press("Space")
    claimed = page.locator(".unfolded dd").nth(3).locator("time")
    expect(claimed).to_have_attribute(
        "datetime", site.ask("/v2/jobs", path=board)["jobs"][0]["claimed_at"]
    )


def test_what_ended_stays_for_a_moment_and_goes(
    open_page: Open, board: str, zookeeper: KazooClient
) -> None:
    job = post(zookeeper, board)
    page = open_page().go(f"#/board?path={board}")
    row = page.locator(".table.jobs .scroll .row")
    expect(row).to_have_attribute("data-state", "UNCLAIMED")
    claim(zookeeper, board, job)
    consume(zookeeper, board, job)
    expect(row).to_have_attribute("data-state", "COMPLETE", timeout=SHOWN)
    expect(row).to_have_count(0, timeout=AGAIN)
    expect(page.locator("main")).to_contain_text("There are no jobs on this board.")


def test_what_has_gone_from_the_page_is_forgotten(
    open_page: Open, board: str, zookeeper: KazooClient
) -> None:
    post_many(zookeeper, board, 20)
    page = open_page().go(f"#/board?path={board}")
    expect(page.locator(".table.jobs")).to_have_attribute("aria-rowcount", "21")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def nodes() -> int:
        devtools.send("HeapProfiler.collectGarbage")
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return next(int(each["value"]) for each in metrics if each["name"] == "Nodes")

    def turn_over() -> None:
        """Have as many jobs come and go as are in sight, each drawn by itself."""
        for _ in range(20):
            payload = posting()
            job = post(zookeeper, board, payload)
            row = page.locator(f".table.jobs .row[data-uuid='{json.loads(payload)['uuid']}']")
            expect(row).to_have_count(1, timeout=SHOWN)
            claim(zookeeper, board, job)
            # Else both may be seen at once, which makes a gap, of which the page tells.
            expect(row).to_have_attribute("data-state", "CLAIMED", timeout=SHOWN)
            consume(zookeeper, board, job)

    turn_over()
    before = nodes()
    turn_over()
    turn_over()
    # 40 rows of more than 20 nodes have gone.
    eventually(lambda: nodes() < before + 400)


def test_paused_nothing_moves_and_what_is_new_is_counted(
    page: Page, board: str, zookeeper: KazooClient
) -> None:
    expect(page.locator(f".row[data-path='{board}']")).to_be_visible()
    page.keyboard.press("p")
    for _ in range(3):
        post(zookeeper, board)
    resume = page.get_by_role("button", name="Resume (3 new)")
    expect(resume).to_be_visible(timeout=SHOWN)
    assert figure(page, board, "unclaimed") == "0"
    resume.click()
    expect(page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")).to_have_text("3")


def test_a_busy_board_is_drawn_ten_times_a_second_at_most(
    page: Page, board: str, zookeeper: KazooClient
) -> None:
    expect(page.locator(f".row[data-path='{board}']")).to_be_visible()
    page.evaluate(
        """path => {
            window.drawn = 0;
            const row = document.querySelector(`.row[data-path='${path}'] [data-figure=unclaimed]`);
            new MutationObserver(() => (window.drawn += 1)).observe(row, {
                characterData: true, childList: true, subtree: true });
        }""",
        board,
    )
    begun = time.monotonic()
    for _ in range(300):
        post(zookeeper, board)
    expect(page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")).to_have_text("300")
    lasted = time.monotonic() - begun
    assert 2 <= page.evaluate("window.drawn") <= 10 * lasted + 2


class TestLosses:
    """Each with a server or a worker of its own to lose."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[Site]:
        with Site(tmp_path) as site:
            yield site

    def test_a_server_that_is_killed_and_comes_back(
        self, page: Page, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        counts = page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")
        page.evaluate("window.isTheSame = true")
        post(zookeeper, board)
        expect(counts).to_have_text("1")
        site.stop("canary-server", is_killed=True)
        line = page.locator("#live")
        expect(line).to_have_attribute("data-condition", "disconnected", timeout=SHOWN)
        expect(line).to_contain_text("disconnected since")
        waits = page.locator(f".row[data-path='{board}'] .figure").nth(4)
        stood = waits.inner_text()
        post(zookeeper, board)  # what happens meanwhile is not missed
        page.wait_for_timeout(2_500)  # a fault that lasts
        assert waits.inner_text() == stood, "timers stand still"
        assert counts.inner_text() == "1"
        site.start("canary-server")
        eventually(site.is_ready)
        live(page, RETRIED)
        expect(counts).to_have_text("2")
        assert page.evaluate("window.isTheSame"), "without a reload"

    def test_the_rows_of_a_board_go_on_where_they_were(
        self, open_page: Open, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        first = post(zookeeper, board)
        page = open_page().go(f"#/board?path={board}")
        rows = page.locator(".table.jobs .scroll .row")
        expect(rows).to_have_count(1)
        live(page)
        site.stop("canary-server", is_killed=True)
        expect(page.locator("#live")).to_have_attribute("data-condition", "disconnected")
        claim(zookeeper, board, first, "ann")
        post(zookeeper, board)
        site.start("canary-server")
        eventually(site.is_ready)
        live(page, RETRIED)
        expect(rows).to_have_count(2)
        expect(page.locator(".row[data-state=CLAIMED]")).to_contain_text("ann")

    def test_a_page_that_is_paused_stays_as_it_is(
        self, open_page: Open, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        post(zookeeper, board)
        page = open_page().go(f"#/board?path={board}")
        live(page)
        rows = page.locator(".table.jobs .scroll .row")
        unclaimed = page.locator("[data-tile=unclaimed] strong")
        expect(rows).to_have_count(1)
        expect(page.locator(".loading")).to_have_count(0)
        page.keyboard.press("p")
        site.stop("canary-server", is_killed=True)
        expect(page.locator("#live")).to_have_attribute("data-condition", "disconnected")
        post(zookeeper, board)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        site.start("canary-server")
        eventually(site.is_ready)
        live(page, RETRIED)
        resume = page.get_by_role("button", name="Resume (1 new)")
        expect(resume).to_be_visible()
        assert (rows.count(), unclaimed.inner_text()) == (1, "1")
        assert not [url for url in asked if re.search("/v2/(boards|jobs|series)", url)]
        resume.click()
        expect(rows).to_have_count(2)
        expect(unclaimed).to_have_text("2")

    def test_a_worker_that_dies_is_not_called_live(
        self, page: Page, site: Site, board: str
    ) -> None:
        row = page.locator(f".row[data-path='{board}']")
        expect(row).to_contain_text("live")
        site.stop("canary-worker", is_killed=True)
        expect(row).to_contain_text("unwatched", timeout=30_000)
        row.get_by_role("link").click()
        expect(page.locator(".note.busy")).to_contain_text("may have changed since")
        site.start("canary-worker")
        site.wait_until_live(board)
        expect(page.locator(".note.busy")).to_have_count(0)

    def test_a_server_that_goes_silent_is_not_called_live(
        self, page: Page, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        counts = page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")
        expect(counts).to_have_text("0")
        with site.frozen("canary-server"):
            line = page.locator("#live")
            expect(line).to_have_attribute("data-condition", "disconnected", timeout=SILENCE)
            expect(line).to_contain_text("no data from the server for 5 s")
            post(zookeeper, board)
        live(page, RETRIED)
        expect(counts).to_have_text("1")

    def test_a_machine_that_slept_is_right_again(
        self, page: Page, board: str, zookeeper: KazooClient
    ) -> None:
        """What stands still is the browser, as a laptop that is closed; the server goes on."""
        counts = page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")
        expect(counts).to_have_text("0")
        with asleep():
            post(zookeeper, board)
            time.sleep(SLEEP)  # a fault that lasts
        live(page)
        expect(counts).to_have_text("1")


@contextmanager
def asleep() -> Iterator[None]:
    """Let the processes that show pages stand still; others of Chromium's end when they like."""
    pages = [each for each in psutil.Process().children(recursive=True) if shows_pages(each)]
    assert pages
    for each in pages:
        with suppress(psutil.NoSuchProcess):
            each.suspend()
    try:
        yield
    finally:
        for each in pages:
            with suppress(psutil.NoSuchProcess):
                each.resume()


def shows_pages(process: psutil.Process) -> bool:
    """Whether it is one of Chromium's renderers; not if it has ended meanwhile."""
    try:
        return "--type=renderer" in process.cmdline()
    except psutil.NoSuchProcess:  # a zombie is one
        return False
