"""What `canary.logs.output` writes for events that mean well, and for those that do not."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.logs import output
from tests.unit.cost import costs_less

LOG = logging.getLogger("canary.test")
HOSTILE = "a\nb\r\x1b[31m\x00\x9b\u2028\u202e\ud800"
ESCAPED = r"a\nb\r\x1b[31m\x00\x9b\u2028\u202e\ud800"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    libraries = {name: logging.getLogger(name).level for name in output._CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in libraries.items():
        logging.getLogger(name).setLevel(was)


def started(style: str, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    output.setup(level, style, stream)
    return stream


def fail(message: str) -> None:
    try:
        raise ValueError(message)  # noqa: TRY301 -- so that there is a traceback
    except ValueError:
        LOG.exception("it failed")


def test_text_is_one_line_an_event() -> None:
    stream = started("text")
    LOG.info("watching %d jobs", 3, extra={"board": "/a/jobs", "epoch": 7, "other": 1})
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO canary\.test watching 3 jobs "
        r"board=/a/jobs epoch=7\n",
        stream.getvalue(),
    )


def test_json_is_one_object_an_event() -> None:
    stream = started("json")
    LOG.warning("n", extra={"board": "/a", "job": "job1", "epoch": 2**60, "revision": 0})
    event = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
    assert event == {
        "level": "WARNING",
        "logger": "canary.test",
        "message": "n",
        "board": "/a",
        "job": "job1",
        "epoch": 2**60,
        "revision": 0,
    }


def test_the_time_is_that_of_the_event_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        record = logging.makeLogRecord({"name": "n", "created": 0.0015, "msg": "m"})
        assert output._Text().format(record).startswith("1970-01-01T00:00:00.001Z ")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hostile_text_stays_on_its_line() -> None:
    stream = started("text")
    LOG.info("payload %s", HOSTILE, extra={"job": HOSTILE, "board": 'x" epoch=9'})
    line = stream.getvalue().removesuffix("\n")
    assert f"payload {ESCAPED} " in line
    assert line.isprintable()
    assert r'board="x\" epoch=9"' in line


def test_hostile_json_stays_on_its_line() -> None:
    stream = started("json")
    LOG.info("payload %s", HOSTILE)
    line = stream.getvalue().removesuffix("\n")
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"payload {HOSTILE}"


@given(st.text(), st.sampled_from(["text", "json"]))
def test_no_message_makes_a_second_line(message: str, style: str) -> None:
    stream = started(style)
    LOG.info("%s", message, extra={"job": message})
    assert stream.getvalue().endswith("\n")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_traceback_in_text_is_indented() -> None:
    stream = started("text")
    fail("first\n2026-01-01T00:00:00.000Z INFO forged \x1b[0m")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR canary.test it failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert rest[-1] == r"    2026-01-01T00:00:00.000Z INFO forged \x1b[0m"


def test_a_traceback_in_json_is_a_field() -> None:
    stream = started("json")
    fail("why")
    assert json.loads(stream.getvalue())["exception"].endswith("ValueError: why")


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_password_of_a_uri_is_written(style: str) -> None:
    stream = started(style)
    uri = "mongodb://user:hunter2@h1:27017,h2/?a=b"
    LOG.error("cannot reach %s", uri, extra={"board": uri})
    fail(f"no route to ({uri!r})")
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("mongodb://***@h1:27017,h2/?a=b") == 3


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mongodb://u:p@h/", "mongodb://***@h/"),
        ("mongodb+srv://u:p@ss/w@h", "mongodb+srv://***@h"),
        ("a mongodb://u:p://x@h b", "a mongodb://***@h b"),
        ("http://h/jobs and mail@example.org", "http://h/jobs and mail@example.org"),
        ("job@host:42", "job@host:42"),
        ("a@b://c", "a@b://c"),
        ("://@", "://@"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("x -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- y", "x *** y"),
        ("check [zookeeper] password: it is empty", "check [zookeeper] password: it is empty"),
    ],
)
def test_what_is_masked(text: str, masked: str) -> None:
    assert output.redact(text) == masked


def test_masking_takes_time_in_proportion() -> None:
    # A pattern that goes back would take minutes.
    assert costs_less(lambda: output.redact("a://" * 500_000), 2.0)


def test_a_line_has_a_bound() -> None:
    stream = started("text")
    LOG.info("x" * 1_000_000)
    assert len(stream.getvalue()) < 10_000
    assert "(992000 more characters)" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [("DEBUG", 10, 10), ("INFO", 20, 30), ("WARNING", 30, 30), ("ERROR", 40, 40)],
)
def test_libraries_are_quiet_unless_debugged(level: str, ours: int, theirs: int) -> None:
    started("text", level)
    assert LOG.getEffectiveLevel() == ours
    assert logging.getLogger("kazoo.client").getEffectiveLevel() == theirs
    assert logging.getLogger("taskflow.engines").getEffectiveLevel() == theirs


def test_setup_again_replaces_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first, err = started("text"), io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    output.setup("INFO", "text")
    LOG.info("once")
    assert not first.getvalue()
    assert err.getvalue().count("once") == 1
    assert other in logging.getLogger().handlers
