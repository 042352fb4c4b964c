"""How long a client that resumes may read from MongoDB: at the bounds, in virtual time."""

import json
from collections.abc import Callable

import pytest

from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.encoding import JSON_LINES, EncodedEvent, Heartbeat
from canary.server.stream.resume import CatchUp, Resumption
from canary.server.stream.subscription import Subscription
from canary.stores.changestream.events import Event, EventName, identity_of
from tests.streamed import change_event, number_of, place
from tests.virtual_clock import SoloClock

CALL = 0.01  # seconds that MongoDB needs for any call
MISSED = 5_000  # events that the client missed


class SlowReplay:
    """MongoDB, which needs ``pause`` seconds for each event."""

    def __init__(self, clock: SoloClock, position: str, pause: float) -> None:
        self.position, self._clock, self._pause = position, clock, pause
        self.is_closed = False

    def read(self, until: str, limit: int, _size: int, deadline: float) -> list[Event]:
        self._clock.sleep(CALL)
        found: list[Event] = []
        while self.position < until and len(found) < limit and self._clock.elapsed() < deadline:
            self._clock.sleep(self._pause)
            found.append(change_event(number_of(self.position) + 1))
            self.position = found[-1].position or ""
        return found

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> SoloClock:
    return SoloClock()


@pytest.fixture
def broadcaster(clock: SoloClock) -> Broadcaster:
    broadcaster = Broadcaster(10, clock=clock)
    broadcaster.tell(Event(EventName.STORE))
    broadcaster.reach(place(MISSED))
    return broadcaster


Resume = Callable[[float], tuple[Subscription, CatchUp | None, SlowReplay]]


@pytest.fixture
def resume(clock: SoloClock, broadcaster: Broadcaster) -> Resume:
    def resume(pause: float) -> tuple[Subscription, CatchUp | None, SlowReplay]:
        opened: list[SlowReplay] = []

        def open_replay(position: str) -> SlowReplay:
            opened.append(SlowReplay(clock, position, pause))
            return opened[-1]

        resumption = Resumption(broadcaster, open_replay)
        subscription, catch_up = resumption.resume(lambda _: True, identity_of(place(0)))
        return subscription, catch_up, opened[0]

    return resume


def test_what_is_read_within_five_seconds_is_kept_for_all(resume: Resume) -> None:
    subscription, catch_up, replay = resume(4.9 / MISSED)
    assert catch_up is None
    assert subscription.is_joined
    assert replay.is_closed


def test_nobody_waits_longer_for_that(clock: SoloClock, resume: Resume) -> None:
    begun = clock.elapsed()
    _, catch_up, _ = resume(0.1)
    assert 5.0 <= clock.elapsed() - begun <= 5.0 + 0.1 + CALL
    assert catch_up is not None
    catch_up.close()


@pytest.mark.parametrize("pause", [0.02, 0.1, 2.0])
def test_who_catches_up_for_a_minute_is_cut_off_and_keeps_what_it_has(
    clock: SoloClock, resume: Resume, broadcaster: Broadcaster, pause: float
) -> None:
    subscription, catch_up, replay = resume(pause)
    assert catch_up is not None
    begun, came, ids = clock.elapsed(), list[int](), list[str]()
    for piece in catch_up.pieces(subscription):
        for told in piece:
            if isinstance(told, Heartbeat):
                ids.append(json.loads(told.sent(JSON_LINES))["id"])
            elif told.position:
                came.append(number_of(told.position))
        assert not subscription.is_over
    assert 60.0 < clock.elapsed() - begun < 60.0 + pause + 2 * CALL
    assert came == list(range(1, len(came) + 1)), "each once"
    assert ids[-1] == identity_of(place(len(came))), "where it can resume"
    [last] = subscription.take(0) or []
    assert isinstance(last, EncodedEvent)
    assert (last.name, "more than 60 s" in last.data) == ("dropped", True)
    assert replay.is_closed
    assert broadcaster.size == 0


def test_who_catches_up_in_time_goes_on_with_what_comes(
    resume: Resume, broadcaster: Broadcaster
) -> None:
    subscription, catch_up, _ = resume(59.0 / MISSED)
    assert catch_up is not None
    pieces = [told for piece in catch_up.pieces(subscription) for told in piece]
    assert sum(isinstance(told, EncodedEvent) for told in pieces) == MISSED
    assert subscription.is_joined
    broadcaster.tell(change_event(MISSED + 1))
    assert [told.name for told in subscription.take(0) or []] == ["change"]
