"""Up to when a board is known, as its watch goes on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from canary.watchers.horizon import Horizon, Lag, longest
from canary.zookeeper import Pulse

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Beat:
    """All that a horizon asks of a pulse."""

    until: datetime | None = None


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def pulse() -> Beat:
    return Beat()


@pytest.fixture
def horizon(pulse: Beat) -> Horizon:
    """One of a board that was looked at after ten seconds."""
    horizon = Horizon(cast("Pulse", pulse), START)
    pulse.until = at(9)
    horizon.begin()
    horizon.end(at(10))
    return horizon


def test_a_watch_begins_with_what_was_known_before(pulse: Beat) -> None:
    horizon = Horizon(cast("Pulse", pulse), START)
    pulse.until = at(5)
    assert horizon.until() == START, "however long the pulse has been going"
    assert horizon.begin().since == START


def test_at_rest_it_moves_on_with_the_pulse(horizon: Horizon, pulse: Beat) -> None:
    assert horizon.until() == at(10)
    pulse.until = at(20)
    assert (horizon.until(), horizon.lag()) == (at(20), None)


def test_what_happens_stops_it_until_it_is_read(horizon: Horizon, pulse: Beat) -> None:
    pulse.until = at(20)
    horizon.touch()
    pulse.until = at(30)
    horizon.touch()
    assert horizon.until() == at(20)
    assert horizon.begin().since == at(20)
    assert horizon.until() == at(20), "while it is read"
    horizon.end(at(31))
    assert (horizon.until(), horizon.lag()) == (at(31), None)


def test_what_happens_while_it_is_read_is_still_to_be_read(horizon: Horizon, pulse: Beat) -> None:
    pulse.until = at(20)
    horizon.begin()
    pulse.until = at(21)
    horizon.touch()
    horizon.end(at(22))
    lag = horizon.lag()
    assert lag is not None
    assert horizon.begin().since == lag.since == at(21)


def test_what_could_not_be_read_is_still_to_be_read(horizon: Horizon, pulse: Beat) -> None:
    pulse.until = at(20)
    horizon.touch()
    horizon.begin()
    pulse.until = at(25)
    horizon.touch()
    horizon.end(None)
    assert horizon.until() == at(20)


def test_a_watch_that_may_have_been_dead_is_doubted_from_when_it_lived(
    horizon: Horizon, pulse: Beat
) -> None:
    pulse.until = at(20)
    horizon.verify()
    pulse.until = at(40)
    horizon.doubt()
    assert horizon.until() == at(20)


def test_the_longest_of_several_lags() -> None:
    assert longest(None, None) is None
    lag = Lag(at(1), at(4))
    assert longest(lag, None) is longest(None, lag) is lag
    assert longest(lag, Lag(at(2), at(3))) == Lag(at(1), at(3))


def test_what_may_not_have_been_told_is_not_known_while_it_is_read(
    horizon: Horizon, pulse: Beat
) -> None:
    pulse.until = at(20)
    horizon.touch()
    assert horizon.begin().since == at(20)
    assert horizon.widen().since == at(10), "since the last look, whatever the pulse says"
    assert horizon.until() == at(10)
    horizon.end(at(21))
    assert (horizon.until(), horizon.lag()) == (at(21), None)


def test_a_doubt_takes_back_no_other(horizon: Horizon, pulse: Beat) -> None:
    horizon.doubt()
    assert horizon.until() == at(10)
    pulse.until = at(20)
    first = horizon.begin()
    horizon.end(None)
    horizon.doubt()
    assert horizon.lag() == first
