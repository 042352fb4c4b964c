"""Which requests are logged, at which level, and what of them."""

import logging
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.server.http import access_log
from canary.server.http.access_log import EVENTS, AccessLog
from canary.server.protection.gate import CALLER
from tests.virtual_clock import VirtualClock


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def answer(
    caplog: pytest.LogCaptureFixture,
    status: str = "200 OK",
    query: str = "",
    path: str = "/v2/jobs",
    is_all: bool = False,
    lasting: float = 0.0,
    environ: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the one record that a request leaves."""
    request = SimpleNamespace(method="GET", path=path)
    clock = VirtualClock()
    log = AccessLog(is_all, clock)
    log.begin(None, request)
    clock.advance(lasting)
    response = SimpleNamespace(status=status, sent=7)
    log.end(None, request, {"QUERY_STRING": query, **(environ or {})}, response)
    [record] = caplog.records
    caplog.clear()
    return vars(record)


def test_what_is_notable(caplog: pytest.LogCaptureFixture) -> None:
    assert answer(caplog)["levelno"] == logging.DEBUG
    assert answer(caplog, is_all=True)["levelno"] == logging.INFO
    assert answer(caplog, status="304 NOT MODIFIED")["levelno"] == logging.DEBUG
    for status in ("400 BAD REQUEST", "401 UNAUTHORIZED", "503 SERVICE UNAVAILABLE"):
        assert answer(caplog, status=status)["levelno"] == logging.INFO
    quick, slow = answer(caplog, lasting=0.99), answer(caplog, lasting=1.0)
    assert (quick["levelno"], quick["ms"]) == (logging.DEBUG, 990)
    assert (slow["levelno"], slow["ms"]) == (logging.INFO, 1000)
    stream = answer(caplog, lasting=3600, environ={EVENTS: 5})
    assert (stream["msg"], stream["levelno"], stream["events"]) == ("stream ended", 20, 5)


def test_what_is_written(caplog: pytest.LogCaptureFixture) -> None:
    record = answer(
        caplog,
        query="path=%2Flbaas%2Fjobs&x=1",
        environ={CALLER: "ann", "REMOTE_ADDR": "192.0.2.7"},
    )
    assert {name: record[name] for name in ("method", "path", "status", "bytes")} == {
        "method": "GET",
        "path": "/v2/jobs",
        "status": 200,
        "bytes": 7,
    }
    assert (record["client"], record["user"], record["board"]) == (
        "192.0.2.7",
        "ann",
        "/lbaas/jobs",
    )
    assert "x=1" not in str(record)
    assert len(answer(caplog, path="/" + "x" * 8000)["path"]) < 300


@pytest.mark.parametrize(
    "query",
    ["", "path", "path=", "path=a", "path=/a&path=/b", "path=%00", "path=/a%0Ab", "&" * 8000],
)
def test_only_a_board_is_written_of_a_query(caplog: pytest.LogCaptureFixture, query: str) -> None:
    assert answer(caplog, query=query)["board"] is None


@given(st.text())
def test_whatever_is_asked_what_is_written_is_a_path_or_nothing(text: str) -> None:
    for query in (text, f"path={text}", f"path={quote(text, errors='replace')}"):
        board = access_log._board(query)
        assert board is None or board.startswith("/")


def test_what_was_not_answered_is_left_to_others(caplog: pytest.LogCaptureFixture) -> None:
    log, request = AccessLog(is_all=True), SimpleNamespace(method="GET", path="/")
    log.begin(None, request)
    log.end(None, request, {}, None)
    log.end(None, request, {}, SimpleNamespace(status=None))
    assert not caplog.records
