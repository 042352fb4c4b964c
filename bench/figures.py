"""Figures and how they are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a table: what was measured, Canary's value and the rival's."""

    what: str
    canary: str
    rival: str
    goal: str = ""


def judged(measured: float, goal: float, unit: str) -> str:
    """Return a goal that no more than ``goal`` reaches, and whether ``measured`` is one."""
    told = "met" if measured <= goal else f"missed by {measured - goal:.2g} {unit}"
    return f"{goal:g} {unit}: {told}"


def back(before: float, after: float, goal: float) -> str:
    """Return the same for memory that is to be no more than ``goal`` percent above ``before``."""
    return f"within {judged((after / before - 1) * 100, goal, '%')}"


def p99(seconds: Sequence[float]) -> float:
    """Return the 99th percentile; infinity where there is none, which meets no goal."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("inf")


def median(seconds: Sequence[float]) -> float:
    """Return the median; infinity where there is none, which meets no goal."""
    return statistics.median(seconds) if seconds else float("inf")


def percentiles(seconds: Sequence[float]) -> str:
    """Return median and 99th percentile of durations, in milliseconds, with their number."""
    if not seconds:
        return "no samples"
    middle, most = median(seconds) * 1000, p99(seconds) * 1000
    return f"p50 {middle:.1f} ms, p99 {most:.1f} ms ({len(seconds)} samples)"


def table(title: str, rival: str, figures: Sequence[Figure]) -> str:
    """Return a table of figures as text."""
    rows = [("", "Canary", rival, "goal")]
    rows += [(figure.what, figure.canary, figure.rival, figure.goal) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([title, "-" * len(title), *lines, ""])
