"""When a board's event is sent: whenever what it says has changed, and never otherwise."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from canary.model.freshness import Freshness
from canary.server.representation import board_state
from canary.stores.changestream.follow import Feed
from canary.stores.queries.board_status import BoardNow
from tests.streamed import PATH, a_board

LATER: Final = datetime(2030, 1, 1, tzinfo=UTC)
OTHER: Final[dict[str, Any]] = {
    "registered": False,
    "epoch": 99,
    "revision": 99,
    "watcher": "another",
    "freshness": Freshness.SUSPENDED,
    "freshness_since": LATER,
    "watched_since": LATER,
    "live_until": LATER,
    "drift": 99,
    "silent_from": LATER,
    "now": LATER,
    "clock_offset": 99.0,
    "clock_off": True,
}


class Told:
    """A listener that counts."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def tell(self, event: Any) -> None:
        self.events.append(event)


@pytest.mark.parametrize("name", [each.name for each in fields(BoardNow) if each.name != "path"])
def test_it_is_sent_when_what_it_says_has_changed(name: str) -> None:
    before = a_board()
    after = replace(before, **{name: OTHER[name]})
    assert before != after
    is_said = board_state(PATH, before) != board_state(PATH, after)
    told = Told()
    feed = Feed.__new__(Feed)
    feed._boards, feed._listener = {}, told  # type: ignore[assignment]
    for each, count in ((before, 1), (before, 1), (after, 1 + is_said), (after, 1 + is_said)):
        feed._tell_boards({PATH: each})
        assert len(told.events) == count
