"""Tokens: made, written into a file, found again."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.errors import ConfigError, UsageError
from canary.server.auth.credentials import Bearer, read
from canary.server.auth.tokens import make, parse


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_a_token_that_was_made_is_found_by_its_line() -> None:
    (first, line), (second, other) = make("poller"), make("poller")
    assert first != second
    tokens = parse(f"# tokens\n\n{line}\n{other}\n", "/f")
    assert tokens.owner(first) == tokens.owner(second) == "poller"
    assert tokens.owner(first[:-1]) is None
    assert tokens.owner("") is None
    assert first not in line
    assert digest(first) not in repr(tokens)


def test_a_token_can_be_sent_as_it_is() -> None:
    token, _ = make("poller")
    assert read(f"Bearer {token}") == Bearer(token)
    assert len(token) > 40


def test_a_name_may_have_a_colon() -> None:
    token, line = make("system:poller")
    assert parse(line, "/f").owner(token) == "system:poller"


@pytest.mark.parametrize("name", ["", "a\nb", "#a", "a" * 129])
def test_a_name_that_can_not_stand_in_the_file(name: str) -> None:
    with pytest.raises(UsageError, match="A token's name"):
        make(name)


@pytest.mark.parametrize(
    "line",
    [
        "hunter2",
        "poller",
        "poller:hunter2",
        f":{digest('hunter2')}",
        f"poller:{digest('hunter2').upper()}",
        f"poller:{digest('hunter2')}0",
        f"poller:{digest('hunter2')[1:]}",
    ],
)
def test_a_wrong_line_is_refused_and_not_shown(line: str) -> None:
    _, good = make("good")
    with pytest.raises(ConfigError, match=r"/f, line 2: .*--make-token") as caught:
        parse(f"{good}\n{line}\n", "/f")
    assert caught.value.option == "[auth] bearer_file"
    assert "hunter2" not in str(caught.value)
    assert digest("hunter2")[1:] not in str(caught.value)


def test_the_same_token_twice_is_refused() -> None:
    _, line = make("good")
    with pytest.raises(ConfigError, match="line 2: the same token"):
        parse(f"{line}\nother:{line.rpartition(':')[2]}\n", "/f")


@given(st.text())
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    told = ""
    try:
        parse(text, "/f")
    except ConfigError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1
