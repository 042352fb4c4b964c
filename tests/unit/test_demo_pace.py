"""No job on a demo's board goes through two operations in one moment."""

import pytest

from demo import pace as paces
from demo.pace import PACE, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(paces, "time", clock)
    return clock


def test_a_job_that_is_seen_first_is_left_alone_for_a_moment(clock: Clock) -> None:
    pace = Pace()

    assert pace.left("job1") == pytest.approx(PACE)
    clock.now += PACE / 2
    assert pace.left("job1") == pytest.approx(PACE / 2)
    clock.now += PACE
    assert pace.left("job1") == 0


def test_each_touch_begins_a_new_moment_for_that_job_alone(clock: Clock) -> None:
    pace = Pace()
    pace.touch("job1")
    pace.touch("job2")
    clock.now += PACE * 2
    pace.touch("job1")

    assert pace.left("job1") == pytest.approx(PACE)
    assert pace.left("job2") == 0


def test_it_forgets_the_jobs_of_long_ago(clock: Clock) -> None:
    pace = Pace()
    for number in range(paces._REMEMBERED * 2):
        pace.touch(f"job{number}")
    clock.now += PACE * 2

    assert len(pace._touched) <= paces._REMEMBERED
    assert pace.left(f"job{number}") == 0
