"""How long what failed is left alone: by a clock that the test sets."""

import pytest

from canary.worker.backoff import Backoffs
from tests.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def backoffs(clock: VirtualClock) -> Backoffs:
    return Backoffs(clock)


def test_a_second_doubled_each_time_and_a_minute_at_most(
    clock: VirtualClock, backoffs: Backoffs
) -> None:
    delays = []
    for _ in range(9):
        delays.append(backoffs.failed("job", 0.1, is_its_fault=True))
        assert backoffs.left("job") == delays[-1]
        clock.advance(delays[-1])
        assert backoffs.left("job") == 0.0
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_one_that_lasted_a_minute_begins_anew(clock: VirtualClock, backoffs: Backoffs) -> None:
    assert [backoffs.failed("job", 0.1, is_its_fault=True) for _ in range(3)] == [1.0, 2.0, 4.0]
    clock.advance(100.0)
    assert backoffs.failed("job", 59.9, is_its_fault=True) == 8.0
    assert backoffs.failed("job", 60.0, is_its_fault=True) == 1.0


def test_the_fault_of_others_makes_nothing_longer(backoffs: Backoffs) -> None:
    assert [backoffs.failed("job", 0.1, is_its_fault=False) for _ in range(3)] == [1.0, 1.0, 1.0]


def test_each_has_its_own_and_is_forgotten_with_its_job(backoffs: Backoffs) -> None:
    backoffs.failed("a", 0.1, is_its_fault=True)
    backoffs.failed("a", 0.1, is_its_fault=True)
    backoffs.failed("b", 0.1, is_its_fault=True)
    assert (backoffs.left("a"), backoffs.left("b"), backoffs.left("c")) == (2.0, 1.0, 0.0)
    backoffs.forget_all_but({"b"})
    assert (backoffs.left("a"), backoffs.left("b")) == (0.0, 1.0)
    backoffs.forget()
    assert backoffs.left("b") == 0.0
