"""What browsers do to a page: translate it, store nothing, hide it, run out of connections."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import SWITCHES, Open, screenshot
from tests.browser.site import Site
from tests.integration.boards import post, posting
from tests.waiting import eventually

# What Chrome's translation does to each text: it goes into two elements of its own, and the page's
# own node is out of the document from then on.
TRANSLATE = """() => {
    const texts = document.createTreeWalker(document.getElementById("page"), NodeFilter.SHOW_TEXT);
    const all = [];
    while (texts.nextNode()) all.push(texts.currentNode);
    for (const text of all) {
        if (!text.data.trim()) continue;
        const outer = document.createElement("font");
        const inner = outer.appendChild(document.createElement("font"));
        inner.textContent = text.data.toUpperCase();
        text.replaceWith(outer);
    }
}"""
# Whether a tab is seen, as a test says: without a window all of them are.
SEEN = """() => {
    window.isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => window.isHidden });
    window.hide = (hidden) => {
        window.isHidden = hidden;
        document.dispatchEvent(new Event("visibilitychange"));
    };
}"""
LOOKS = 5_000  # milliseconds for a page to find that it was changed: it looks once a second
GIVEN_UP = 20_000  # milliseconds for a hidden tab to have let go: it is asked after one second


def live(page: Page) -> None:
    expect(page.locator("#live")).to_have_attribute("data-condition", "live")


def unclaimed(page: Page, board: str) -> str:
    return page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]").inner_text()


def test_copying_several_names_keeps_the_line_breaks(
    site: Site, board: str, page: Page, zookeeper: KazooClient
) -> None:
    """Of one name alone there is none where its two parts meet."""
    assert site.add_board(zookeeper) != board
    page.evaluate(
        """() => addEventListener("copy", event => {
            window.copied = [event.defaultPrevented, event.clipboardData.getData("text/plain")];
        })"""
    )
    select = """([first, last]) => {
        getSelection().setBaseAndExtent(
            first.querySelector(".start").firstChild, 0,
            last.querySelector(".end").firstChild, 2);
        document.execCommand("copy");
        return window.copied;
    }"""
    expect(page.locator("bdi.cut").nth(1)).to_be_visible()
    names = page.locator("bdi.cut").element_handles()
    is_ours, text = page.evaluate(select, [names[0], names[0]])
    assert is_ours
    assert text.startswith(f"/{site.corner}/")
    assert "\n" not in text
    assert page.evaluate(select, [names[0], names[1]])[0] is False, "it is the browser's"


class TestTranslation:
    def test_is_declined(self, page: Page) -> None:
        assert page.evaluate("document.documentElement.translate") is False
        assert page.locator("meta[name=google][content=notranslate]").count() == 1

    def test_that_comes_all_the_same_does_not_freeze_the_page(
        self, page: Page, board: str, zookeeper: KazooClient
    ) -> None:
        row = page.locator(f".row[data-path='{board}']")
        expect(row.locator("[data-figure=unclaimed]")).to_have_text("0")
        page.evaluate(TRANSLATE)
        assert page.locator("font").count() > 10
        expect(page.locator("font")).to_have_count(0, timeout=LOOKS)
        post(zookeeper, board)
        expect(row.locator("[data-figure=unclaimed]")).to_have_text("1")
        assert page.locator("#altered").count() == 0

    def test_that_comes_again_is_said(self, page: Page, board: str) -> None:
        expect(page.locator(f".row[data-path='{board}']")).to_be_visible()
        page.evaluate(TRANSLATE)
        expect(page.locator("#page font")).to_have_count(0, timeout=LOOKS)
        page.evaluate(TRANSLATE)
        expect(page.locator("#altered")).to_contain_text("may be out of date")
        screenshot(page, "altered")

    def test_of_the_line_alone_is_found(self, page: Page) -> None:
        """Without any <font>: an extension may write into the page's own elements."""
        live(page)
        page.evaluate("document.getElementById('live').textContent = 'in Echtzeit'")
        expect(page.locator("#live")).to_contain_text("live", timeout=LOOKS)


