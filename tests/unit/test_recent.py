"""What is kept of the event stream, and its ids."""

import json
from datetime import UTC, datetime

import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from canary.server.recent import Recent
from canary.server.telling import Telling, reset
from canary.stores.events import Event, EventName, identity_of, position_from

LIMIT = 5
places = st.integers(0, 10_000).map(lambda number: f"82{number:08X}")


def told(position: str, size: int = 1) -> Telling:
    event = Event(EventName.CHANGE, "/lbaas/jobs", document={"revision": 1}, position=position)
    return Telling("change", {"x": "x" * size}, position, event)


@given(st.sets(places, min_size=1), places, st.booleans())
def test_all_behind_a_place_that_is_covered_is_kept(
    came: set[str], asked: str, reached: bool
) -> None:
    recent = Recent(limit=LIMIT)
    first, *later = sorted(came)
    if reached:
        recent.reach(first)
    else:
        recent.add(told(first))
    for position in later:
        recent.add(told(position))
    kept = [each.position for each in recent.after(asked)] if recent.covers(asked) else None
    assert kept in (None, [position for position in later if position > asked])
    assert recent.covers(asked) == (asked >= sorted(came)[max(0, len(came) - 1 - LIMIT)])
    assert recent.end == max(came)


def test_what_comes_again_is_what_was_told_and_one_for_all() -> None:
    document = {
        "board": "/lbaas/jobs",
        "revision": Int64(7),
        "seen_at": datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC),
        "payload": {"text": "ä\n\u2028", "size": 3},
        "owner": None,
        "waited": float("inf"),
    }
    event = Event(EventName.CHANGE, "/lbaas/jobs", document=document, position="8201")
    recent = Recent()
    recent.reach("8200")
    recent.add(Telling("change", {"name": "ä\n\u2028"}, "8201", event))
    [again], [too] = recent.after("8200"), recent.after("8200")
    assert again.event == event
    assert isinstance((again.event.document or {})["revision"], Int64)
    assert (again.name, again.position) == ("change", "8201")
    assert json.loads(again.data) == {"name": "ä\n\u2028"}
    assert again is too, "as long as somebody has it"


def test_what_is_no_change_and_no_gap_is_refused() -> None:
    recent = Recent()
    recent.reach("8200")
    with pytest.raises(ValueError, match="only changes and gaps come again, not reset"):
        recent.add(reset("8201"))


def test_no_more_bytes_than_there_may_be() -> None:
    recent = Recent(size=1_000)
    recent.reach("8200")
    recent.add(told("8201", 600))
    recent.add(told("8202", 600))
    assert not recent.covers("8200")
    assert [each.position for each in recent.after("8201")] == ["8202"]


def test_what_was_before_is_taken_where_it_joins() -> None:
    recent = Recent(limit=LIMIT)
    recent.reach("8205")
    recent.add(told("8206"))
    before = [told("8203"), told("8204")]
    assert not recent.extend("8202", before, "8204"), "something may be between"
    assert not recent.extend("8202", [told("8203")] * LIMIT, "8205"), "it is too much"
    assert recent.extend("8202", before, "8205")
    assert recent.covers("8202")
    assert [each.position for each in recent.after("8203")] == ["8204", "8206"]
    recent.clear()
    assert not recent.covers("8206")


@given(st.binary(min_size=1, max_size=200))
def test_an_id_is_a_place_and_comes_back(raw: bytes) -> None:
    position = raw.hex().upper()
    identity = identity_of(position)
    assert identity.isascii()
    assert len(identity) < len(position) or len(raw) < 3
    assert position_from(identity) == position


@given(st.text())
def test_what_was_never_an_id_is_none_or_is_one(text: str) -> None:
    position = position_from(text)
    assert position is None or identity_of(position) == text


@pytest.mark.parametrize("text", ["", "=", "A", "gg==", "gg\n", "/lbaas/jobs#7", "ä", "g+g/"])
def test_no_ids(text: str) -> None:
    assert position_from(text) is None
