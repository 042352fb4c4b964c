"""How smoothly a page is drawn."""

import itertools
from typing import Final

from playwright.sync_api import Page

from bench.figures import Figure, judged

GOAL: Final = 50.0  # milliseconds, at the 95th percentile

LONGEST: Final = 10_000  # milliseconds; what took longer is noted as that

# Notes for how long the page was busy at a time, and every time that it was too long. How many
# frames took how many milliseconds is counted in one array that is there from the start and outside
# of JavaScript's heap, whose growth is measured.
_NOTE: Final = """(longest) => {
    window.frames_ = new Uint32Array(longest + 1);
    window.long = { count: 0, longest: 0 };
    let last = performance.now();
    const frame = () => {
        const now = performance.now();
        window.frames_[Math.min(Math.round(now - last), longest)] += 1;
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) {
            window.long.count += 1;
            window.long.longest = Math.max(window.long.longest, duration);
        }
    }).observe({ type: "longtask" });
}"""


def note(page: Page) -> None:
    """Begin to note."""
    page.evaluate(_NOTE, LONGEST)


def noted(page: Page) -> list[Figure]:
    """Return the figures of what was noted since."""
    counts = page.evaluate("[...window.frames_]")
    long = page.evaluate("window.long")
    frames = sum(counts)
    up_to = itertools.accumulate(counts)
    slow = next(milliseconds for milliseconds, done in enumerate(up_to) if done >= frames * 0.95)
    return [
        Figure(
            "between two frames, 95th percentile",
            f"{slow} ms ({frames} frames)",
            "",
            judged(slow, GOAL, "ms"),
        ),
        Figure(
            "tasks of more than 50 ms", f"{long['count']}, the longest {long['longest']:.0f} ms", ""
        ),
    ]
