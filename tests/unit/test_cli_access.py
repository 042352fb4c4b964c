"""Where the server is and who asks it, from options and variables."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from canary.cli.access import DEFAULT_URL, Access, access, add_options
from canary.errors import UsageError

SECRET = "hunter2"


def read(*words: str, **environ: str) -> Access:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return access(parser.parse_args(words), environ)


def test_without_anything_it_is_the_server_on_this_machine() -> None:
    assert read() == Access(DEFAULT_URL, None, None, None, verify=True)


@pytest.mark.parametrize(
    ("words", "environ", "expected"),
    [
        (["--url", "https://c:9/x/"], {}, {"url": "https://c:9/x"}),
        (["--url", "http://a"], {"CANARY_URL": "http://b"}, {"url": "http://a"}),
        ([], {"CANARY_URL": "http://b"}, {"url": "http://b"}),
        ([], {"CANARY_URL": ""}, {"url": DEFAULT_URL}),
        (["--url", "http://[::1]:8080"], {}, {"url": "http://[::1]:8080"}),
        (["--token", "a"], {"CANARY_TOKEN": "b"}, {"token": "a"}),
        ([], {"CANARY_TOKEN": "b"}, {"token": "b"}),
        (
            ["--user", "ann"],
            {"CANARY_TOKEN": "b", "CANARY_PASSWORD": "p"},
            {"user": "ann", "password": "p", "token": None},
        ),
        (
            ["--token", "a"],
            {"CANARY_USER": "ann", "CANARY_PASSWORD": "p"},
            {"token": "a", "user": None},
        ),
        ([], {"CANARY_USER": "ann", "CANARY_PASSWORD": ""}, {"user": "ann", "password": ""}),
        (["--insecure"], {}, {"verify": False}),
        (["--timeout", "3"], {}, {"timeout": 3.0}),
    ],
)
def test_an_option_wins_over_its_variable(
    words: list[str], environ: dict[str, str], expected: dict[str, Any]
) -> None:
    found = read(*words, **environ)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (["--url", "ftp://a"], {}, "http://host:8080"),
        (["--url", "a:8080"], {}, "http://host:8080"),
        (["--url", "http://"], {}, "http://host:8080"),
        (["--url", "http://a:x"], {}, "http://host:8080"),
        (["--url", f"http://ann:{SECRET}@a"], {}, "CANARY_PASSWORD"),
        (["--token", SECRET, "--user", "ann"], {}, "not both"),
        (["--token", f"{SECRET}\nX-Evil: 1"], {}, "The token"),
        ([], {"CANARY_TOKEN": f"{SECRET}ä"}, "The token"),
        (["--user", "ann"], {}, "CANARY_PASSWORD"),
        (["--cacert", "/nowhere"], {}, "no such file"),
        (["--cacert", __file__, "--insecure"], {}, "not both"),
        (["--timeout", "0"], {}, "--timeout"),
        (["--timeout", "nan"], {}, "--timeout"),
    ],
)
def test_what_is_wrong_is_refused_and_no_secret_is_shown(
    words: list[str], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match="(?s)" + said) as refused:
        read(*words, **environ)
    assert SECRET not in str(refused.value)


def test_a_file_of_authorities(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    assert read("--cacert", str(file)).verify == str(file)


def test_no_secret_is_in_the_repr() -> None:
    assert SECRET not in repr(Access(token=SECRET, password=SECRET))
