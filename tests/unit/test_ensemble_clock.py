"""What is said of ZooKeeper's clock while Canary's own stands still, and after it was set."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import gevent
import pytest
from gevent.event import Event

from canary.clock import Clock
from canary.model.changes import Change, Kind
from canary.model.state import BoardState, Step
from canary.watchers.ensemble_clock import EnsembleClock
from tests.virtual_clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600.0


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def posted(at: float, seen_at: datetime) -> Change:
    return Change(Kind.POSTED, "job0000000000", 1, 1, "u", moment(at), seen_at, creates=1)


@dataclass
class Machine:
    """A machine whose clock is ``ahead`` of MongoDB's; ZooKeeper's is right."""

    ahead: float
    seconds: float = 0.0
    clock: Clock = field(init=False)
    ensemble: EnsembleClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.seconds)
        self.clock._start = START
        self.compare()
        self.clock._start += timedelta(seconds=self.ahead)
        self.ensemble = EnsembleClock(self.ask, self.clock)

    def compare(self) -> None:
        self.clock.compare(self.seconds, moment(self.seconds))

    def ask(self) -> tuple[datetime, datetime, datetime]:
        sent = self.clock.now()
        self.seconds += 0.01
        return moment(self.seconds), sent, self.clock.now()

    def look(self, since: datetime) -> datetime:
        """See live what is posted now; ``since`` is when the board was looked at before."""
        self.seconds += 0.5
        seen_at = self.clock.now()
        change = posted(self.seconds - 0.1, seen_at)
        self.ensemble.date(Step(BoardState(), (change,), ()), since, is_era=False)
        return seen_at


@pytest.mark.parametrize("ahead", [4.0, 20.0, 59.0])
def test_a_clock_that_stands_still_blames_no_other(
    ahead: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "canary.watchers.ensemble_clock")
    machine = Machine(ahead)
    since = still = machine.clock.now()
    machine.compare()
    while machine.clock.now() == still:
        machine.ensemble.ask()
        since = machine.look(since)
        machine.seconds += 0.2
        assert not machine.ensemble.is_off
    since = machine.look(since)
    assert not machine.ensemble.is_off
    machine.ensemble.ask()
    machine.look(since)
    assert machine.ensemble.ahead == pytest.approx(0, abs=0.2)
    assert not machine.ensemble.is_off
    assert not [each for each in caplog.records if "ZooKeeper" in each.getMessage()]


def test_it_still_finds_a_clock_that_is_off_once_it_goes_on() -> None:
    machine = Machine(20)
    machine.clock.now()
    machine.compare()
    machine.ensemble.ask()
    assert machine.ensemble.ahead is None
    machine.seconds += 21
    machine.ensemble.told(moment(machine.seconds - 600), *machine.ask()[1:])
    assert machine.ensemble.is_off
    assert machine.ensemble.ahead == pytest.approx(-600, abs=0.1)


class Asking:
    """ZooKeeper's clock that is asked in virtual time; ``at`` is what it says at moment 0."""

    def __init__(self, at: datetime | None) -> None:
        self.at, self.virtual = at, VirtualClock()
        self.seconds: list[float] = []  # when it was asked
        self.clock = EnsembleClock(self.ask, self.virtual)
        self._stopping = Event()
        self._running = gevent.spawn(self.clock.run, self._stopping)

    def ask(self) -> tuple[datetime, datetime, datetime] | None:
        self.seconds.append(self.virtual.elapsed() - 1_000.0)
        return None if self.at is None else (self.at, moment(0), moment(0))

    def stop(self) -> None:
        self._stopping.set()
        self._running.get(timeout=5)


def test_a_known_clock_is_asked_every_ten_seconds() -> None:
    asking = Asking(moment(0))
    asking.virtual.advance(45.0)
    assert asking.seconds == [0.0, 10.0, 20.0, 30.0, 40.0]
    asking.stop()


def late(clock: EnsembleClock) -> None:
    """See, 100 s late, what was posted before and after a clock was set that was an hour ahead."""
    changes = (posted(10 + HOUR, moment(110)), posted(90, moment(110)))
    clock.date(Step(BoardState(), changes, ()), moment(9), is_era=False)


class TestSetAnew:
    """Of a clock that was set in a gap it is not known how, until it is asked."""

    def test_it_is_unknown_and_not_off_by_the_gap(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "canary.watchers.ensemble_clock")
        clock = EnsembleClock(lambda: (moment(111), moment(111), moment(111)))
        clock.told(moment(5 + HOUR), moment(5), moment(5))
        assert (clock.ahead, clock.is_off) == (HOUR, True)
        late(clock)
        unknown, is_off = clock.ahead, clock.is_off
        assert unknown is None
        assert is_off, "until it is known to be right"
        assert "agree again" not in caplog.text
        clock.learn()
        assert clock.ahead == 0
        assert not clock.is_off
        assert caplog.text.count("agree again") == 1

    def test_nothing_is_corrected_by_the_gap(self) -> None:
        clock = EnsembleClock()
        clock.told(moment(5 + HOUR), moment(5), moment(5))
        late(clock)
        change = posted(120 + HOUR, moment(121))  # the clock is an hour ahead again
        [found] = clock.date(Step(BoardState(), (change,), ()), moment(119), is_era=False).changes
        assert moment(119) <= found.happened_at <= moment(121)
        assert clock.here(moment(100), moment(130)) <= moment(130)

    def test_it_is_asked_at_once(self) -> None:
        asking = Asking(moment(HOUR))
        asking.virtual.advance(3.0)
        late(asking.clock)
        asking.virtual.advance(1.0)
        assert asking.seconds == [0.0, 3.0]
        asking.stop()


class TestBounded:
    """Jobs that are dated in the future say that a clock is ahead, not by how much."""

    def first_look(self, clock: EnsembleClock) -> None:
        """Find at the first look, 8 s late, what was posted by a clock an hour ahead."""
        changes = (posted(2 + HOUR, moment(10)),)
        clock.date(Step(BoardState(), changes, ()), None, is_era=False)

    def test_the_log_gives_the_bound_as_one(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = EnsembleClock()
        self.first_look(clock)
        assert (clock.ahead, clock.is_off) == (HOUR - 8, True)
        assert "ZooKeeper's clock is at least 3592.0 s ahead of MongoDB's" in caplog.text

    def test_a_look_asks_before_it_begins(self) -> None:
        clock = EnsembleClock(lambda: (moment(11 + HOUR), moment(11), moment(11)))
        self.first_look(clock)
        clock.learn()
        assert clock.ahead == HOUR

    def test_it_is_asked_again_soon(self) -> None:
        asking = Asking(None)  # this worker is not listed yet
        self.first_look(asking.clock)
        asking.virtual.advance(2.5)
        assert asking.seconds == [0.0, 1.0, 2.0]
        asking.at = moment(HOUR)
        asking.virtual.advance(0.5)
        assert asking.clock.ahead == HOUR
        asking.stop()
