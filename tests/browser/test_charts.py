"""The charts of a board, of an answer that is made up: what they show of it, and what they tell."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from canary.server.v2.series import SeriesOfBoard
from tests.browser.conftest import Open, screenshot

DASH = "\u2013"  # of no number, and between two times
# Red, green and blue of a spot between the axes, both given as parts of the way right and up.
COLOUR_AT = """(holder, [right, up]) => {
    const canvas = holder.querySelector("canvas");
    const all = canvas.getBoundingClientRect();
    const plot = holder.querySelector(".u-over").getBoundingClientRect();
    const scale = canvas.width / all.width;
    const x = (plot.left - all.left + plot.width * right) * scale;
    const y = (plot.top - all.top + plot.height * (1 - up)) * scale;
    const { data } = canvas.getContext("2d").getImageData(x - 4, y - 8, 8, 16);
    const sums = [0, 0, 0], ground = 255;
    for (let at = 0; at < data.length; at += 4) {
        const part = data[at + 3] / 255;
        sums.forEach((_, n) => sums[n] += data[at + n] * part + ground * (1 - part));
    }
    return sums.map(sum => sum / (data.length / 4));
}"""


def answer(path: str) -> dict[str, Any]:
    """Six steps of a minute around midnight: one that nobody watched, a gap, and one not over."""
    told = {
        "path": path,
        "start": "2026-11-25T23:58:00.000Z",
        "step": 60.0,
        "until": "2026-11-26T00:03:20.000Z",
        "posted": [None, 4, 6, 2, 30, 1],
        "claimed": [None, 3, 6, 2, 3, 1],
        "ended": [None, 2, 6, 2, 3, 1],
        "jobs_unclaimed": [None, 5, 5, 5, 10, 10],
        "jobs_claimed": [None, 2, 3, 3, 10, 10],
        "waiting_p50": [None, 0.5, None, None, None, 75.0],
        "waiting_p95": [None, 0.8, None, None, None, 80.0],
        "running_p50": [None, 3.5, 2.0, None, None, 5.0],
        "running_p95": [None, 4.5, 3.0, None, None, 6.0],
        "gaps": [
            {
                "path": path,
                "from": "2026-11-26T00:00:50.000Z",
                "to": "2026-11-26T00:02:10.000Z",
                "reason": "restart",
                "creates": 2,
                "deletes": 1,
            }
        ],
    }
    SeriesOfBoard.model_validate(told)
    return told


def charts(open_page: Open, board: str, told: dict[str, Any]) -> Page:
    opened = open_page()
    body = json.dumps({"series": [told], "next": None})
    opened.page.route(
        re.compile("/v2/series"),
        lambda route: route.fulfill(content_type="application/json", body=body),
    )
    return opened.go(f"#/board?path={board}")


def point(page: Page, seconds: float) -> None:
    """Point at the first chart, so many seconds behind its left edge."""
    plot = page.locator(".chart .u-over").first
    box = plot.bounding_box()
    assert box is not None
    at = min(max(seconds / 260 * box["width"], 1), box["width"] - 1)
    plot.hover(position={"x": at, "y": 20})


def rows(chart: Locator) -> Locator:
    return chart.locator(".legend dd")


def test_the_crosshair_tells_values_and_never_a_number_of_what_is_unknown(
    open_page: Open, board: str
) -> None:
    page = charts(open_page, board, answer(board))
    there, _, times, throughput = (page.locator(".chart").nth(number) for number in range(4))
    expect(there.locator(".when")).to_have_text("Latest: 26 Nov 00:03:20")
    point(page, 62)
    expect(there.locator(".when")).to_have_text("26 Nov 00:00:00")
    expect(rows(there)).to_have_text(["5", "2"])
    expect(throughput.locator(".when")).to_have_text(f"26 Nov 23:59:00{DASH}00:00:00")
    expect(rows(throughput)).to_have_text(["4.0", "3.0", "2.0"])
    screenshot(page, "charts-crosshair")
    point(page, 0)
    expect(there.locator(".when")).to_have_text("25 Nov 23:59:00: not watched")
    expect(rows(there)).to_have_text([DASH, DASH])
    point(page, 121)
    expect(there.locator(".when")).to_have_text("26 Nov 00:01:00: unknown ⚠ in a gap")
    expect(rows(throughput)).to_have_text(["6.0", "6.0", "6.0"])
    point(page, 182)
    expect(there.locator(".when")).to_have_text("26 Nov 00:02:00: unknown ⚠ in a gap")
    expect(rows(throughput)).to_have_text([DASH] * 3)
    point(page, 240)
    expect(rows(times)).to_have_text([DASH] * 4)
    expect(times.locator(".when")).to_contain_text(": none")
    point(page, 259)
    expect(rows(there)).to_have_text(["10", "10"])
    expect(throughput.locator(".when")).to_contain_text(": not over yet")
    page.locator("h1").hover()
    expect(there.locator(".when")).to_contain_text("Latest")
    label = there.locator("[role=slider]")
    words = "On the board: unclaimed 10, claimed 10; gaps in 3 of 6 steps"
    expect(label).to_have_attribute("aria-label", words)


def test_the_keyboard_moves_the_crosshair_and_it_is_read_out(open_page: Open, board: str) -> None:
    page = charts(open_page, board, answer(board))
    there, throughput = (page.locator(".chart").nth(number) for number in (0, 3))
    slider = there.get_by_role("slider")
    expect(slider).to_have_attribute(
        "aria-valuetext", "Latest: 26 Nov 00:03:20, unclaimed 10, claimed 10"
    )
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(there.locator(".when")).to_have_text("26 Nov 00:01:00: unknown ⚠ in a gap")
    expect(slider).to_have_attribute("aria-valuetext", "26 Nov 00:01:00: unknown, in a gap")
    expect(rows(throughput)).to_have_text(["6.0", "6.0", "6.0"])
    page.keyboard.press("Home")
    expect(there.locator(".when")).to_have_text("25 Nov 23:59:00: not watched")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(there.locator(".when")).to_have_text("26 Nov 00:00:00")
    expect(slider).to_have_attribute("aria-valuetext", "26 Nov 00:00:00, unclaimed 5, claimed 2")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    screenshot(page, "charts-keyboard")
    page.keyboard.press("End")
    expect(there.locator(".when")).to_have_text("26 Nov 00:03:20")
    page.keyboard.press("Escape")
    expect(there.locator(".when")).to_contain_text("Latest")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(there.locator(".when")).to_contain_text("Latest")


def test_bands_lie_on_each_other_and_have_their_own_colours(open_page: Open, board: str) -> None:
    page = charts(open_page, board, answer(board))
    expect(page.locator(".chart canvas")).to_have_count(4)
    chart = page.locator(".chart [role=slider]").first
    right = 250 / 260
    red, _, blue = chart.evaluate(COLOUR_AT, [right, 5 / 22])
    assert blue - red > 20, "claimed, at the bottom, is blue"
    red, _, blue = chart.evaluate(COLOUR_AT, [right, 15 / 22])
    assert red - blue > 20, "unclaimed, on top of it, is orange"
    expect(page.locator(".chart").first.locator("figcaption")).to_contain_text("stacked")


def test_a_window_of_which_nothing_is_known_says_since_when(open_page: Open, board: str) -> None:
    told = answer(board) | {"gaps": [], "step": 1440.0}
    told |= {"start": "2020-01-01T00:00:00.000Z", "until": "2020-01-01T02:10:00.000Z"}
    told |= {
        name: [None] * 6 for name, column in told.items() if isinstance(column, list) and column
    }
    page = charts(open_page, board, told)
    note = page.locator(".note", has_text="Watched since")
    expect(note).to_contain_text("Each point of a chart covers 24 min")
    expect(page.locator(".chart")).to_have_count(0)
