"""The clock that is set by MongoDB's keeps the order of what is noted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.clock import MAX_STILL, TOLERANCE, Clock
from canary.model.account import unseen
from canary.model.changes import Gap, Reason
from canary.model.observations import Listing, Stat
from canary.model.rounds import advance_missing
from canary.model.state import BoardState

MILLISECOND = timedelta(milliseconds=1)
MOMENTS = st.datetimes(timezones=st.just(UTC))


class Elapsed:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def compared(elapsed: Elapsed) -> Clock:
    """Return a clock that was compared already, and was right."""
    clock = Clock(elapsed)
    set_off(clock, elapsed, 0)
    return clock


def set_off(clock: Clock, elapsed: Elapsed, seconds: float) -> datetime:
    """Tell the clock that it is so many seconds behind, and return what the time is."""
    told = clock._measured() + timedelta(seconds=seconds)
    clock.compare(elapsed(), told)
    return told


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(-20, 20)),
        max_size=30,
    )
)
def test_it_never_goes_back_by_less_than_is_too_much_to_wait_for(
    steps: list[tuple[float, float]],
) -> None:
    elapsed = Elapsed()
    clock = compared(elapsed)
    noted = [clock.now()]
    for passed, off in steps:
        elapsed.seconds += passed
        noted.append(clock.now())
        set_off(clock, elapsed, off)
        noted.append(clock.now())
    back = [earlier - later for earlier, later in pairwise(noted) if later < earlier]
    assert all(step > MAX_STILL for step in back)


@given(st.floats(-MAX_STILL.total_seconds(), -TOLERANCE - 0.01))
def test_one_that_is_ahead_stands_still_until_it_is_right(off: float) -> None:
    elapsed = Elapsed()
    clock = compared(elapsed)
    before = clock.now()
    told = set_off(clock, elapsed, off)
    assert clock.now() == before
    assert clock.stood_still(before)
    for _ in range(3):  # a heartbeat a second: each compares again
        elapsed.seconds += 1
        told += timedelta(seconds=1)
        clock.compare(elapsed(), told)
        assert clock.now() >= before
    elapsed.seconds += MAX_STILL.total_seconds()
    told += MAX_STILL
    assert abs(clock.now() - told) <= 2 * MILLISECOND
    assert not clock.stood_still(clock.now())


@given(
    st.floats(-MAX_STILL.total_seconds(), MAX_STILL.total_seconds()).filter(
        lambda off: abs(off) > TOLERANCE + 0.01
    ),
    st.booleans(),
)
def test_the_first_comparison_sets_it_at_once(off: float, is_asked_before: bool) -> None:
    """What was noted before it is no more than when the process was started."""
    elapsed = Elapsed()
    clock = Clock(elapsed)
    if is_asked_before:
        clock.now()
    told = set_off(clock, elapsed, off)
    assert abs(clock.now() - told) <= 2 * MILLISECOND
    assert not clock.stood_still(clock.now())
    elapsed.seconds += 7
    assert abs(clock.now() - told - timedelta(seconds=7)) <= 2 * MILLISECOND


@pytest.mark.parametrize("seconds", [1.0, 59.0, 61.0, 3600.0, -61.0, -3600.0])
def test_one_that_is_behind_or_far_ahead_is_set_at_once(seconds: float) -> None:
    elapsed = Elapsed()
    clock = Clock(elapsed)
    clock.now()
    told = set_off(clock, elapsed, seconds)
    assert abs(clock.now() - told) <= 2 * MILLISECOND


def test_what_the_answer_s_way_may_explain_is_not_minded() -> None:
    elapsed = Elapsed()
    clock = Clock(elapsed)
    sent, before = elapsed(), clock.now()
    elapsed.seconds += 4
    clock.compare(sent, before + timedelta(seconds=4.4))
    assert clock.now() == before + timedelta(seconds=4)


@given(MOMENTS, MOMENTS)
def test_a_gap_never_ends_before_it_begins(one: datetime, other: datetime) -> None:
    gap = Gap(one, other, Reason.RESTART, 1, 0)
    assert gap.start <= gap.end
    assert {gap.start, gap.end} == {one, other}


@pytest.mark.parametrize("later", [timedelta(seconds=-1), timedelta(hours=-1), timedelta()])
def test_nor_where_who_looks_goes_by_a_clock_that_is_behind(later: timedelta) -> None:
    """As where a worker takes a board from one whose clock was ahead."""
    seen_at = datetime(2026, 1, 1, tzinfo=UTC)
    before = BoardState(Stat(1, 5, 0, 0), seen_at)
    listing = Listing(Stat(1, 9, 4, 0), frozenset(), seen_at + later)
    counted = unseen(before, listing, (), Reason.RESTART, is_era=False)
    assert counted is not None
    [gone] = advance_missing(before, seen_at + later).gaps
    for gap in (counted, gone):
        assert gap.start <= gap.end
        assert {gap.start, gap.end} == {seen_at, seen_at + later}
