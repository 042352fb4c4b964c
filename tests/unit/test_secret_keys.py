"""Which keys name a secret, and which values under them are none: at each bound, both sides."""

import pytest

from canary.model.payload.secret_keys import MAX_KEY, SecretKeys


@pytest.mark.parametrize(
    ("key", "value", "is_secret"),
    [
        ("PWD", "/home/ann/x", False),
        ("pwd", "/tmp", False),
        ("OLDPWD", "/home/ann", False),
        ("oldpwd", r"C:\Users\ann", False),
        ("PWD", "/hunter2", True),
        ("PWD", "hunter2", True),
        ("my_pwd", "/home/ann", True),
        ("newpwd", "/home/ann", True),
        ("passwd", "/home/ann", True),
        ("PWD", "/home/".ljust(MAX_KEY, "x"), False),
        ("PWD", "/home/".ljust(MAX_KEY + 1, "x"), True),
        ("prompt_tokens", 5, False),
        ("prompt_tokens", 5.5, False),
        ("prompt_tokens", "5", True),
        ("tokens", 5, False),
        ("token", 5, True),
        ("secret_tokens", 5, True),
        ("tokens".rjust(MAX_KEY, "_"), 5, False),
        ("tokens".rjust(MAX_KEY + 1, "_"), 5, True),
        ("x" * MAX_KEY, 5, False),
        ("x" * (MAX_KEY + 1), 5, True),
        ("password", None, False),
        ("password", False, False),
        ("password", [], False),
        ("password", {}, False),
        ("password", 0, True),
        ("password", "", True),
        ("password", [0], True),
    ],
)
def test_what_is_a_secret_under_a_key(key: str, value: object, *, is_secret: bool) -> None:
    assert SecretKeys().hides(key, value) == is_secret


@pytest.mark.parametrize("beside", ["fail", "failed", "skipped", "error"])
def test_what_passed_is_counted_beside_what_did_not(beside: str) -> None:
    assert not SecretKeys().hides("pass", 5, {"pass": 5, beside: 1})
    assert SecretKeys().hides("pass", 5, {"pass": 5, "name": 1})
    assert SecretKeys().hides("pass", "5", {"pass": 5, beside: 1})
    assert SecretKeys().hides("db_pass", 5, {beside: 1})


@pytest.mark.parametrize(
    ("more", "named", "others"),
    [
        ("Colour", ("colour", "COLOUR", "col_our", "co-l.our"), ("colours", "my_colour", "color")),
        ("stra\u00dfe", ("STRASSE", "Stra\u00dfe"), ("strase",)),
        ("colour*", ("colour", "COLOURS", "colour_of_it"), ("my_colour",)),
        ("*colour", ("colour", "my_COLOUR"), ("colours",)),
        ("*colour*", ("colour", "my_colours"), ("color",)),
    ],
)
def test_an_operators_own(more: str, named: tuple[str, ...], others: tuple[str, ...]) -> None:
    keys = SecretKeys([more])
    for key in named:
        assert keys.names(key)
        assert not SecretKeys().names(key)
    for key in others:
        assert not keys.names(key)
    assert keys.names("password"), "as well"
