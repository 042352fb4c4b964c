"""Payloads that want to be more than text."""

import json

from kazoo.client import KazooClient
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.site import Site
from tests.integration.boards import claim, post
from tests.waiting import eventually

SCRIPT = "<script>window.isOwned = true</script>"
IMAGE = "<img src=x onerror='window.isOwned = true'>"
TURNED = "safe\u202egnp.exe\u2066\u200b"
HOSTILE = [
    {"uuid": SCRIPT, "name": SCRIPT, "details": {SCRIPT: IMAGE}},
    {"uuid": IMAGE, "name": IMAGE, "details": {"link": "javascript:window.isOwned=true"}},
    {"uuid": TURNED, "name": TURNED, "details": {TURNED: TURNED}},
    {"uuid": "x" * 900, "name": "n" * 100_000, "details": {"huge": "h" * 300_000}},
    {"uuid": "many", "name": "many", "details": {f"key-{n}": n for n in range(10_000)}},
    {"uuid": "__proto__", "name": "constructor", "details": {"__proto__": {"isOwned": True}}},
    {"uuid": "../../v2/boards?x=#/", "name": "%00%0d%0a", "details": {"a": "\u0000\u001b[31m"}},
]


def test_it_shows_as_text(open_page: Open, site: Site, board: str, zookeeper: KazooClient) -> None:
    for payload in HOSTILE:
        claim(zookeeper, board, post(zookeeper, board, json.dumps(payload).encode()), SCRIPT)
    count = len(HOSTILE)
    eventually(lambda: site.ask("/v2/boards", path=board)["boards"][0]["claimed"] == count)
    page = open_page().go(f"#/board?path={board}")
    expect(page.locator(".table.jobs .scroll .row")).to_have_count(count)
    expect(page.locator(".cell.name", has_text=SCRIPT)).to_have_count(1)
    expect(page.locator(".cell.name", has_text=IMAGE)).to_have_count(1)
    expect(page.locator(".cell.name", has_text="safe⟨202E⟩gnp.exe⟨2066⟩⟨200B⟩")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    for number in range(count):
        hrefs = page.locator(".cell.name a").evaluate_all("links => links.map(each => each.href)")
        assert all(href.startswith(f"{site.url}/#/job?") for href in hrefs)
        page.locator(".table.jobs .scroll .row").nth(number).locator(".cell.name a").click()
        expect(page.locator(".timeline li")).to_have_count(2)
        expect(page.locator(".payload").first).to_be_visible()
        assert page.locator("main script, main img").count() == 0
        page.go_back()
        expect(page.locator(".table.jobs .scroll .row")).to_have_count(count)
    assert not page.evaluate("window.isOwned === true || ({}).isOwned === true")


def test_ten_thousand_keys_are_shown_a_part_at_a_time(
    open_page: Open, site: Site, board: str, zookeeper: KazooClient
) -> None:
    many = {f"key-{number}": number for number in range(10_000)}
    post(zookeeper, board, json.dumps({"uuid": "u", "name": "n", "details": many}).encode())
    eventually(lambda: site.ask("/v2/jobs", path=board)["jobs"])
    page = open_page().go(f"#/job?uuid=u&path={board}")
    payload = page.locator(".payload").first
    expect(payload).to_contain_text('"key-0": 0')
    if "…" in payload.inner_text():
        page.get_by_role("button", name="Show all").click()
        expect(page.get_by_role("button", name="Show all")).to_have_count(0)


def test_the_policy_lets_nothing_run_that_is_not_the_page_s_own(open_page: Open) -> None:
    opened = open_page()
    page = opened.go("#/")
    page.wait_for_selector("#live[data-condition=live]")
    page.evaluate(
        """html => {
            const place = document.createElement("div");
            place.innerHTML = html;
            document.body.append(place);
            const script = document.createElement("script");
            script.textContent = "window.isOwned = true";
            document.body.append(script);
        }""",
        IMAGE,
    )
    eventually(lambda: opened.complaints, 10.0, "the browser says what it did not let run")
    assert all("Content Security Policy" in said for said in opened.complaints)
    opened.complaints.clear()
    assert not page.evaluate("window.isOwned === true")
