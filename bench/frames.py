"""How smoothly a page is drawn."""

from typing import Final

from playwright.sync_api import Page

from bench.figures import Figure, judged

GOAL: Final = 50.0  # milliseconds, at the 95th percentile

# Notes for how long the page was busy at a time, and every time that it was too long.
_NOTE: Final = """() => {
    window.frames_ = [];
    window.long = [];
    let last = performance.now();
    const frame = () => {
        const now = performance.now();
        window.frames_.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
        window.long.push(...list.getEntries().map((entry) => entry.duration));
    }).observe({ type: "longtask" });
}"""


def note(page: Page) -> None:
    """Begin to note."""
    page.evaluate(_NOTE)


def noted(page: Page) -> list[Figure]:
    """Return the figures of what was noted since."""
    frames, tasks = sorted(page.evaluate("window.frames_")), page.evaluate("window.long")
    slow = frames[int(len(frames) * 0.95)]
    return [
        Figure(
            "between two frames, 95th percentile",
            f"{slow:.0f} ms ({len(frames)} frames)",
            "",
            judged(slow, GOAL, "ms"),
        ),
        Figure(
            "tasks of more than 50 ms",
            f"{len(tasks)}, the longest {max(tasks, default=0):.0f} ms",
            "",
        ),
    ]
