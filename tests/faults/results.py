"""What the fault tests found, gathered in a file, and the table that ``make faults`` makes of it.

FAULT_RESULTS=FILE python -m pytest tests/faults
python -m tests.faults.results FILE PAGE
"""

import json
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from tests.faults.judge import Wrong
from tests.faults.scene import Outcome

BEGIN: Final = "<!-- faults: begin -->"
END: Final = "<!-- faults: end -->"
HEAD: Final = (
    "fault",
    "seeds",
    "changes made",
    "seen",
    "unseen",
    "invented",
    "lost",
    "seconds to admit it",
    "seconds to live again",
)


def note(fault: str, seed: int, outcome: Outcome) -> None:
    """Print the figures of one run, and write them to the file that FAULT_RESULTS names."""
    verdict = outcome.verdict
    row = {
        "fault": fault,
        "seed": seed,
        "made": verdict.made,
        "seen": verdict.seen,
        "unseen": verdict.unseen_creates + verdict.unseen_deletes,
        "invented": verdict.invented,
        "lost": verdict.lost,
        "gaps": verdict.gaps,
        "to_admit": outcome.seconds_to_admit,
        "to_live": outcome.seconds_to_live,
    }
    _write(row)


def failed(fault: str, seed: int, error: AssertionError) -> None:
    """The same of a run in which something was wrong."""
    row: dict[str, Any] = {"fault": fault, "seed": seed, "failed": str(error)[:500]}
    if isinstance(error, Wrong):
        row |= {"invented": error.verdict.invented, "lost": error.verdict.lost}
    _write(row)


def _write(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)
    if file := os.environ.get("FAULT_RESULTS"):
        with Path(file).open("a", encoding="utf-8") as results:
            results.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table, in Markdown: sums over the seeds, and the median and worst of times."""
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_fault[row["fault"]].append(row)
    lines = [_line(HEAD), _line(["---"] + ["--:"] * (len(HEAD) - 1))]
    for fault, runs in by_fault.items():
        names = ("made", "seen", "unseen", "invented", "lost")
        sums = [sum(run.get(name, 0) for run in runs) for name in names]
        times = [_times([run.get(name) for run in runs]) for name in ("to_admit", "to_live")]
        failures = sum("failed" in run for run in runs)
        seeds = f"{len(runs)}, {failures} failed" if failures else str(len(runs))
        lines.append(_line([fault, seeds, *sums, *times]))
    return "\n".join(lines)


def _times(seconds: list[float | None]) -> str:
    known = [each for each in seconds if each is not None]
    if not known:
        return ""
    return f"{statistics.median(known):.1f} (at most {max(known):.1f})"


def _line(cells: Any) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main(file: str, page: str) -> None:
    """Put the table of ``file`` between its two marks in ``page``, and print it."""
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    made = table(rows)
    text = Path(page).read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    Path(page).write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}")
    print(made)


if __name__ == "__main__":
    main(*sys.argv[1:])
