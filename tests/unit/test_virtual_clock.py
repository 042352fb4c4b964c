"""The clock of the other tests: who waits is woken at the moment that is due, in order."""

import gevent
from gevent.event import Event

from tests.virtual_clock import VirtualClock


def test_sleepers_wake_in_order_and_each_at_its_moment() -> None:
    clock, woken = VirtualClock(), list[tuple[float, float]]()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        woken.append((seconds, clock.elapsed() - 1_000.0))

    for seconds in (3.0, 1.0, 2.0):
        gevent.spawn(sleep, seconds)
    clock.advance(0.9)
    assert woken == []
    clock.advance(1.2)
    assert woken == [(1.0, 1.0), (2.0, 2.0)]
    clock.advance(10.0)
    assert woken == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert clock.elapsed() == 1_012.1


def test_a_wait_ends_with_its_event_or_its_time() -> None:
    clock, event = VirtualClock(), Event()
    waits = [gevent.spawn(clock.wait, event, seconds) for seconds in (1.0, 3.0)]
    clock.advance(2.0)
    assert [wait.ready() for wait in waits] == [True, False]
    assert waits[0].get() is False
    event.set()
    gevent.idle()
    assert waits[1].get() is True
    assert clock.wait(event, 5.0), "at once"


def test_who_sleeps_again_and_again_is_not_late() -> None:
    clock, moments = VirtualClock(), list[float]()

    def beat() -> None:
        while True:
            clock.sleep(1.0)
            moments.append(clock.elapsed() - 1_000.0)

    beating = gevent.spawn(beat)
    clock.advance(5.5)
    beating.kill()
    assert moments == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_people_s_time_passes_with_it() -> None:
    clock = VirtualClock()
    before = clock.now()
    clock.advance(90.0)
    assert (clock.now() - before).total_seconds() == 90.0
