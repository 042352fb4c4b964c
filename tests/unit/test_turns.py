"""Decoding by turns: no slice is longer than it may be, and no board waits for all of another's."""

from collections.abc import Generator
from itertools import pairwise

import gevent
import pytest

from canary.watchers.turns import SLICE, Turns
from tests.virtual_clock import VirtualClock

STEP = 0.004  # seconds of the clock that a step takes


class Clock(VirtualClock):
    """Time that passes only while something is decoded."""

    slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        gevent.sleep(0)

    def steps(self, count: int, result: str = "") -> Generator[None, None, str]:
        for _ in range(count):
            self.seconds += STEP
            yield
        self.seconds += STEP
        return result


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(clock)


def test_a_result_is_returned_and_an_error_is_raised(turns: Turns, clock: Clock) -> None:
    def failing() -> Generator[None, None, str]:
        yield
        raise ValueError("no")

    assert turns.take(clock.steps(10, "found")) == "found"
    with pytest.raises(ValueError, match="no"):
        turns.take(failing())
    assert turns.take(clock.steps(0, "next")) == "next"


def test_all_else_has_its_turn_after_each_slice(turns: Turns, clock: Clock) -> None:
    seen: list[float] = []

    def other() -> None:
        while not all(greenlet.dead for greenlet in decoding):
            seen.append(clock.seconds)
            gevent.sleep(0)

    begun = clock.seconds
    decoding = [gevent.spawn(turns.take, clock.steps(50)) for _ in range(20)]
    gevent.spawn(other).join()
    longest = max(after - before for before, after in pairwise(seen))
    assert longest <= SLICE + STEP
    assert clock.seconds - begun == pytest.approx(20 * 51 * STEP)


def test_what_is_long_takes_half_of_the_time_and_what_is_short_does_not_rest(
    turns: Turns, clock: Clock
) -> None:
    for _ in range(100):
        turns.take(clock.steps(0))
    assert clock.slept == 0
    begun = clock.seconds
    turns.take(clock.steps(1_000))
    assert clock.slept == pytest.approx(clock.seconds - begun, rel=0.02)


def test_many_small_payloads_take_turns_as_well(turns: Turns, clock: Clock) -> None:
    seen: list[float] = []

    def decode_all() -> None:
        for _ in range(100):
            turns.take(clock.steps(0))

    def other() -> None:
        while not decoding.dead:
            seen.append(clock.seconds)
            gevent.sleep(0)

    decoding = gevent.spawn(decode_all)
    gevent.spawn(other).join()
    assert max(after - before for before, after in pairwise(seen)) <= SLICE + STEP


def test_a_small_one_waits_for_a_slice_of_each_other_one(turns: Turns, clock: Clock) -> None:
    for _ in range(5):
        gevent.spawn(turns.take, clock.steps(1_000))
    gevent.sleep(0)
    begun = clock.seconds
    gevent.spawn(turns.take, clock.steps(0)).join()
    assert clock.seconds - begun <= 6 * (SLICE + STEP) + STEP


def test_who_is_ended_while_it_waits_gives_its_turn_away(turns: Turns, clock: Clock) -> None:
    first = gevent.spawn(turns.take, clock.steps(20, "first"))
    ended = [gevent.spawn(turns.take, clock.steps(20)) for _ in range(3)]
    last = gevent.spawn(turns.take, clock.steps(20, "last"))
    gevent.sleep(0)
    for greenlet in ended:
        greenlet.kill()
    assert (first.get(timeout=5), last.get(timeout=5)) == ("first", "last")
    assert turns.take(clock.steps(3, "more")) == "more"
