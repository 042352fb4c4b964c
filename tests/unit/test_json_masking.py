"""JSON within a text: where it begins and ends, also where it is cut, and how deep it may be."""

import json

import pytest

from canary.model.payload.json_masking import MAX_FAILURES, MAX_LEVELS, JSONMasker
from canary.model.payload.private_keys import MASK
from canary.model.payload.secret_keys import SecretKeys


def masked_text(text: str, is_end: bool) -> str:
    """Mask a word, or the beginning of it where a text is cut."""
    assert isinstance(is_end, bool)
    if is_end and "hunter2".startswith(text[-3:]) and text:
        return text[:-3] + MASK
    return text.replace("hunter2", MASK)


def whole(text: str) -> str | None:
    return JSONMasker(SecretKeys(), masked_text).whole(text)


def within(text: str) -> str:
    return JSONMasker(SecretKeys(), masked_text).within(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password":  "x"}', f'{{"password": "{MASK}"}}'),
        ('{"name":  "x"}',) * 2,
        ('["hunter2",  1]', f'["{MASK}", 1]'),
        ('{"hunter2":  1}', f'{{"{MASK}": 1}}'),
        ('"hunter2"', f'"{MASK}"'),
        ('"a\nhunter2"', rf'"a\n{MASK}"'),
        ("[1, 2.5, null, true]",) * 2,
        ("5",) * 2,
        ("", None),
        ("text", None),
        ('text {"password": "x"}', None),
        ('"hunter2', None),
        ("[not JSON]", None),
        ("{not JSON", None),
        ('["password", 5]', f'["password", "{MASK}"]'),
        ('["password", "x"]', f'["password", "{MASK}"]'),
        ('["token", "x9f8"]', f'["token", "{MASK}"]'),
        ('["token", "volume size"]',) * 2,
        ('[["token", "x y", "str"]]', f'[["token", "{MASK}", "str"]]'),
        ('["token", "x9f8", "str"]',) * 2,
        ('{"name": "password", "value": "x"}', f'{{"name": "password", "value": "{MASK}"}}'),
        ('{"name": "size", "value": "x"}',) * 2,
        ('{"session_tokens": 5}',) * 2,
        ('{"password": null}',) * 2,
        ('{"pass": 5}', f'{{"pass": "{MASK}"}}'),
        ('{"pass": 5, "fail": 6}',) * 2,
    ],
)
def test_of_what_is_json_as_a_whole(text: str, shown: str | None) -> None:
    assert whole(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "x', f'{{"password": "{MASK}"'),
        ('  {"password": "x', f'{{"password": "{MASK}"'),
        ('{"password": "x"', f'{{"password": "{MASK}"'),
        ('{"password": 5', f'{{"password": "{MASK}"'),
        ('{"name": "x", "password": 5', f'{{"name": "x", "password": "{MASK}"'),
        ('{"name": "x',) * 2,
        ('{"name":  ',) * 2,
        ('{"name"',) * 2,
        ('{"na',) * 2,
        ('{"a": [1, {"b": [2',) * 2,
        ('{"a": [1], "b": {"c": [{}',) * 2,
        ('{"a": "x hun', f'{{"a": "x {MASK}'),
        ('{"a": "hun", "b": "hun', f'{{"a": "hun", "b": "{MASK}'),
        ('{"a": "hunter2", "b": "x', f'{{"a": "{MASK}", "b": "x'),
        ('{"a": "hunter2", "b', f'{{"a": "{MASK}", "b'),
        ('{"a": "hunter2", "b"', f'{{"a": "{MASK}", "b"'),
        ('{"a": "hunter2", "b":', f'{{"a": "{MASK}", "b": '),
        ('{"a": "hunter2", "b": 5', f'{{"a": "{MASK}", "b": 5'),
        (f'{{"a": "hunter2", "b": {60 * "1"}.', f'{{"a": "{MASK}", "b": '),
        ('{"a": "hunter2", "b": tr', f'{{"a": "{MASK}", "b": '),
        ('{"a": "hunter2", "b": 5.', f'{{"a": "{MASK}", "b": '),
        ('{"a": "hunter2", "b": -', f'{{"a": "{MASK}", "b": '),
        ('{"a": "hunter2", "b": 1e+', f'{{"a": "{MASK}", "b": '),
        ('["hunter2", ', f'["{MASK}", '),
        ('["hunter2"', f'["{MASK}"'),
        ('[["hunter2"], [1', f'[["{MASK}"], [1'),
        (r'["hunter2", "a\u00', f'["{MASK}", "a'),
        (r'["hunter2", "a\u', f'["{MASK}", "a'),
        ('["hunter2", "a\\', f'["{MASK}", "a'),
        (r'["hunter2", "a\\', rf'["{MASK}", "a\\'),
        (r'["hunter2", "a\\\\', rf'["{MASK}", "a\\\\'),
        ('["hunter2", "a\\\\\\', rf'["{MASK}", "a\\'),
        (r'["hunter2", "a\\u00', rf'["{MASK}", "a\\u00'),
        (r'["hunter2", "a\\\u00', rf'["{MASK}", "a\\'),
        (r'["hunter2", "a\"', rf'["{MASK}", "a\"'),
        (r'["hunter2", "a\\"', rf'["{MASK}", "a\\"'),
        ('["hunter2 \ue000", "a', rf'["{MASK} \ue000", "a'),
        ('["hunter2", "', f'["{MASK}", "'),
        (r'["hunter2", "[{\"", {"a": "}"', rf'["{MASK}", "[{{\"", {{"a": "}}"'),
    ],
)
def test_of_json_up_to_where_it_is_cut(text: str, shown: str) -> None:
    assert whole(text) == shown
    if not text.startswith(" "):
        assert within(f"left {text}") == f"left {shown}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'a {"password": "x"} b {"password": "y"} c',
            f'a {{"password": "{MASK}"}} b {{"password": "{MASK}"}} c',
        ),
        (
            'a {"password": "x"} b {"name":  "y"} c ["hunter2"] d',
            f'a {{"password": "{MASK}"}} b {{"name":  "y"}} c ["{MASK}"] d',
        ),
        (
            'a {"password": "x"} b [[c d {"password": "y"} e [ "hunter2',
            f'a {{"password": "{MASK}"}} b [[c d {{"password": "{MASK}"}} e ["{MASK}',
        ),
        ('a { "password": "x"}', f'a {{"password": "{MASK}"}}'),
        ('a {\n"password": "x"}', f'a {{"password": "{MASK}"}}'),
        ('a [{"password": "x"}]', f'a [{{"password": "{MASK}"}}]'),
        ('a [["hunter2"]]', f'a [["{MASK}"]]'),
        ('a ["hunter2"][1]', f'a ["{MASK}"][1]'),
        ("a [1] {b} c",) * 2,
        ("",) * 2,
    ],
)
def test_of_what_is_json_in_a_text(text: str, shown: str) -> None:
    assert within(text) == shown


