"""Whether MongoDB answers: how long an answer is valid, and who waits for which."""

import gevent
import pytest
from gevent.event import Event

from canary.errors import StoreRefused, StoreUnavailable
from canary.server.presence import FRESH, KNOWN, Presence
from tests.virtual_clock import VirtualClock


class MongoDB:
    """A MongoDB that is pinged: it answers ``error``, once ``goes_on`` is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.pings = 0
        self.goes_on = Event()
        self.goes_on.set()

    def ping(self, timeout: float) -> None:
        self.pings += 1
        if not self.goes_on.wait(timeout):
            raise StoreUnavailable("frozen")
        if self.error is not None:
            raise self.error


@pytest.fixture
def mongodb() -> MongoDB:
    return MongoDB()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def presence(mongodb: MongoDB, clock: VirtualClock) -> Presence:
    return Presence(mongodb.ping, clock)


def test_a_success_is_valid_for_a_quarter_of_a_second(
    presence: Presence, mongodb: MongoDB, clock: VirtualClock
) -> None:
    presence.check()
    clock.advance(FRESH - 0.01)
    presence.check()
    assert mongodb.pings == 1
    clock.advance(0.01)
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
    assert len(gevent.joinall(asking, timeout=1)) == 5, "each has heard what is known"
    assert {str(each.exception) for each in asking} == {"away"}
    assert mongodb.pings == 2, "one for all of them"

    clock.advance(KNOWN)  # from now on it is not known any more
    late = gevent.spawn(presence.check)
    assert not gevent.joinall([late], timeout=0.3), "it waits for the ping"
    mongodb.error = None
    mongodb.goes_on.set()
    late.get(timeout=10)
    assert mongodb.pings == 2
