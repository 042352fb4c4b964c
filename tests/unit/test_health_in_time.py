"""``/readyz`` answers in time, whatever hangs: in virtual time."""

from dataclasses import dataclass, field
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from canary.errors import StoreUnavailable
from canary.server.health import Health
from tests.streamed import a_board
from tests.virtual_clock import VirtualClock

OK = {"ready": True}
LATE = {"ready": False, "reason": "no answer within 2 s"}


@dataclass
class Server:
    """A server: it answers after ``way`` seconds, or never, and may notice the limit or not."""

    clock: VirtualClock
    way: float = 0.01
    is_frozen: bool = False
    notices: bool = True
    asked: int = 0
    mended: Event = field(default_factory=Event)

    def check(self, timeout: float) -> None:
        self.asked += 1
        if not self.is_frozen:
            self.clock.sleep(self.way)
        elif not self.clock.wait(self.mended, timeout if self.notices else 1e9):
            raise StoreUnavailable("frozen")

    def boards(self, timeout: float) -> list[Any]:
        self.check(timeout)
        return [a_board()]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def mongodb(clock: VirtualClock) -> Server:
    return Server(clock)


@pytest.fixture
def zookeeper(clock: VirtualClock) -> Server:
    return Server(clock)


@pytest.fixture
def health(mongodb: Server, zookeeper: Server, clock: VirtualClock) -> Health:
    return Health(cast("Any", mongodb), {"zookeeper": zookeeper.check}, clock)


def test_the_checks_run_beside_each_other(
    health: Health, mongodb: Server, zookeeper: Server, clock: VirtualClock
) -> None:
    mongodb.way, zookeeper.way = 1.5, 1.4
    asking = gevent.spawn(health.report)
    clock.advance(1.4)
    assert not asking.ready()
    clock.advance(0.1)
    report = {"ready": True, "mongodb": OK, "zookeeper": OK, "boards": {"live": 1}}
    assert asking.get(timeout=0) == report


def test_what_hangs_is_said_to_after_two_and_a_half_seconds(
    health: Health, zookeeper: Server, clock: VirtualClock
) -> None:
    zookeeper.is_frozen, zookeeper.notices = True, False
    asking = [gevent.spawn(health.report) for _ in range(10)]
    clock.advance(2.4)
    assert not any(each.ready() for each in asking)
    clock.advance(0.1)
    report = {"ready": True, "mongodb": OK, "zookeeper": LATE, "boards": {"live": 1}}
    assert [each.get(timeout=0) for each in asking] == [report] * 10
    assert zookeeper.asked == 1
    zookeeper.mended.set()


def test_without_mongodb_it_takes_no_longer(
    health: Health, mongodb: Server, clock: VirtualClock
) -> None:
    mongodb.is_frozen = True
    asking = gevent.spawn(health.report)
    clock.advance(2.5)
    report = asking.get(timeout=0)
    assert (report["ready"], report["boards"], report["zookeeper"]) == (False, {}, OK)
    assert report["mongodb"] == {"ready": False, "reason": "frozen"}