def test_so_many_brackets_are_looked_at_that_begin_no_json() -> None:
    wrong, right = "[[a b ", '{"password": "x"} c'
    shown = f'{{"password": "{MASK}"}} c'
    for few in range(MAX_FAILURES):
        assert within(few * wrong + right) == few * wrong + shown
    for many in (MAX_FAILURES, MAX_FAILURES + 1, 2 * MAX_FAILURES):
        assert within(many * wrong + right) == many * wrong + right


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_what_is_too_deep_is_masked_whole(opening: str, closing: str) -> None:
    for inner, shown in (("[1]", "[1]"), ('"x"', '"x"'), ("1", "1")):
        deep = opening * (MAX_LEVELS - 1) + inner + closing * (MAX_LEVELS - 1)
        assert whole(deep) == deep.replace(inner, shown)
    for inner, shown in (("[1]", f'"{MASK}"'), ('{"b": 1}', f'"{MASK}"'), ('"x"', '"x"')):
        deep = opening * MAX_LEVELS + inner + closing * MAX_LEVELS
        assert whole(deep) == deep.replace(inner, shown)
    assert whole("[" * 100_000) is None, "deeper than Python reads"


def test_a_private_key_of_a_line_in_each_string() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "of a PRIVATE KEY", "MIIB", "-----END PRIVATE KEY-----"]
    shown = [lines[0], MASK, MASK, MASK, "x"]
    assert json.loads(whole(json.dumps([*lines, "x"])) or "") == shown
    held = {f"line{number}": line for number, line in enumerate([*lines, "x"])}
    assert list(json.loads(whole(json.dumps(held)) or "").values()) == shown


def test_a_private_key_that_is_cut_begins_within_a_text_in_a_list_alone() -> None:
    long = f"{80 * 'x'} -----BEGIN PRIVATE KEY-----"
    assert whole(json.dumps([long, "MIIB"])) == json.dumps([long, MASK])
    held = json.dumps({"a": long, "b": "MIIB"})
    assert whole(held) == held
