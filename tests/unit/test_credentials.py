"""What a request's Authorization is taken for; hostile ones above all."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.server.auth.credentials import MAX_NAME, Basic, Bearer, is_name, read


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (basic(b"ann:secret"), Basic("ann", b"secret")),
        (basic(b"ann:se:cr:et"), Basic("ann", b"se:cr:et")),
        (basic(b"ann:"), Basic("ann", b"")),
        (basic("jürgen:gänse".encode()), Basic("jürgen", "gänse".encode())),
        (basic(b"ann:\xff\x00"), Basic("ann", b"\xff\x00")),
        ("BASIC   " + base64.b64encode(b"a:b").decode(), Basic("a", b"b")),
        ("Bearer canary_a-b_c.d~e+f/g==", Bearer("canary_a-b_c.d~e+f/g==")),
        ("bearer x", Bearer("x")),
    ],
)
def test_what_is_right(header: str, credentials: Basic | Bearer) -> None:
    assert read(header) == credentials


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic ann:secret",
        "Basic YW5u",  # no colon
        "Basic YW5uOnNlY3JldA",  # its padding is missing
        "Basic YW5u OnNlY3JldA==",
        "Basic YW5uOnNlY3JldA==,Basic YW5uOnNlY3JldA==",  # sent twice
        "Basic ÿÿÿÿ",
        basic(b":secret"),
        basic(b"\xff:secret"),
        basic(b"a\nb:secret"),
        basic("a\u202eb:secret".encode()),
        basic(b"a" * (MAX_NAME + 1) + b":secret"),
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,Bearer b",
        "Bearer =",
        "Bearer a=b",
        "Bearer \x00",
        "Digest username=ann",
        "canary_token",
    ],
)
def test_what_can_not_be_made_out(header: str | None) -> None:
    assert read(header) is None


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_nothing_is_raised_whatever_comes(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}"):
        found = read(header)
        assert found is None or (isinstance(found, Basic) and is_name(found.name)) or found


@given(st.binary())
def test_nothing_is_raised_whatever_is_encoded(data: bytes) -> None:
    found = read(basic(data))
    if found is not None:
        assert isinstance(found, Basic)
        assert found.name.encode() + b":" + found.password == data


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(read(basic(b"ann:secret")))
    assert "secret" not in repr(read("Bearer secret"))
