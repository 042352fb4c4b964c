"""Server-sent events, decoded from whatever pieces they come in."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cli.events import MAX_LINE, Event, decode
from canary.errors import CanaryError

STREAM = (
    b"retry: 1000\n\n"
    b": still here\n\n"
    b'event: board\ndata: {"path": "/a"}\n\n'
    b'id: 7\nevent: change\ndata: {"kind": "posted"}\n\n'
    b"id: 8\n\n"
    b'event: change\ndata: {"kind":\ndata: "claimed"}\nid: 9\n\n'
    b"event: change\ndata: no json\nid: 10\n\n"
    b'data:{"x": 1}\n\n'
    b'id: 11\nevent: change\ndata: {"cut": "off'
)
EVENTS = [
    Event("board", {"path": "/a"}, None),
    Event("change", {"kind": "posted"}, "7"),
    Event("", None, "8"),
    Event("change", {"kind": "claimed"}, "9"),
    Event("message", {"x": 1}, None),
]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Return ``stream`` cut at ``places``."""
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, 10_000)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_wherever_it_is_cut_and_however_lines_end(places: list[int], end: bytes) -> None:
    stream = STREAM.replace(b"\n", end)
    assert list(decode(cut(stream, places))) == EVENTS


def test_an_event_is_told_as_soon_as_it_is_whole() -> None:
    sent: list[bytes] = []

    def chunks() -> Any:
        for chunk in (b"data: 1\n", b"\n", b"data: 2\n\n", b"data: 3"):
            sent.append(chunk)
            yield chunk

    events = decode(chunks())
    assert next(events) == Event("message", 1, None)
    assert sent == [b"data: 1\n", b"\n"]
    assert [event.data for event in events] == [2]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers())))
def test_what_json_holds_comes_through(told: list[dict[str, Any]]) -> None:
    stream = b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in told)
    assert [event.data for event in decode([stream])] == told


def test_bytes_that_are_no_stream_end_in_an_error() -> None:
    with pytest.raises(CanaryError, match="that is too long"):
        list(decode(b"x" * 2**20 for _ in range(MAX_LINE // 2**20 + 2)))
