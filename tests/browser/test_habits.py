"""What people are used to: a keyboard, links, the browser's own buttons, a zone, a phone."""

import re
from typing import Any, Final

import pytest
from kazoo.client import KazooClient
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open, screenshot
from tests.browser.site import Site
from tests.integration.boards import claim, post, posting
from tests.waiting import eventually


@pytest.fixture
def full(site: Site, board: str, zookeeper: KazooClient) -> str:
    """A board with five jobs, two of them claimed."""
    for name in ("alpha", "beta", "gamma", "delta", "epsilon"):
        job = post(zookeeper, board, posting(name))
        if name in {"alpha", "beta"}:
            claim(zookeeper, board, job, f"owner of {name}")
    eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["claimed"] == 2)
    eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["unclaimed"] == 3)
    return board


def names(page: Page) -> list[str]:
    return page.locator(".table.jobs .scroll .row .cell.name").all_inner_texts()


def go(page: Page, keys: str, heading: str) -> None:
    """Press keys that go to a view: again where a busy machine let too long pass between them."""

    def is_there() -> bool:
        for key in keys:
            page.keyboard.press(key)
        return page.locator("h1").inner_text() == heading

    eventually(is_there, why=f"{keys} goes to {heading}")


class TestKeyboard:
    def test_the_list_is_gone_through_though_a_button_was_pressed(
        self, open_page: Open, full: str
    ) -> None:
        page = open_page().go(f"#/board?path={full}")
        claimed = page.get_by_role("button", name="Claimed", exact=True)
        claimed.click()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(3)
        page.keyboard.press("j")
        page.keyboard.press("Space")
        expect(page.locator(".row.selected .unfolded")).to_be_visible()
        expect(claimed).to_have_attribute("aria-pressed", "false")

    def test_what_lies_open_is_closed(self, open_page: Open, full: str) -> None:
        page = open_page().go(f"#/board?path={full}")
        columns, menu = page.locator(".picker summary"), page.locator(".picker .menu")
        columns.click()
        expect(menu).to_be_visible()
        menu.get_by_label("Claims").focus()
        page.keyboard.press("Escape")
        expect(menu).to_be_hidden()
        expect(columns).to_be_focused()
        columns.click()
        menu.get_by_text("Claims").click()
        expect(menu, "while something is chosen in it").to_be_visible()
        page.locator("h1").click()
        expect(menu).to_be_hidden()
        opener = page.get_by_role("button", name="+ Filter")
        for about in ("owner", "state"):  # one has a field for its value, one has a choice
            opener.click()
            expect(page.get_by_label("Value")).to_be_focused()
            page.get_by_label("Field").select_option(about)
            page.keyboard.press("Escape")
            expect(page.locator(".adder")).to_have_count(0)
            expect(opener).to_be_focused()
        opener.click()
        expect(page.get_by_label("Value"), "the choice of a state").to_be_focused()

    def test_to_a_job_and_back(self, page: Page, full: str) -> None:
        page.keyboard.press("/")
        page.keyboard.type(full.split("/")[2])
        expect(page.locator(".table.boards .scroll .row")).to_have_count(1)
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(full)
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(5)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator(".row.selected")).to_contain_text("epsilon")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("epsilon")
        page.keyboard.press("u")
        expect(page.locator("h1")).to_have_text(full)
        go(page, "gc", "Conductors")
        go(page, "gb", "Boards")

    def test_it_tells_its_keys(self, page: Page) -> None:
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("go to the boards")
        screenshot(page, "help")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)

    def test_what_is_typed_is_typed(self, page: Page) -> None:
        page.keyboard.press("/")
        page.keyboard.type("jpg?t")
        expect(page.get_by_role("searchbox")).to_have_value("jpg?t")
        expect(page.get_by_role("dialog")).to_have_count(0)


class TestAddress:
    def test_filters_are_the_api_s_own_and_come_back(
        self, open_page: Open, full: str, site: Site
    ) -> None:
        page = open_page().go(f"#/board?path={full}")
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(5)
        page.get_by_role("button", name="Unclaimed", exact=True).click()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(2)
        page.get_by_role("button", name="owner of beta").click()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(1)
        asked = dict(part.split("=") for part in page.url.partition("?")[2].split("&"))
        assert asked == {"path": full, "state": "CLAIMED", "owner": "owner%20of%20beta"}
        told = site.ask("/v2/jobs", path=full, state="CLAIMED", owner="owner of beta")
        assert [job["name"] for job in told["jobs"]] == names(page)

        page.go_back()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(2)
        page.go_forward()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(1)
        again = open_page().go(page.url.partition("/")[2].partition("/")[2].partition("/")[2])
        expect(again.locator(".table.jobs .scroll .row")).to_have_count(1)

    def test_not_and_text(self, open_page: Open, full: str) -> None:
        page = open_page().go(f"#/board?path={full}")
        page.get_by_role("button", name="+ Filter").click()
        page.get_by_label("Field").select_option("name")
        page.get_by_label("Is or is not").select_option("not")
        page.get_by_label("Value").fill("gamma")
        page.get_by_role("button", name="Add").click()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(4)
        page.keyboard.press("/")
        page.keyboard.type("alph")
        page.keyboard.press("Enter")
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(1)
        page.get_by_role("button", name="Remove the filter name").click()
        expect(page.locator(".chip")).to_have_count(0)

    def test_a_wrong_filter_is_told_in_the_server_s_words(self, open_page: Open, full: str) -> None:
        page = open_page().go(f"#/board?path={full}&age>=soon")
        expect(page.get_by_role("alert")).to_contain_text("age> is 'soon'")

    def test_sort_and_columns(self, open_page: Open, full: str) -> None:
        page = open_page().go(f"#/board?path={full}")
        page.get_by_role("button", name="Name").click()
        expect(page.locator(".cell.name").first).to_have_text("alpha")
        assert names(page) == sorted(names(page))
        page.get_by_role("button", name="Name").click()
        expect(page.locator(".cell.name").first).to_have_text("gamma")
        page.get_by_text("Columns").click()
        page.get_by_role("checkbox", name="UUID").uncheck()
        expect(page.locator(".cell.uuid")).to_have_count(0)
        page.reload()
        expect(page.locator(".cell.name").first).to_have_text("gamma")
        expect(page.locator(".cell.uuid")).to_have_count(0)


