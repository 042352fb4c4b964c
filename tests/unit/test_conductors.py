"""What a conductor's znode says is hostile; what is made of it can be stored."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.conductors import MAX_PID, Conductor, Holder, conductor, holder_of
from canary.model.payload import payload

SINCE = datetime(2026, 1, 2, tzinfo=UTC)


def said(metadata: object) -> bytes:
    return json.dumps({"kind": "conductor", "name": "ann@h:7", "metadata": metadata}).encode()


def read(data: bytes) -> tuple[str | None, int | None]:
    made = conductor("ann@h:7", data, SINCE, -5)
    assert (made.name, made.since, made.session) == ("ann@h:7", SINCE, -5)
    return made.host, made.pid


def test_what_taskflow_writes() -> None:
    found = conductor("ann@h:7", said({"hostname": "h", "pid": 7}), SINCE, 9)
    assert found == Conductor("ann@h:7", "h", 7, SINCE, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"null",
        b"[]",
        b"7",
        b'"metadata"',
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        b'{"metadata": ' + b"9" * 5_000 + b"}",
        said(None),
        said([]),
        said("h"),
        said({"hostname": 7, "pid": "7"}),
        said({"hostname": None, "pid": True}),
        said({"hostname": ["h"], "pid": 7.0}),
        said({"pid": -1}),
        said({"pid": MAX_PID + 1}),
        said({"pid": float("inf")}),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_garbage_says_nothing(data: bytes) -> None:
    assert read(data) == (None, None)


def test_half_of_it_may_be_garbage() -> None:
    assert read(said({"hostname": "h", "pid": "x"})) == ("h", None)
    assert read(said({"hostname": 7, "pid": MAX_PID})) == (None, MAX_PID)


def test_a_host_is_bounded_and_storable() -> None:
    host, _ = read(said({"hostname": "h" * 5_000}))
    assert host is not None
    assert len(host) == payload.MAX_NAME
    host, _ = read(said({"hostname": "\ud800"}))
    assert host == "\\ud800"


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(said))
def test_whatever_it_holds_it_never_raises(data: bytes) -> None:
    host, pid = read(data)
    assert host is None or host.encode("utf-8")
    assert pid is None or 0 <= pid <= MAX_PID


@pytest.mark.parametrize(
    ("session", "is_known", "holder", "is_alive"),
    [
        (0, True, Holder.ORPHANED, False),  # a plain znode
        (-(2**63), True, Holder.ORPHANED, False),  # a container
        (0, False, Holder.ORPHANED, False),
        (1, True, Holder.UNREGISTERED, True),
        (-1, True, Holder.UNREGISTERED, True),
        (1, False, Holder.UNKNOWN, None),
        (None, True, Holder.UNKNOWN, None),
        (None, False, Holder.UNKNOWN, None),
    ],
)
def test_whose_a_claim_is_that_no_registered_conductor_holds(
    session: int | None, *, is_known: bool, holder: Holder, is_alive: bool | None
) -> None:
    assert holder_of(session, is_known=is_known) is holder
    assert holder.is_alive is is_alive
    assert Holder.REGISTERED.is_alive
