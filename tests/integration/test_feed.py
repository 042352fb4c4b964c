"""What a feed tells its listener of boards, without a server around it."""

import threading
from collections.abc import Iterator

import pytest
from pymongo.database import Database

from canary.model.freshness import Freshness
from canary.stores.changestream import follow as feed_module
from canary.stores.changestream.events import Event, EventName
from canary.stores.changestream.follow import Feed
from canary.stores.mongo.documents import Document
from canary.stores.queries.jobs_at import Queries
from tests.integration.test_server import KEEPS
from tests.integration.written_board import WrittenBoard, now
from tests.waiting import eventually


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def reach(self, position: str) -> None:
        """Positions are the stream's affair."""

    @property
    def is_served(self) -> bool:
        told = [event.available for event in self.events if event.name is EventName.STORE]
        return told[-1:] == [True]

    def freshness(self) -> list[Freshness]:
        boards = [event.board for event in self.events if event.name is EventName.BOARD]
        return [board.freshness for board in boards if board]


@pytest.fixture
def listener(connected: Database[Document], monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Whom a feed tells that looks at nothing because it is time to."""
    monkeypatch.setattr(feed_module, "LOOK_INTERVAL", 3600.0)
    listener = Listener()
    feed = Feed(connected, Queries(connected, KEEPS), listener)
    threads = set(threading.enumerate())
    feed.start()
    yield listener
    feed.end()
    feed._look_now.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)


def test_a_silence_is_told_of_when_it_has_lasted_not_when_it_is_time_to_look(
    listener: Listener, database: Database[Document]
) -> None:
    eventually(lambda: listener.is_served, 20, why="also where there is no board")
    board = WrittenBoard(database)

    def is_told_live() -> bool:
        board.beat(lasting=0)
        board.saw(now())  # for the feed to look, and not to be late for it
        return Freshness.LIVE in listener.freshness()

    eventually(is_told_live)
    eventually(lambda: listener.freshness()[-1] is Freshness.UNWATCHED)
