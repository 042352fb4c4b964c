"""The columns that a command prints, and how their values look in each of cliff's formats.

json and yaml contain the values as the server sends them; these formats escape texts themselves.
table, csv and value are read by people or end up on a terminal, so texts go through ``printable``.
A table has relative times and short durations; csv and value have moments in UTC, and seconds.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TextIO

from cliff.formatters.base import ListFormatter, SingleFormatter

from canary.cli import shown
from canary.errors import UsageError
from canary.spreadsheet import guarded

_SHELL_SPECIAL: Final = str.maketrans({each: f"\\{each}" for each in "\\$`"})
EXACT: Final = frozenset({"json", "yaml"})
HUGE: Final = 10**15  # at about this, floats cease to hold every whole number
SHORT: Final = frozenset({"table", "value"})  # formats that have only a few columns without --long

Look = Callable[[Any, datetime], str]


def text(value: Any, _now: datetime) -> str:
    """Show a text, or another value as JSON."""
    return shown.printable(plain(value))


def moment(value: Any, now: datetime) -> str:
    """Show how long ago a moment was."""
    told = shown.parsed(value) if isinstance(value, str) else None
    return text(value, now) if told is None else shown.ago(told, now)


def seconds(value: Any, now: datetime) -> str:
    """Show a duration that is given in seconds."""
    return shown.duration(value) if is_number(value) else text(value, now)


def rates(value: Any, now: datetime) -> str:
    """Show an object of numbers, as in ``posted 1.5, claimed 2``."""
    if not isinstance(value, dict):
        return text(value, now)
    told = (f"{name} {_short(number)}" for name, number in value.items())
    return shown.printable(", ".join(told))


def account(value: Any, now: datetime) -> str:
    """Show whether everything that happened was seen, or how much was only counted."""
    if not isinstance(value, dict):
        return text(value, now)
    if value.get("complete") is True:
        return "complete"
    unseen = {what: value.get(f"unseen_{what}") for what in ("creates", "deletes")}
    if not any(unseen.values()):
        return "not watched all the time"
    told = (f"{plain(count)} {what}" for what, count in unseen.items())
    return shown.printable(f"{', '.join(told)} unseen")


def quantiles(value: Any, now: datetime) -> str:
    """Show the 50th, 95th and 99th percentiles of durations, as in ``2.1s / 4.0s / 1m10s``."""
    if not isinstance(value, dict):
        return text(value, now)
    return " / ".join(seconds(value.get(name), now) for name in ("p50", "p95", "p99"))


def listed(value: Any, now: datetime) -> str:
    """Show texts, one per line."""
    if not isinstance(value, list):
        return text(value, now)
    return "\n".join(text(each, now) for each in value)


def held(value: Any, now: datetime) -> str:
    """Show the jobs that a conductor holds, one per line: name, and time since the claim."""
    if not isinstance(value, list):
        return text(value, now)
    jobs = [job for job in value if isinstance(job, dict)]
    return "\n".join(
        f"{text(job.get('name') or job.get('uuid') or job.get('znode'), now)}"
        f" {moment(job.get('claimed_at'), now)}"
        for job in jobs
    )


def times(change: Mapping[str, Any]) -> list[str]:
    """Return in words how long a change's job had waited and run by then, unless it is zero."""
    told = (("waited", change.get("waiting")), ("ran", change.get("running")))
    return [f"{said} {shown.duration(value)}" for said, value in told if is_number(value) and value]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, which the API uses too, and how a table shows its values."""

    name: str
    look: Look = text


def check_columns(wanted: Sequence[str], columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the names of ``columns``. Raises UsageError if ``wanted`` has another name."""
    names = tuple(column.name for column in columns)
    for name in wanted:
        if name.lower().strip().replace(" ", "_") not in names:
            raise UsageError(f"There is no column {name!a}. There are: {', '.join(names)}")
    return names


class Shown(ListFormatter, SingleFormatter):
    """Wraps one of cliff's formatters, and converts values for its format, ``style``.

    ``now`` returns the current time, from which ages are counted.
    """

    def __init__(
        self,
        formatter: Any,
        style: str,
        columns: Sequence[Column],
        now: Callable[[], datetime],
    ) -> None:
        self._formatter, self._style, self._now = formatter, style, now
        self._looks = {column.name: column.look for column in columns}

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Do nothing: the wrapped formatter has added its own options."""

    def emit_list(
        self, names: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO, options: Any
    ) -> None:
        """Print a list."""
        self._formatter.emit_list(names, self._rows(names, rows), out, options)

    def emit_one(
        self, names: Sequence[str], values: Sequence[Any], out: TextIO, options: Any
    ) -> None:
        """Print one object."""
        [row] = self._rows(names, [list(values)])
        self._formatter.emit_one(names, row, out, options)

    def _rows(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
        for row in rows:
            now = self._moment(dict(zip(names, row, strict=True)))
            yield [self._value(name, value, now) for name, value in zip(names, row, strict=True)]

    def _moment(self, row: Mapping[str, Any]) -> datetime:
        """Return the moment from which a row's times are counted.

        If the row has a job's age, this is the moment when the job had that age; otherwise now.
        """
        posted: Any = row.get("posted_at")
        age: Any = row.get("age")
        told = shown.parsed(posted) if isinstance(posted, str) else None
        if told is None or not is_number(age):
            return self._now()
        try:
            return told + timedelta(seconds=float(age))
        except OverflowError:
            return self._now()

    def _value(self, name: str, value: Any, now: datetime) -> Any:
        if self._style in EXACT:
            return value
        if self._style == "shell":
            return _in_quotes(value)
        if self._style == "csv":
            return (
                "" if value is None else _cell(guarded(value) if isinstance(value, str) else value)
            )
        look = self._looks[name]
        if self._style == "table" and not (look is text and is_number(value)):
            return look(value, now)
        return shown.NOTHING if value is None else _cell(value)


def is_number(value: Any) -> bool:
    """Return whether a value is a number to calculate with: not a boolean, NaN or huge."""
    is_any = isinstance(value, int | float) and not isinstance(value, bool)
    return is_any and -HUGE < value < HUGE


def plain(value: Any) -> str:
    """Return a value as text: a string as it is, null as a dash, anything else as JSON."""
    if value is None:
        return shown.NOTHING
    return value if isinstance(value, str) else json.dumps(value)


def _in_quotes(value: Any) -> str:
    """Return a value escaped for double quotes in a shell; cliff escapes only the quotes."""
    return "" if value is None else str(_cell(value)).translate(_SHELL_SPECIAL)


def _cell(value: Any) -> Any:
    return value if is_number(value) else shown.printable(plain(value))


def _short(number: Any) -> str:
    if not is_number(number):
        return plain(number)
    return f"{number:.2g}" if abs(number) < 10 else f"{number:.0f}"
