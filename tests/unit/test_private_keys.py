"""Where a private key begins and ends in a text, and in values in a row."""

from typing import Any

import pytest

from canary.model.payload.private_keys import MASK, MAX_LINE, Lines, without_private_keys

BEGIN, END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
KEY = f"{BEGIN}\nMIIB\n{END}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (KEY, MASK),
        (f"a {KEY} b", f"a {MASK} b"),
        (f"a {KEY} b {KEY} c", f"a {MASK} b {MASK} c"),
        (f"{BEGIN} MIIB", MASK),
        (f"a {BEGIN} MIIB", f"a {MASK}"),
        (f"a {KEY} b {BEGIN} MIIB", f"a {MASK} b {MASK}"),
        (f"{BEGIN} MIIB {BEGIN} MIIB", MASK),
        (f"a {BEGIN} MIIB {BEGIN} MIIB {END} b", f"a {MASK} b"),
        (f"MIIB {END} b", f"{MASK} b"),
        (f"{KEY} MIIB {END} b", f"{MASK}{MASK} b"),
        (f"-----MIIB {END} b", f"-----{MASK} b"),
        (f"a ----- b -----MIIB {END} c", f"a ----- b -----{MASK} c"),
        (f"{KEY} a -----MIIB {END} c", f"{MASK} a -----{MASK} c"),
        ("a\nPrivate-Lines: 1\nx\nPrivate-Lines: 2", f"a\n{MASK}"),
        ("a PRIVATE KEY",) * 2,
        ("a AGE-SECRET-KEY-1AB b age-secret-key-1cd c", f"a {MASK} b {MASK} c"),
    ],
)
def test_in_a_text(text: str, shown: str) -> None:
    assert without_private_keys(text) == shown


@pytest.mark.parametrize(
    ("values", "hidden"),
    [
        ([BEGIN, "MIIB", END, "x"], [False, True, True, False]),
        ([BEGIN, {"a": 1, "b": 2, "c": "MIIB"}, "x"], [False, True, True]),
        ([BEGIN, {"a": 1, "b": 2, "c": 3, "d": "MIIB"}], [False, False]),
        ([BEGIN, [1, 2, "MIIB"], "x"], [False, True, True]),
        ([BEGIN, [1, 2, 3, "MIIB"]], [False, False]),
        ([BEGIN, "a PRIVATE KEY", "MIIB"], [False, True, True]),
        (["x", "MIIB"], [False, False]),
        ([BEGIN, [1], {}, "MIIB"], [False, False, False, True]),
        ([BEGIN, 5, "MIIB"], [False, False, True]),
        ([BEGIN.rjust(MAX_LINE, "x"), "MIIB"], [False, True]),
        ([f"  {BEGIN.rjust(MAX_LINE, 'x')}\n", "MIIB"], [False, True]),
        ([BEGIN.rjust(MAX_LINE + 1, "x"), "MIIB"], [False, False]),
    ],
)
def test_in_values_in_a_row(values: list[Any], hidden: list[bool]) -> None:
    lines = Lines(strict=True)
    assert [lines.hides(value) for value in values] == hidden
    lines = Lines()
    assert [lines.hides(value) for value in values] == hidden or len(values[0]) > MAX_LINE
