"""Whether MongoDB answers: how long an answer is valid, and who waits for which."""

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from canary.errors import StoreRefused, StoreUnavailable
from canary.server.presence import KNOWN, PING_LIMIT, QUICK, Presence
from tests.virtual_clock import VirtualClock


class MongoDB:
    """A MongoDB that is pinged: it answers ``error``, once ``goes_on`` is set."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.error: Exception | None = None
        self.pings = 0
        self.goes_on = Event()
        self.goes_on.set()

    def ping(self, timeout: float) -> None:
        self.pings += 1
        if not self._clock.wait(self.goes_on, timeout):
            raise StoreUnavailable("frozen")
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def mongodb(clock: VirtualClock) -> MongoDB:
    return MongoDB(clock)


@pytest.fixture
def presence(mongodb: MongoDB, clock: VirtualClock) -> Presence:
    return Presence(mongodb.ping, clock)


def test_a_success_is_valid_for_a_quarter_of_a_second(
    presence: Presence, mongodb: MongoDB, clock: VirtualClock
) -> None:
    presence.check()
    clock.advance(0.249)
    presence.check()
    assert mongodb.pings == 1
    clock.advance(0.001)
    presence.check()
    assert mongodb.pings == 2


def test_a_failure_is_told_and_the_next_request_after_it_is_served(
    presence: Presence, mongodb: MongoDB
) -> None:
    mongodb.error = StoreRefused("wrong password")
    for _ in range(2):
        with pytest.raises(StoreRefused, match="wrong password"):
            presence.check()
    mongodb.error = None
    presence.check()
    assert mongodb.pings == 3


def test_a_ping_that_fails_itself_is_logged_and_told(
    presence: Presence, mongodb: MongoDB, caplog: pytest.LogCaptureFixture
) -> None:
    mongodb.error = ZeroDivisionError("secret")
    with pytest.raises(StoreUnavailable, match="see the log"):
        presence.check()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_while_a_failure_is_known_nobody_waits_for_a_ping_that_hangs(
    presence: Presence, mongodb: MongoDB, clock: VirtualClock
) -> None:
    mongodb.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable, match="away"):
        presence.check()
    mongodb.goes_on.clear()
    asking = [gevent.spawn(presence.check) for _ in range(5)]
    clock.advance(QUICK)
    assert len(gevent.joinall(asking, timeout=1)) == 5, "each has heard what is known"
    assert {str(each.exception) for each in asking} == {"away"}
    assert mongodb.pings == 2, "one for all of them"

    clock.advance(PING_LIMIT - QUICK)  # the ping ends
    clock.advance(KNOWN)  # from now on it is not known any more
    late = gevent.spawn(presence.check)
    clock.advance(QUICK + 0.1)
    assert not late.ready(), "it waits for the ping"
    mongodb.error = None
    mongodb.goes_on.set()
    late.get(timeout=10)
    assert mongodb.pings == 3


def test_a_frozen_mongodb_is_told_within_the_promised_time(
    mongodb: MongoDB, clock: VirtualClock
) -> None:
    def hang(_limit: float) -> None:
        clock.wait(mongodb.goes_on, 60.0)

    mongodb.goes_on.clear()
    pings: list[tuple[Callable[[float], None], float]] = [(mongodb.ping, 2.0), (hang, 2.2)]
    for ping, limit in pings:
        asking: gevent.Greenlet[[], None] = gevent.spawn(Presence(ping, clock).check)
        clock.advance(limit - 0.01)
        assert not asking.ready(), "it may be slow"
        clock.advance(0.01)
        with pytest.raises(StoreUnavailable):
            asking.get(timeout=0)
