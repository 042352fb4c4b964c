"""Which files of passwords are taken, and what is said of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.errors import ConfigError
from canary.server.auth.htpasswd import cost, parse

# As htpasswd -nbB wrote them.
ANN = "ann:$2y$05$gepsbvnEdt8Nh96frSIaVuzY7ZL6mxzGvyjnVFsoOUgRX.e2Ql.1e"
JURGEN = "jürgen:$2y$10$Gp46JQbATCqXFTx4qujyjuox8hzysYc5Ppqq1jyBi4lIc4OZt1xdu"
PATH = "/etc/canary/pass words"


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, PATH)
    assert caught.value.option == "[auth] basic_file"
    assert PATH in str(caught.value)
    return str(caught.value)


def test_what_htpasswd_writes_is_taken() -> None:
    found = parse(f"# who may ask\n\n{ANN}\n{JURGEN}  \r\n", PATH)
    assert {name: cost(hashed) for name, hashed in found.items()} == {"ann": 5, "jürgen": 10}
    assert found["ann"] == ANN.removeprefix("ann:").encode()
    assert parse("", PATH) == {}


@pytest.mark.parametrize(
    ("hashed", "kind"),
    [
        ("$apr1$WsR6nOyA$m0GW6y5zy.zw86EReBFJd0", "MD5"),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
        ("$5$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8", "SHA-256"),
        ("$6$salt$x", "SHA-512"),
        ("rl.3StKT.4T8M", "not a valid hash"),
        ("hunter2", "not a valid hash"),
        ("", "not a valid hash"),
        ("$2x$05$gepsbvnEdt8Nh96frSIaVuzY7ZL6mxzGvyjnVFsoOUgRX.e2Ql.1e", "not a valid hash"),
        ("$2y$05$gepsbvnEdt8Nh96frSIaVuzY7ZL6mxzGvyjnVFsoOUgRX.e2Ql.1", "not a valid hash"),
        ("$2y$05$" + "a" * 53, "not a valid hash"),  # no salt ends so
        ("$2y$16$gepsbvnEdt8Nh96frSIaVuzY7ZL6mxzGvyjnVFsoOUgRX.e2Ql.1e", "the cost 16"),
        ("$2y$03$gepsbvnEdt8Nh96frSIaVuzY7ZL6mxzGvyjnVFsoOUgRX.e2Ql.1e", "the cost 3"),
    ],
)
def test_another_hash_is_refused_with_its_line_and_what_to_do(hashed: str, kind: str) -> None:
    told = refused(f"{ANN}\nbob jr:{hashed}\n")
    assert "line 2" in told
    assert kind in told
    assert "htpasswd -B '/etc/canary/pass words' 'bob jr'" in told
    assert not hashed or hashed not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hunter2\n", "line 1: there is no colon"),
        (f"{ANN}\n{ANN}\n", "line 2: 'ann' already has a line"),
        (ANN.removeprefix("ann"), "line 1: the name is empty"),
        ("a\x07" + ANN, "control character"),
        ("a" * 200 + ANN, "longer than 128"),
    ],
)
def test_a_line_that_can_not_be_used(text: str, told: str) -> None:
    said = refused(text)
    assert told in said
    assert "hunter2" not in said
    assert "gepsb" not in said


@given(st.text())
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    told = ""
    try:
        parse(text, PATH)
    except ConfigError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1
