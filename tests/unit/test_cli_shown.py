"""Values as the command line shows them: short for people, and harmless to terminals."""

import argparse
import csv
import io
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cliff.formatters.commaseparated import CSVLister
from cliff.formatters.json_format import JSONFormatter
from cliff.formatters.shell import ShellFormatter
from cliff.formatters.table import TableFormatter
from cliff.formatters.value import ValueFormatter
from cliff.formatters.yaml_format import YAMLFormatter
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from canary.cli import job
from canary.cli.boards import Boards
from canary.cli.changes import Changes
from canary.cli.columns import Column, Shown, account, held, moment, quantiles, rates, seconds, text
from canary.cli.conductors import Conductors
from canary.cli.events import Event
from canary.cli.gaps import Gaps
from canary.cli.jobs import Jobs
from canary.cli.lines import Lines
from canary.cli.shown import ago, clock, day, duration, parsed, printable
from canary.cli.stats import Stats
from canary.server.v2 import conductor_schemas, schemas
from canary.server.v2.answers import names_of

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
FORMATTERS: dict[str, Any] = {
    "csv": CSVLister,
    "json": JSONFormatter,
    "shell": ShellFormatter,
    "table": TableFormatter,
    "value": ValueFormatter,
    "yaml": YAMLFormatter,
}
HOSTILE = (
    "\x1b]0;owned\x07",  # sets the window's title
    "\x1b[2J\x1b[H",  # clears the screen
    "\x9b31m",  # the same by a C1 control
    "a\r\nb\tc\bd\x7f",
    "abc\u202edef\u2066",  # shown backwards
    "a\u200bb\ufeff\u00ad",  # cannot be seen
    "\ud800",  # half a character
    "\u2028\u2029\x85\x0b\x0c",  # lines, to some
    "\U000e0041",  # a tag, not seen either
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
COLUMNS = (
    *(Boards.columns + Changes.columns + Conductors.columns + Gaps.columns + Jobs.columns),
    *(Stats.columns + job.COLUMNS),
)
OWN_COLOURS = re.compile(r"\x1b\[(0|2|3[1-6])m")

#: What the page shows of each is in there too: the two have one rule.
DURATIONS = json.loads((Path(__file__).parents[1] / "durations.json").read_text(encoding="utf-8"))


def options() -> argparse.Namespace:
    """Return the options that formatters have of their own."""
    parser = argparse.ArgumentParser()
    for formatter in FORMATTERS.values():
        formatter().add_argument_group(parser)
    return parser.parse_args([])


def printed(style: str, columns: Sequence[Column], row: Sequence[Any]) -> str:
    """Return what is printed of one row."""
    out = io.StringIO()
    shown = Shown(FORMATTERS[style](), style, columns, lambda: NOW)
    names = [column.name for column in columns]
    if style == "shell":
        shown.emit_one(names, row, out, options())
    else:
        shown.emit_list(names, [row], out, options())
    return out.getvalue()


def is_harmless(text: str) -> bool:
    """Tell whether nothing in it but its own line breaks steers a terminal."""
    return all(line.isprintable() for line in text.split("\n"))


class TestText:
    @given(st.text())
    def test_nothing_that_steers_a_terminal_is_left(self, value: str) -> None:
        assert printable(value).isprintable()

    @given(st.text(st.characters(categories=["L", "N", "P", "S"])))
    def test_what_people_write_is_left_alone(self, value: str) -> None:
        assert printable(value) == value

    def test_what_is_escaped_can_be_told(self) -> None:
        assert printable("a\x1b[31m\n\u202e\ud800b") == r"a\x1b[31m\n\u202e\ud800b"

    @pytest.mark.parametrize("style", FORMATTERS)
    @pytest.mark.parametrize("value", HOSTILE)
    def test_hostile_text_in_each_format(self, style: str, value: str) -> None:
        out = printed(style, [Column("name")], [value])
        assert is_harmless(out)
        assert len(out.splitlines()) == len(printed(style, [Column("name")], ["x"]).splitlines())

    @example(Column("age", seconds), float("nan"), "table")
    @example(Column("age", seconds), 10**400, "table")
    @example(Column("waiting", quantiles), {"p50": float("inf")}, "table")
    @given(st.sampled_from(COLUMNS), JSON, st.sampled_from(sorted(FORMATTERS)))
    def test_whatever_a_server_tells_in_whatever_column(
        self, column: Column, value: Any, style: str
    ) -> None:
        assert is_harmless(printed(style, [column], [value]))

    @pytest.mark.parametrize("value", HOSTILE)
    def test_json_and_yaml_hold_exactly_what_was_told(self, value: str) -> None:
        assert json.loads(printed("json", [Column("a")], [value])) == [{"a": value}]
        if value != "\ud800":  # which is no text in YAML
            assert yaml.safe_load(printed("yaml", [Column("a")], [value])) == [{"a": value}]

    @pytest.mark.parametrize(
        "value", ["$(touch owned)", "`touch owned`", '"; touch owned; "', "\\", "a\\\"$b'c!"]
    )
    def test_a_shell_runs_nothing_of_a_value(self, value: str, tmp_path: Any) -> None:
        script = printed("shell", [Column("name")], [value]) + 'printf %s "$name"'
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout == value
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


class TestHourThatComesTwice:
    BERLIN: Final = [  # 2026-10-25: at 03:00 the clocks go back to 02:00
        ((0, 15), "02:15:00.000 CEST"),
        ((1, 15), "02:15:00.000 CET"),
        ((0, 0), "02:00:00.000 CEST"),
        ((1, 59), "02:59:00.000 CET"),
        ((2, 0), "03:00:00.000"),
        ((12, 0), "13:00:00.000"),
    ]

    @pytest.mark.parametrize(("at", "expected"), BERLIN)
    def test_its_zone_is_told(
        self, at: tuple[int, int], expected: str, zone: Callable[[str], None]
    ) -> None:
        zone("Europe/Berlin")
        moment = datetime(2026, 10, 25, *at, tzinfo=UTC)
        assert clock(moment) == expected
        assert day(moment) == f"2026-10-25 {expected}"
        change = {"path": "/a", "kind": "posted", "seen_at": moment.isoformat()}
        line = Lines(is_coloured=False).line(Event("change", change, "1")) or ""
        assert line.startswith(f"{expected}  /a ")

    def test_the_hour_before_is_no_such_one(self, zone: Callable[[str], None]) -> None:
        zone("Europe/Berlin")
        assert clock(datetime(2026, 10, 24, 23, 59, tzinfo=UTC)) == "01:59:00.000"

    @pytest.mark.parametrize("hour", range(24))
    def test_in_spring_none_comes_twice(self, hour: int, zone: Callable[[str], None]) -> None:
        zone("Europe/Berlin")
        assert len(clock(datetime(2026, 3, 29, hour, 30, tzinfo=UTC))) == 12

    def test_half_an_hour_and_a_zone_without_a_name(self, zone: Callable[[str], None]) -> None:
        zone("Australia/Lord_Howe")  # 2026-04-05: at 02:00 the clocks go back to 01:30
        moments = [datetime(2026, 4, 4, *at, tzinfo=UTC) for at in ((14, 45), (15, 15), (15, 30))]
        assert [clock(each) for each in moments] == [
            "01:45:00.000 +11",
            "01:45:00.000 +1030",
            "02:00:00.000",
        ]

    @pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo"])
    def test_where_there_is_none(self, name: str, zone: Callable[[str], None]) -> None:
        zone(name)
        assert len(clock(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))) == 12
        for told in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00+14:00"):
            assert len(clock(parsed(told) or NOW)) == 12