def _sandboxed(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(
        response=answer,
        headers={**answer.headers, "content-security-policy": "sandbox allow-scripts"},
    )


class TestStorage:
    @pytest.fixture
    def page(self, browser: Browser, chromium_program: Path) -> Iterator[Page]:
        """A page that may keep nothing, as where a browser was told to block a site's data.

        A sandboxed page may not: Chromium throws the same error. It is of no origin, either, so
        this browser lets it ask the server all the same.
        """
        switches = [*SWITCHES, "--disable-web-security"]
        apart = browser.browser_type.launch(executable_path=chromium_program, args=switches)
        page = apart.new_page()
        page.route(re.compile(r"/$"), _sandboxed)
        yield page
        apart.close()

    def test_that_is_forbidden_is_done_without(
        self, page: Page, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site.url}/#/")
        for storage in ("localStorage", "sessionStorage"):
            forbidden = f"(() => {{ try {{ return !{storage} }} catch {{ return true }} }})()"
            assert page.evaluate(forbidden), f"{storage} is there: the test shows nothing"
        live(page)
        page.get_by_label("Time zone").select_option("Europe/Berlin")
        page.get_by_role("button", name="Exact times").click()
        post(zookeeper, board)
        expect(page.locator(f".row[data-path='{board}'] [data-figure=unclaimed]")).to_have_text("1")
        assert complaints == []


class TestConnections:
    """Over HTTP/1.1 a browser opens six to one server, for all tabs together."""

    def tabs(self, first: Page, site: Site, count: int) -> list[Page]:
        pages = [first]
        first.context.add_init_script(f"({SEEN})()")
        first.reload()
        live(first)
        for _ in range(count - 1):
            pages.append(first.context.new_page())
            pages[-1].goto(f"{site.url}/#/")
            live(pages[-1])
        return pages

    def test_hidden_tabs_make_room_for_the_one_that_is_seen(
        self, page: Page, site: Site, board: str, zookeeper: KazooClient
    ) -> None:
        pages = self.tabs(page, site, 5)
        for each in pages:
            each.evaluate("hide(true)")
        post(zookeeper, board)
        sixth = page.context.new_page()
        sixth.goto(f"{site.url}/#/")
        expect(sixth.locator("#live")).to_have_attribute("data-condition", "live", timeout=GIVEN_UP)
        resting = "resting"
        eventually(
            lambda: (
                {each.locator("#live").get_attribute("data-condition") for each in pages}
                == {resting}
            )
        )
        sixth.evaluate("hide(true)")
        post(zookeeper, board)
        eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["unclaimed"] == 2)
        for each in pages:
            each.evaluate("hide(false)")
            expect(each.locator("#live")).to_have_attribute(
                "data-condition", "live", timeout=GIVEN_UP
            )
            assert unclaimed(each, board) == "2", "live is said when what was missed is there"
            each.evaluate("hide(true)")

    def test_one_too_many_says_why_it_hangs(self, page: Page, site: Site) -> None:
        self.tabs(page, site, 5)
        sixth = page.context.new_page()
        sixth.goto(f"{site.url}/#/")
        expect(sixth.locator("#live")).to_contain_text("six connections")
        expect(sixth.locator("#live")).not_to_have_attribute("data-condition", "live")
        screenshot(sixth, "sixth-tab")


def test_names_that_begin_alike_are_told_apart(
    open_page: Open, site: Site, board: str, zookeeper: KazooClient
) -> None:
    names = [f"get_create_load_balancer_flow-0a1b2c3d-0000-4000-8000-{n:012x}" for n in range(30)]
    for name in names:
        post(zookeeper, board, posting(name))
    eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["unclaimed"] == len(names))
    page = open_page(viewport={"width": 1280, "height": 900}).go(f"#/board?path={board}&sort=name")
    rows = page.locator(".table.jobs .scroll .row")
    expect(rows.first).to_be_visible()
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".table.jobs .scroll .cell.name")].map((cell) => {
            const [start, end] = cell.querySelectorAll(".cut > span");
            const room = cell.getBoundingClientRect();
            const at = end.getBoundingClientRect();
            const isSeen = at.left >= room.left && at.right <= room.right + 1 && at.width > 40;
            return [end.textContent, isSeen, start.scrollWidth > start.clientWidth,
                    cell.querySelector("[title]").title];
        })"""
    )
    assert len(shown) > 10
    assert len({end for end, *_ in shown}) == len(shown)
    assert all(is_seen and is_cut for _, is_seen, is_cut, _ in shown), shown
    assert {title for *_, title in shown} <= set(names)
    screenshot(page, "names-alike")
