"""All checks within a time limit, whatever hangs: each group of checks runs in its own thread.

A group opens one connection and runs its checks one after the other. If the first check fails, the
others are skipped, because they would say the same. A check that has not ended at the limit has
failed, and its thread is left behind. ``Examination.is_over`` is False then, and the process must
not wait for the thread.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from canary.cli.checks.finding import Check, Finding, Row, Status, failed, skipped
from canary.errors import BoardDenied, CanaryError
from canary.logs.output import redact

RIGHTS: Final = "give Canary's user READ there; [zookeeper] username says who that is"
AS_SAID: Final = "do what it says, and run canary doctor again"
# Matches a reason that itself says what to do; the advice for the whole group could contradict it.
_ADVISING: Final = re.compile(
    r"(?:^|[:;.,] |, or )"
    r"(?:check|run|set|make|give|start|sign in|say|use|write|mend|take|remove|correct|create)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Group:
    """Checks of one server. ``opened`` gives what they are passed; ``advice`` is for a failure."""

    opened: Callable[[], AbstractContextManager[Any]]
    checks: Sequence[tuple[str, Check]]
    advice: str


@dataclass(slots=True)
class _Run:
    """A run of one group's checks, and the findings so far."""

    group: Group
    rows: list[Row] = field(default_factory=list)
    current: str = ""
    done: set[str] = field(default_factory=set)

    def run(self) -> None:
        first = self.current = self.group.checks[0][0]
        try:
            with self.group.opened() as opened:
                for name, check in self.group.checks:
                    self.current = name
                    self._run_one(check, opened)
                    if name == first and self._has_failed:
                        return
        except Exception as error:  # noqa: BLE001 -- a defect here is a finding, too
            self._add(_broken(error, self.group.advice))

    def _run_one(self, check: Check, opened: Any) -> None:
        try:
            for finding in check(opened):
                self._add(finding)
        except Exception as error:  # noqa: BLE001 -- the same
            self._add(_broken(error, self.group.advice))
        self.done.add(self.current)

    def _add(self, finding: Finding) -> None:
        self.rows.append(Row(self.current, finding))

    @property
    def _has_failed(self) -> bool:
        return any(row.finding.status is Status.FAILED for row in self.rows)

    def result(self, limit: float, *, is_over: bool) -> Iterator[Row]:
        """Yield the findings of every check, including those that were not run."""
        rows, current, done = list(self.rows), self.current, set(self.done)
        first = self.group.checks[0][0]
        for name, _ in self.group.checks:
            mine = [row for row in rows if row.check == name]
            yield from mine
            if not is_over and name == current and name not in done:
                yield Row(name, failed(f"no answer within {limit:g} s", self.group.advice))
            elif not mine and name not in done:
                yield Row(name, skipped(f"nobody looked: see {first}"))


class Examination:
    """All groups, run in parallel. ``is_over`` is True if every one of them has ended."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._runs = [_Run(group) for group in groups]
        self.is_over = True

    def rows(self, limit: float) -> list[Row]:
        """Run all checks and return their findings, after at most ``limit`` seconds."""
        deadline = time.monotonic() + limit
        threads = [threading.Thread(target=run.run, daemon=True) for run in self._runs]
        for thread in threads:
            thread.start()
        rows: list[Row] = []
        for run, thread in zip(self._runs, threads, strict=True):
            thread.join(max(0.0, deadline - time.monotonic()))
            is_over = not thread.is_alive()
            self.is_over &= is_over
            rows += run.result(limit, is_over=is_over)
        return rows


def _broken(error: Exception, advice: str) -> Finding:
    if isinstance(error, BoardDenied):  # so ZooKeeper answers
        return failed(redact(str(error)), RIGHTS)
    if isinstance(error, CanaryError):
        words = redact(str(error))
        return failed(words, AS_SAID if _ADVISING.search(words) else advice)
    words = redact(f"the check itself failed: {type(error).__name__}: {error}")
    return failed(words, "this is a defect of Canary's: report it")