class TestLines:
    @given(st.sampled_from(["change", "gap", "board", "store", "reset", "dropped", "x"]), JSON)
    def test_whatever_an_event_holds_a_line_is_one_line(self, name: str, data: Any) -> None:
        line = Lines(is_coloured=False).line(Event(name, data, None))
        assert line is None or line.isprintable()

    @given(
        st.sampled_from(["change", "gap", "board", "store"]),
        st.dictionaries(
            st.sampled_from(
                ["path", "kind", "job_name", "uuid", "owner", "reason", "freshness", "at", "name"]
            ),
            st.text() | st.sampled_from(HOSTILE),
        ),
    )
    def test_hostile_text_among_colours(self, name: str, data: dict[str, str]) -> None:
        line = Lines(is_coloured=True).line(Event(name, data, None))
        assert line is not None
        assert "\x1b[" in line
        assert OWN_COLOURS.sub("", line).isprintable()

    def test_a_change(self) -> None:
        change = {
            "path": "/lbaas/jobs",
            "kind": "consumed",
            "job_name": "build",
            "name": "job0000000001",
            "uuid": "u-1",
            "owner": "ann",
            "at": None,
            "seen_at": "2026-11-25T03:00:00.250Z",
            "waiting": 0.25,
            "running": 133.0,
        }
        line = Lines(is_coloured=False).line(Event("change", change, "1"))
        local = NOW.astimezone().strftime("%H:%M:%S")
        assert line == (
            f"{local}.250  /lbaas/jobs  consumed    build  u-1  by ann  waited 250ms  ran 2m13s"
        )

    def test_a_gap(self) -> None:
        gap = {
            "path": "/b",
            "from": "2026-11-25T02:59:00Z",
            "to": "2026-11-25T03:00:00Z",
            "reason": "era",
            "creates": None,
            "deletes": 2,
        }
        line = Lines(is_coloured=False).line(Event("gap", gap, "1")) or ""
        assert line.endswith(
            "an unknown number of creates, 2 deletes not seen one by one: era, within 1m00s"
        )
        found = gap | {"reason": "restart", "creates": 0, "deletes": 0}
        line = Lines(is_coloured=False).line(Event("gap", found, "1")) or ""
        assert line.endswith("all changes were found, but only afterwards: restart, within 1m00s")

    def test_a_board_is_a_line_when_its_freshness_changes(self) -> None:
        lines = Lines(is_coloured=False)

        def told(freshness: str, **more: Any) -> str:
            data = {"path": "/b", "freshness": freshness, "freshness_since": None, **more}
            return (lines.line(Event("board", data, None)) or "").strip()

        assert told("live") == ""
        assert told("live") == ""
        assert told("suspended").split() == ["/b", "suspended", "was", "live"]
        assert told("live").split() == ["/b", "live", "was", "suspended"]
        assert told("live", registered=False).endswith("is no longer watched")
        assert told("missing").split() == ["/b", "missing"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            *((each["seconds"], each["cli"]) for each in DURATIONS),
            *((-0.0, "0ms"), (-0.0001, "0ms"), (-0.00049, "0ms")),
            *((-0.0006, "-1ms"), (-5, "-5.0s")),
        ],
    )
    def test_a_duration_has_two_units_at_most(self, value: float, expected: str) -> None:
        assert duration(value) == expected

    @given(st.floats(0, 10**9), st.floats(0, 10**9))
    def test_longer_durations_are_not_shown_as_shorter_ones(self, one: float, two: float) -> None:
        short, long = sorted([one, two])
        assert _least(duration(short)) <= _least(duration(long))

    def test_times_are_relative_in_a_table_alone(self) -> None:
        column, told = Column("since", moment), "2026-11-25T02:57:47.000Z"
        assert "| 2m13s ago |" in printed("table", [column], [told])
        for style in ("json", "yaml", "csv", "value"):
            assert told in printed(style, [column], [told])

    def test_a_row_reckons_all_times_from_one_moment(self) -> None:
        columns = [*(Column(name, moment) for name in ("posted_at", "claimed_at"))]
        columns.append(Column("age", seconds))
        row = ["2026-11-25T02:59:50.000Z", "2026-11-25T02:59:52.000Z", 8]
        assert "| 8.0s ago  | 6.0s ago   | 8.0s |" in printed("table", columns, row)
        for age in (None, "old", 1e13):  # one that is told by nobody, and one of no calendar
            assert "| 10s ago   | 8.0s ago   |" in printed("table", columns, [*row[:2], age])

    def test_a_moment_to_come_was_now(self) -> None:
        assert ago(NOW + timedelta(seconds=1), NOW) == "0ms ago"

    def test_what_is_no_moment_is_shown_as_it_is(self) -> None:
        assert parsed("soon") is None
        assert moment("soon", NOW) == "soon"
        assert moment(None, NOW) == "-"

    def test_numbers_stay_numbers(self) -> None:
        columns = [Column("age", seconds), Column("n"), Column("none"), Column("flag")]
        row = [133.5, 7, None, True]
        assert json.loads(printed("json", columns, row)) == [
            {"age": 133.5, "n": 7, "none": None, "flag": True}
        ]
        [_, cells] = csv.reader(io.StringIO(printed("csv", columns, row)))
        assert cells == ["133.5", "7", "", "true"]
        assert printed("value", columns, row) == "133.5 7 - true\n"
        assert "| 2m13s | 7 | -    | true |" in printed("table", columns, row)

    def test_values_with_parts(self) -> None:
        assert rates({"posted": 1.25, "ended": 1000}, NOW) == "posted 1.2, ended 1000"
        assert quantiles({"count": 2, "p50": 0.5, "p95": 2, "p99": None}, NOW) == "500ms / 2.0s / -"
        assert held(
            [{"name": "build", "claimed_at": "2026-11-25T02:59:30Z"}, {"uuid": "u"}], NOW
        ) == ("build 30s ago\nu -")
        seen = {"complete": True, "unseen_creates": 0, "unseen_deletes": 0}
        assert account(seen, NOW) == "complete"
        assert account(seen | {"complete": False}, NOW) == "not watched all the time"
        missed = seen | {"complete": False, "unseen_deletes": 3}
        assert account(missed, NOW) == "0 creates, 3 deletes unseen"
        assert text({"a": "\x1b"}, NOW) == '{"a": "\\u001b"}'