def test_what_the_filters_find_is_saved(open_page: Open, full: str) -> None:
    page = open_page().go(f"#/board?path={full}&state=CLAIMED")
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()
    assert saved.value.suggested_filename == "jobs.csv"
    assert len(saved.value.path().read_text().splitlines()) == 3


def test_what_is_loaded_further_down_is_there(open_page: Open, full: str, site: Site) -> None:
    """A server's job told many times: to post ten thousand takes long."""
    job = site.ask("/v2/jobs", path=full)["jobs"][0]

    def answer(route: Route) -> None:
        cursor = re.search(r"cursor=after-(\d+)", route.request.url)
        first = int(cursor[1]) if cursor else 0
        names = [f"job{100_000 - number}" for number in range(first, first + 1_000)]
        jobs = [job | {"znode": name, "name": name} for name in names]
        route.fulfill(json={"jobs": jobs, "next": f"after-{first + 1_000}"})

    page = open_page().page
    page.route(re.compile(r"/v2/jobs\?"), answer)
    page.goto(f"{site.url}/#/board?path={full}")
    table = page.locator(".table.jobs")
    expect(table).to_have_attribute("aria-rowcount", "10001")
    table.locator(".scroll").evaluate("element => element.scrollTo(0, 3000)")
    expect(table.locator(".scroll .row").first).not_to_have_attribute("aria-rowindex", "2")
    page.get_by_role("button", name="Load more").click()
    expect(table).to_have_attribute("aria-rowcount", "20001")
    assert table.locator(".scroll").evaluate("element => element.scrollTop") == 3_000
    expect(page.locator(".news")).to_have_count(0)


class TestTimes:
    def test_utc_first_and_any_zone(self, open_page: Open, full: str) -> None:
        page = open_page(timezone_id="America/New_York").go(f"#/board?path={full}")
        posted = page.locator(".cell.posted_at time").first
        expect(posted).to_have_attribute("title", re.compile("UTC$"))
        expect(posted).to_contain_text("ago")
        page.keyboard.press("t")
        expect(posted).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$"))
        utc = posted.inner_text()
        zones = page.get_by_label("Time zone")
        expect(zones.locator("option").nth(1)).to_have_text("America/New_York (browser)")
        auckland = zones.locator("optgroup[label=Pacific] option", has_text="Auckland")
        expect(auckland).to_have_attribute("value", "Pacific/Auckland")
        zones.select_option("Pacific/Auckland")
        expect(posted).not_to_have_text(utc)
        expect(posted).to_have_attribute("title", re.compile("Pacific/Auckland$"))
        page.reload()
        expect(posted).to_have_attribute("title", re.compile("Pacific/Auckland$"))


PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 780},
    "is_mobile": True,
    "has_touch": True,
}


@pytest.mark.parametrize("view", ["#/", "#/board?path={}", "#/conductors", "#/canary"])
def test_a_phone(open_page: Open, full: str, view: str) -> None:
    page = open_page(**PHONE).go(view.format(full))
    expect(page.locator("#live")).to_have_attribute("data-condition", "live")
    expect(page.locator(".loading")).to_have_count(0)
    name = re.sub(r"\W+", "", view.partition("?")[0]) or "overview"
    screenshot(page, f"phone-{name}")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing is beside the screen: what is wide scrolls by itself"
    for table in page.locator(".wide, .table").all():
        is_whole = table.evaluate("element => element.scrollWidth <= element.clientWidth")
        assert is_whole, f"{table.get_attribute('aria-label')} is cut off"


def test_help_on_a_phone_tells_the_words_and_no_keys(open_page: Open) -> None:
    page = open_page(**PHONE).go("#/")
    page.get_by_role("button", name="Help").tap()
    dialog = page.get_by_role("dialog", name="Help")
    expect(dialog).to_contain_text("current state in ZooKeeper.")
    expect(dialog.get_by_text("go to the boards")).to_be_hidden()
    assert dialog.evaluate("element => element.scrollWidth <= element.clientWidth")
    screenshot(page, "phone-help")
    dialog.get_by_role("button", name="Close").tap()
    expect(dialog).to_have_count(0)


def test_a_small_window_shows_whether_all_was_seen(open_page: Open, full: str) -> None:
    page = open_page(viewport={"width": 1000, "height": 700}).go("#/")
    table = page.locator(".table.boards")
    expect(table).to_contain_text(full)
    assert table.evaluate("element => element.scrollWidth <= element.clientWidth")
    expect(page.get_by_role("columnheader", name="Completeness")).to_be_in_viewport(ratio=1)
