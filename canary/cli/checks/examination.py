"""All checks within a limit, whatever hangs: each group of them in a thread of its own.

A group opens one connection and runs its checks one after the other. Where the first one fails the
others are skipped: they would say the same. What has not ended at the limit has failed; its thread
is left behind (``Examination.is_over`` is False then, and the process must not wait for it).
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from canary.cli.checks.finding import Check, Finding, Row, Status, failed, skipped
from canary.errors import CanaryError
from canary.logs import redact


@dataclass(frozen=True, slots=True)
class Group:
    """Checks of one server. ``opened`` makes what they are given; ``advice`` is for its failure."""

    opened: Callable[[], AbstractContextManager[Any]]
    checks: Sequence[tuple[str, Check]]
    advice: str


@dataclass(slots=True)
class _Run:
    """One group's checks, and what they have come to so far."""

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
        """Yield what every check came to, those that were not run included."""
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
    """All groups, run beside each other. ``is_over``: every one of them has come to its end."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._runs = [_Run(group) for group in groups]
        self.is_over = True

    def rows(self, limit: float) -> list[Row]:
        """Run everything and return what came of it, after ``limit`` seconds at most."""
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
    if isinstance(error, CanaryError):
        return failed(redact(str(error)), advice)
    words = redact(f"the check itself failed: {type(error).__name__}: {error}")
    return failed(words, "this is a defect of Canary's: report it")