def _least(shown: str) -> float:
    """Return the least number of seconds that is shown so."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
    parts = re.findall(r"([\d.]+)(ms|s|m|h|d)", shown)
    return sum(float(number) * units[unit] for number, unit in parts)


@pytest.mark.parametrize(
    ("columns", "model"),
    [
        (Boards.columns, schemas.Board),
        (Changes.columns, schemas.Change),
        (Conductors.columns, conductor_schemas.Conductor),
        (Gaps.columns, schemas.Gap),
        (Jobs.columns, schemas.Job),
        (Stats.columns, schemas.Stats),
    ],
)
def test_the_columns_are_what_the_api_tells(
    columns: Sequence[Column], model: type[BaseModel]
) -> None:
    assert [column.name for column in columns] == names_of(model)


def test_the_fields_of_a_job_are_what_the_api_tells() -> None:
    expected = {*names_of(schemas.JobInFull), "changes", "left_out", "others"}
    assert {column.name for column in job.COLUMNS} == expected


@pytest.mark.parametrize(
    ("cuts", "shown"),
    [
        ([], "-"),
        ([{"pointer": "/details/a", "kept": 63, "size": 9000}], "/details/a: 63 of 9000 kept"),
        ([{"pointer": "", "kept": 2, "size": None}], "the whole payload: 2 kept"),
        (
            [{"pointer": f"/details/\x1b[2J{n}", "kept": n, "size": 5} for n in range(2)],
            "/details/\\x1b[2J0: 0 of 5 kept\n/details/\\x1b[2J1: 1 of 5 kept",
        ),
        ("no list", "no list"),
    ],
)
def test_where_a_payload_was_cut_is_a_line_each(cuts: object, shown: str) -> None:
    assert job._cuts(cuts, NOW) == shown
