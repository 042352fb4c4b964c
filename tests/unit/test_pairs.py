"""Which values are secrets for what stands beside them: at each bound, both sides of it."""

from typing import Any

import pytest

from canary.model.payload.pairs import MAX_LIST, hidden_keys, rows_of, shown_entries
from canary.model.payload.private_keys import MASK
from canary.model.payload.secret_keys import SecretKeys

KEYS = SecretKeys()


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        ({"name": "password", "value": "x"}, {"value"}),
        ({"value": "x", "name": "password"}, {"value"}),
        ({"Name": "password", "VALUE": 5}, {"VALUE"}),
        ({"key": " --password: ", "value": "x"}, {"value"}),
        ({"key": "sig", "value": "x"}, {"value"}),
        ({"key": "Xsig", "value": "x"}, set()),
        ({"name": "size", "value": "x"}, set()),
        ({"name": 5, "key": "password", "value": "x"}, {"value"}),
        ({"name": "size", "key": "password", "value": "x"}, {"value"}),
        ({"title": "password", "value": "x"}, set()),
        ({"name": "token-service", "value": "x"}, set()),
        ({"name": "password", "value": None}, set()),
        ({"name": "password", "value": "x", "old": "y", "size": 5}, {"value", "old"}),
        ({"name": "password", "value": "x", "a": "b", "c": "d", "e": "f"}, {"value"}),
        ({"name": "db_password", "now": "x"}, {"now"}),
        ({"name": "db_password", "now": 5}, set()),
        ({"name": "db_password", "now": "x", "type": "str", "op": "set"}, {"now"}),
        ({"Name": "db_password", "Now": "x", "Type": "str", "Header": "h"}, {"Now"}),
        ({"name": "db_password", "now": "x", "type": "str", "op": "set", "a": 1}, set()),
        ({"name": "auth_token", "now": "x"}, set()),
        ({"kty": "RSA", "n": "x"}, {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}),
        ({"kty": 5, "name": "password", "value": "x"}, {"value"}),
        ({}, set()),
    ],
)
def test_beside_the_name_of_a_secret_in_an_object(source: dict[str, Any], hidden: set[str]) -> None:
    assert hidden_keys(source, KEYS) == hidden


def test_so_many_entries_of_an_object_are_looked_at() -> None:
    for between, hidden in ((MAX_LIST - 2, {"value"}), (MAX_LIST - 1, set())):
        others = {f"k{number}": 0 for number in range(between)}
        assert hidden_keys({"name": "password"} | others | {"value": "x"}, KEYS) == hidden
        assert hidden_keys({"value": "x"} | others | {"name": "password"}, KEYS) == hidden


def test_rows_are_lists_of_two_or_three() -> None:
    lists = [["a"] * length for length in range(6)]
    assert rows_of([*lists, "ab", {"a": 1, "b": 2}]) == {id(lists[2]), id(lists[3])}


@pytest.mark.parametrize(
    ("source", "secrets"),
    [
        (["password", "x"], {1}),
        (["password", 5], {1}),
        (["password", None], set()),
        (["size", 5], set()),
        (["password:", "x"], {1}),
        (["sig", "x1"], {1}),
        (["Xsig", "x1"], set()),
        (["password", "title"], set()),
        (["token", "a word"], set()),
        (["password", "x", 5], {1}),
        (["password", "x", "y"], set()),
        (["size", 5, "password", "x"], {3}),
        (["size", 5, "a", 6, "password", "x"], {5}),
        (["password", "x", "size", 5], {1}),
        (["password", "x", "size", 5, "a"], set()),
        (["size", "password", "a", "x"], set()),
        (["size", 5, "a", "password", "b", "x"], set()),
        ([1, 2, "password", "x"], set()),
        (["--password", "x"], {1}),
        (["--password", 5], {1}),
        (["--password", "title"], {1}),
        (["run", "--password", "x"], {2}),
        ([5, "--password", "x"], {2}),
        (["--password", "x", "--verbose"], {1}),
        (["--password", "--token", "x"], {2}),
        (["--password", "--verbose", "x"], set()),
        (["a", "b", "-p", "x"], set()),
        (["a", "--password"], set()),
        (["-----BEGIN PRIVATE KEY-----", "MIIB", "-----END PRIVATE KEY-----", "x"], {1, 2}),
        (["-----BEGIN PRIVATE KEY-----", "PRIVATE KEY", "MIIB"], {1, 2}),
        ([], set()),
    ],
)
def test_behind_the_name_of_a_secret_in_a_list(source: list[Any], secrets: set[int]) -> None:
    shown = [MASK if number in secrets else value for number, value in enumerate(source)]
    assert list(shown_entries(source, KEYS, is_row=False)) == shown


@pytest.mark.parametrize(
    ("source", "secrets"),
    [
        (["password", "x", "y"], {1}),
        (["password", "title", "y"], {1}),
        (["token", "a word"], {1}),
        (["size", "password", "y"], set()),
        (["size", "token"], set()),
    ],
)
def test_in_a_row_the_name_comes_first(source: list[Any], secrets: set[int]) -> None:
    shown = [MASK if number in secrets else value for number, value in enumerate(source)]
    assert list(shown_entries(source, KEYS, is_row=True)) == shown
