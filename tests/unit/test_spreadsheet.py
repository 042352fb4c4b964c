"""What is exported as CSV computes nothing in a spreadsheet, from the server and from the CLI."""

import argparse
import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cliff.formatters.commaseparated import CSVLister
from hypothesis import given
from hypothesis import strategies as st

from canary.cli.columns import Column, Shown
from canary.cli.shown import printable
from canary.server.v2.answers import _csv
from canary.spreadsheet import guarded

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LEADS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe62", "\ufe63", "\u2212")
BEFORE = ("", " ", "  ", "\n", "\r", "\t", "\r\n", "\x0b", "\x00", "\x1b", "\xa0", "\u2028",
          "\u3000", "\ufeff", "\u200b", "\u202e", " \n\t ")  # fmt: skip
FORMULAS = [f"{before}{lead}1+1" for lead in LEADS for before in BEFORE]
HARMLESS = [
    "",
    "a=1",
    "a",
    "1-2",
    "7f=",
    "\u00e9=1",
    "{}",
    "[1]",
    "'=1",
    "(=1)",
    " a",
    "build \u202e=1",
]


#: Where a semicolon separates cells, a quote in the midst of one quotes nothing.
BEHIND_SEPARATORS = [
    ("x;=1+1", "x;'=1+1"),
    ("x; \u200b@SUM(A1);y;-2", "x; \u200b'@SUM(A1);y;'-2"),
    ('x;"=1+1', "x;\"'=1+1"),
    ("x\n+1", "x\n'+1"),
    ("x\t\uff1d1", "x\t'\uff1d1"),
    ("=1;=2", "'=1;'=2"),
    ("a;b; c=1", "a;b; c=1"),
]


@pytest.mark.parametrize(("text", "told"), BEHIND_SEPARATORS)
def test_no_part_of_a_cell_is_a_formula_where_another_sign_separates(text: str, told: str) -> None:
    assert guarded(text) == told
    assert from_server(text) == told


def test_the_server_quotes_each_text_and_hides_semicolons_of_json() -> None:
    rows = iter([{"a": "x", "b": 1, "c": {"d": ";=1"}}])
    raw = b"".join(_csv(rows, ["a", "b", "c"])).decode()
    assert raw.splitlines() == ["a,b,c", '"x",1,"{""d"": ""\\u003b=1""}"']


def from_server(value: Any) -> str:
    text = b"".join(_csv(iter([{"name": value}]), ["name"])).decode()
    [_, [cell]] = csv.reader(io.StringIO(text, newline=""))
    return cell


def from_cli(value: Any) -> str:
    parser, out = argparse.ArgumentParser(), io.StringIO(newline="")
    formatter = CSVLister()
    formatter.add_argument_group(parser)
    shown = Shown(formatter, "csv", [Column("name")], lambda: NOW)
    shown.emit_list(["name"], [[value]], out, parser.parse_args([]))
    [_, [cell]] = csv.reader(
        io.StringIO(out.getvalue(), newline=""), escapechar="\\"
    )  # as cliff writes
    return cell


SHOWN: list[tuple[Callable[[Any], str], Callable[[str], str]]] = [
    (from_server, str),
    (from_cli, printable),
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    assert guarded(text) == f"'{text}"
    for cell_of, looks in SHOWN:
        assert cell_of(text) == looks(f"'{text}")


@pytest.mark.parametrize("text", ["\t", "\r\n", "\tx", "\rx", "\nx"])
def test_a_tab_or_a_line_break_at_the_start_is_enough(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_formula_stays(text: str) -> None:
    assert guarded(text) == text
    for cell_of, looks in SHOWN:
        if text:
            assert cell_of(text) == looks(text)


@pytest.mark.parametrize(("value", "cell"), [(-5, "-5"), (-0.25, "-0.25"), (0, "0"), (7, "7")])
def test_numbers_stay_numbers(value: float, cell: str) -> None:
    for cell_of, _ in SHOWN:
        assert cell_of(value) == cell


@given(st.text())
def test_no_cell_begins_as_a_formula(text: str) -> None:
    for cell_of, _ in SHOWN:
        cell = cell_of(text).lstrip() if text else ""
        assert not cell.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
