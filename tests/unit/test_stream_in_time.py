"""When the event stream sends its heartbeats and resets, and when it ends: in virtual time."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import gevent
import pytest
from flask import Flask

from canary.server import problems, v2
from canary.server.http.connection import Connection
from canary.server.stream import endpoint
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.resume import Resumption
from canary.server.stream.shares import Shares
from canary.server.v2.answers import OWN_BOARD
from canary.stores.changestream.events import Event, EventName, identity_of
from tests.streamed import change_event, place, taken
from tests.virtual_clock import VirtualClock

BEGIN = 1_000.0


class Exists:
    """MongoDB, which has every position; none of these tests reads it."""

    def __init__(self, position: str) -> None:
        self.position = position

    def read(self, *_: object) -> list[Event]:
        raise AssertionError("what the process has is not read")

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Client:
    """A client, what came to it, and after how many seconds since the beginning."""

    clock: VirtualClock
    app: Flask
    asked: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    came: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def start(self) -> "gevent.Greenlet[[], None]":
        running: gevent.Greenlet[[], None] = gevent.spawn(self._read)
        return running

    def seconds(self, name: str) -> list[float]:
        return [moment for moment, told in self.came if told["event"] == name]

    def _read(self) -> None:
        accept = {"Accept": "application/x-ndjson"}
        client = self.app.test_client()
        with client.get("/v2/stream", headers=accept, buffered=False, **self.asked) as answer:
            self.status = answer.status_code
            for part in answer.iter_encoded():
                for line in part.splitlines() if answer.status_code == 200 else ():
                    self.came.append((self.clock.elapsed() - BEGIN, json.loads(line)))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(BEGIN)


@pytest.fixture
def broadcaster(clock: VirtualClock) -> Broadcaster:
    return Broadcaster(10, clock=clock)


@pytest.fixture
def known(broadcaster: Broadcaster) -> Broadcaster:
    """Return the broadcaster, once its feed has published everything."""
    broadcaster.tell(Event(EventName.STORE))
    broadcaster.reach(place(0))
    return broadcaster


@pytest.fixture
def come(clock: VirtualClock, broadcaster: Broadcaster) -> Iterator[Callable[..., Client]]:
    app = v2.application()
    app.config[OWN_BOARD] = "/canary/jobs"
    problems.register(app)
    app.register_api(endpoint.blueprint(Resumption(broadcaster, Exists), Shares(10)))
    running = []

    def come(**asked: Any) -> Client:
        client = Client(clock, app, asked)
        running.append(client.start())
        gevent.idle()
        return client

    yield come
    broadcaster.is_ending = True
    clock.advance(10.0)
    assert all(each.ready() for each in running)


@pytest.mark.usefixtures("known")
class TestHeartbeat:
    def test_it_comes_every_two_seconds(
        self, come: Callable[..., Client], clock: VirtualClock
    ) -> None:
        client = come()
        clock.advance(20.5)
        assert client.seconds("heartbeat") == [2.0 * number for number in range(11)]
        assert {told["id"] for _, told in client.came} == {identity_of(place(0))}

    @pytest.mark.parametrize("pause", [0.3, 0.999, 1.5, 1.999])
    def test_something_comes_every_two_seconds_whatever_happens(
        self,
        come: Callable[..., Client],
        clock: VirtualClock,
        broadcaster: Broadcaster,
        pause: float,
    ) -> None:
        client = come()
        for number in range(1, 20):
            clock.advance(pause)
            broadcaster.tell(change_event(number))
        clock.advance(2.0)
        moments = [moment for moment, _ in client.came]
        assert max(after - before for before, after in pairwise(moments)) <= 2.0
        heartbeats = client.seconds("heartbeat")
        assert max(after - before for before, after in pairwise(heartbeats)) < 2.001

    def test_while_no_position_is_known_one_comes_every_second(
        self, come: Callable[..., Client], clock: VirtualClock, broadcaster: Broadcaster
    ) -> None:
        client = come()
        clock.advance(2.5)
        broadcaster.tell(Event(EventName.RESET))  # the feed has lost its position
        clock.advance(4.0)
        assert client.seconds("heartbeat") == [0.0, 2.0, 4.0, 5.0, 6.0]
        assert client.came[-1][1]["data"] == {"reached": False}
        broadcaster.reach(place(1))
        clock.advance(1.0)
        assert client.came[-1][1]["data"] == {"reached": True}


@pytest.mark.usefixtures("known")
class TestAhead:
    """Clients whose last id this process has not seen yet: another process sent it."""

    def test_who_is_ahead_for_more_than_half_a_minute_is_sent_a_reset(
        self, clock: VirtualClock, broadcaster: Broadcaster
    ) -> None:
        ahead = broadcaster.resubscribe(lambda _: True, place(3))
        clock.advance(30.0)
        assert broadcaster.place_of(ahead) is None
        assert taken(ahead) == [], "a server may lag behind another"
        clock.advance(0.1)
        broadcaster.place_of(ahead)
        assert [name for name, _ in taken(ahead)] == ["reset"]
        assert broadcaster.place_of(ahead) == place(0)

    def test_the_stream_says_so_within_a_second_of_that(
        self, come: Callable[..., Client], clock: VirtualClock
    ) -> None:
        client = come(query_string={"last_event_id": identity_of(place(3))})
        clock.advance(30.0)
        assert client.seconds("reset") == []
        clock.advance(1.0)
        assert client.seconds("reset") == [31.0]

    def test_who_is_caught_up_with_in_time_is_not(
        self, clock: VirtualClock, broadcaster: Broadcaster
    ) -> None:
        ahead = broadcaster.resubscribe(lambda _: True, place(3))
        clock.advance(29.9)
        broadcaster.reach(place(3))
        clock.advance(60.0)
        assert broadcaster.place_of(ahead) == place(3)
        assert taken(ahead) == []

    def test_nor_is_anybody_while_mongodb_is_away(
        self, clock: VirtualClock, broadcaster: Broadcaster
    ) -> None:
        ahead = broadcaster.resubscribe(lambda _: True, place(3))
        broadcaster.tell(Event(EventName.STORE, available=False))
        clock.advance(3_600.0)
        broadcaster.place_of(ahead)
        assert [name for name, _ in taken(ahead)] == ["store"]


@pytest.mark.parametrize("after", [0.0, 0.4, 1.9])
@pytest.mark.usefixtures("known")
def test_a_stream_ends_within_a_second_of_the_word(
    come: Callable[..., Client], clock: VirtualClock, broadcaster: Broadcaster, after: float
) -> None:
    client, judging = come(), gevent.spawn(broadcaster.judge)
    clock.advance(4.0 + after)
    broadcaster.is_ending = True
    count = len(client.came)
    clock.advance(1.0)
    assert broadcaster.size == 0
    assert len(client.came) - count <= 1
    assert judging.ready()


def test_who_comes_before_the_boards_are_known_waits_for_five_seconds(
    come: Callable[..., Client], clock: VirtualClock
) -> None:
    client = come()
    clock.advance(4.9)
    assert client.status is None
    clock.advance(0.1)
    assert client.status == 503


def test_who_waits_is_served_as_soon_as_they_are_known(
    come: Callable[..., Client], clock: VirtualClock, broadcaster: Broadcaster
) -> None:
    client = come()
    clock.advance(2.5)
    broadcaster.tell(Event(EventName.STORE))
    clock.advance(2.25)
    assert client.status is None, "it is not known yet where that is"
    broadcaster.reach(place(0))
    clock.advance(0.0)
    assert client.status == 200
    assert client.seconds("heartbeat") == [4.75]


@pytest.mark.usefixtures("known")
def test_a_client_of_the_stream_may_take_nothing_for_a_minute(
    come: Callable[..., Client],
) -> None:
    class Told(Connection):
        def __init__(self) -> None:
            self.patience = 20.0

        def set_patience(self, seconds: float) -> None:
            self.patience = seconds

    connection = Told()
    come(environ_overrides={"gunicorn.socket": connection})
    assert connection.patience == 60.0
