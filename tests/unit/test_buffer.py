"""What is kept of the event stream, and its ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.server.stream.buffer import ReplayBuffer
from canary.server.stream.encoding import EncodedEvent, reset
from canary.stores.changestream.events import Event, EventName, identity_of, position_from

LIMIT = 5
MARK = "00112233445566AA"
OTHER_MARK = "00112233445566BB"
places = st.integers(0, 10_000).map(lambda number: f"{MARK}82{number:08X}")


def at(place: str, mark: str = MARK) -> str:
    return f"{mark}{place}"


def after(recent: ReplayBuffer, position: str) -> list[EncodedEvent]:
    return [recent.encode(number) for number in range(recent.number_after(position), recent.next)]


def told(position: str, size: int = 1) -> EncodedEvent:
    event = Event(EventName.CHANGE, "/lbaas/jobs", document={"revision": 1}, position=position)
    return EncodedEvent("change", {"x": "x" * size}, position, event)


@given(st.sets(places, min_size=1), places, st.booleans())
def test_all_behind_a_place_that_is_covered_is_kept(
    came: set[str], asked: str, reached: bool
) -> None:
    recent = ReplayBuffer(limit=LIMIT)
    first, *later = sorted(came)
    if reached:
        recent.reach(first)
    else:
        recent.add(told(first))
    for position in later:
        recent.add(told(position))
    kept = [each.position for each in after(recent, asked)] if recent.covers(asked) else None
    assert kept in (None, [position for position in later if position > asked])
    assert recent.covers(asked) == (asked >= sorted(came)[max(0, len(came) - 1 - LIMIT)])
    assert recent.end == max(came)


def test_what_comes_again_is_what_was_told() -> None:
    recent = ReplayBuffer()
    recent.reach(at("8200"))
    sent = told(at("8201"))
    recent.add(sent)
    number = recent.number_after(at("8200"))
    assert recent.encode(number) is sent
    assert recent.event(number) is sent.event


def test_numbers_go_on_whatever_is_forgotten_or_found_again() -> None:
    recent = ReplayBuffer(limit=LIMIT)
    recent.reach(at("8210"))
    for number in range(0x11, 0x18):
        recent.add(told(at(f"82{number:02X}")))
    assert (recent.first, recent.next) == (2, 7)
    recent.clear()
    assert (recent.first, recent.next) == (7, 7)
    recent.reach(at("8220"))
    recent.add(told(at("8221")))
    assert recent.extend(at("821E"), [told(at("821F")), told(at("8220"))], at("8220"))
    assert (recent.first, recent.next) == (5, 8)
    assert [recent.encode(number).position for number in (5, 6, 7)] == [
        *(at("821F"), at("8220"), at("8221"))
    ]


def test_a_place_of_other_data_is_not_covered() -> None:
    recent = ReplayBuffer()
    recent.reach(at("8200"))
    recent.add(told(at("8201")))
    assert recent.covers(at("8201"))
    assert not recent.covers(at("8201", OTHER_MARK))


def test_what_is_proven_is_so_until_all_begins_anew() -> None:
    recent = ReplayBuffer()
    recent.reach(at("8200"))
    assert not recent.is_known(at("8205")), "it is ahead of what was told"
    recent.prove(at("8205"), at("8200"))
    assert recent.is_known(at("8205"))
    recent.clear()
    recent.reach(at("8201"))
    assert not recent.is_known(at("8205"))
    recent.prove(at("8205"), at("8200"))
    assert not recent.is_known(at("8205")), "it was asked for before all began anew"


def test_what_is_no_change_and_no_gap_is_refused() -> None:
    recent = ReplayBuffer()
    recent.reach(at("8200"))
    with pytest.raises(ValueError, match="only changes and gaps come again, not reset"):
        recent.add(reset(at("8201")))


def test_no_more_bytes_than_there_may_be() -> None:
    recent = ReplayBuffer(size=1_000)
    recent.reach(at("8200"))
    recent.add(told(at("8201"), 600))
    recent.add(told(at("8202"), 600))
    assert not recent.covers(at("8200"))
    assert [each.position for each in after(recent, at("8201"))] == [at("8202")]


def test_what_was_before_is_taken_where_it_joins() -> None:
    recent = ReplayBuffer(limit=LIMIT)
    recent.reach(at("8205"))
    recent.add(told(at("8206")))
    before = [told(at("8203")), told(at("8204"))]
    assert not recent.extend(at("8202"), before, at("8204")), "something may be between"
    assert not recent.extend(at("8202"), [told(at("8203"))] * LIMIT, at("8205")), "it is too much"
    assert recent.extend(at("8202"), before, at("8205"))
    assert recent.covers(at("8202"))
    assert [each.position for each in after(recent, at("8203"))] == [at("8204"), at("8206")]
    recent.clear()
    assert not recent.covers(at("8206"))


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
