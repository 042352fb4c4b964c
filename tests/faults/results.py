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

from tests.faults.fault import Fault
from tests.faults.scene import Scene
from tests.faults.settling import Outcome, settle

BEGIN: Final = "<!-- faults: begin -->"
END: Final = "<!-- faults: end -->"
HEAD: Final = (
    "fault",
    "seeds",
    "failed",
    "changes made",
    "seen",
    "unseen",
    "invented",
    "lost",
    "seconds until not live (API)",
    "seconds until not live (stream)",
    "seconds until live again",
    "other measurements",
)

Row = dict[str, Any]


def run(fault: Fault, scene: Scene, seed: int) -> Outcome:
    """Let a fault happen, settle, note what came of it, and raise if that is not as promised.

    A run that comes to no verdict is noted as well, and raises what ended it.
    """
    try:
        fault.happen(scene, seed)
        outcome = settle(scene)
    except BaseException as error:
        print(scene.story())
        _write({"fault": fault.name, "seed": seed, "failed": f"{type(error).__name__}: {error}"})
        raise
    findings = "\n".join(map(str, outcome.verdict.findings))
    _write(_row(outcome) | {"fault": fault.name, "seed": seed, "failed": findings})
    assert not findings, findings
    return outcome


def _row(outcome: Outcome) -> Row:
    verdict = outcome.verdict
    return {
        "made": verdict.made,
        "seen": verdict.seen,
        "unseen": verdict.unseen,
        "invented": verdict.invented,
        "lost": verdict.lost,
        "gaps": verdict.gaps,
        "to_admit": outcome.seconds_to_admit,
        "to_tell": outcome.seconds_to_tell,
        "to_live": outcome.seconds_to_live,
        "notes": outcome.notes,
    }


def _write(row: Row) -> None:
    """Print a row, and add it to the file that FAULT_RESULTS names."""
    print(json.dumps(row), flush=True)
    if file := os.environ.get("FAULT_RESULTS"):
        with Path(file).open("a", encoding="utf-8") as results:
            results.write(json.dumps(row) + "\n")


def table(rows: list[Row]) -> str:
    """Return the table, in Markdown: sums over the seeds, and the median and worst of times."""
    by_fault: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_fault[row["fault"]].append(row)
    lines = [_line(HEAD), _line(["---"] + ["--:"] * (len(HEAD) - 2) + ["---"])]
    for fault, runs in by_fault.items():
        failed = sum(bool(each["failed"]) for each in runs)
        judged = [each for each in runs if "made" in each]
        counts = ("made", "seen", "unseen", "invented", "lost")
        sums = [sum(each[name] for each in judged) for name in counts]
        moments = ("to_admit", "to_tell", "to_live")
        times = [_figure([each[name] for each in judged]) for name in moments]
        lines.append(_line([fault, len(runs), failed, *sums, *times, _notes(judged)]))
    return "\n".join(lines)


def _notes(runs: list[Row]) -> str:
    names = sorted({name for each in runs for name in each["notes"]})
    return "; ".join(
        f"{name}: {_figure([each['notes'].get(name) for each in runs])}" for name in names
    )


def _figure(found: list[float | None]) -> str:
    known = [each for each in found if each is not None]
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
