"""Up to when a board is known, as its watch goes on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from canary.model.changes import Reason
from canary.watchers.watermark import Lag, Watermark, longest
from canary.zookeeper import Pulse

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Beat:
    """All that a watermark asks of a pulse."""

    until: datetime | None = None


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def pulse() -> Beat:
    return Beat()


@pytest.fixture
def watermark(pulse: Beat) -> Watermark:
    """One of a board that was looked at after ten seconds."""
    watermark = Watermark(cast("Pulse", pulse), START)
    pulse.until = at(9)
    watermark.begin()
    watermark.end(at(10))
    return watermark


def test_a_watch_begins_with_what_was_known_before(pulse: Beat) -> None:
    watermark = Watermark(cast("Pulse", pulse), START)
    pulse.until = at(5)
    assert watermark.until() == START, "however long the pulse has been going"
    assert watermark.begin().since == START


def test_at_rest_it_moves_on_with_the_pulse(watermark: Watermark, pulse: Beat) -> None:
    assert watermark.until() == at(10)
    pulse.until = at(20)
    assert (watermark.until(), watermark.lag()) == (at(20), None)


def test_what_happens_stops_it_until_it_is_read(watermark: Watermark, pulse: Beat) -> None:
    pulse.until = at(20)
    watermark.touch()
    pulse.until = at(30)
    watermark.touch()
    assert watermark.until() == at(20)
    assert watermark.begin().since == at(20)
    assert watermark.until() == at(20), "while it is read"
    watermark.end(at(31))
    assert (watermark.until(), watermark.lag()) == (at(31), None)


def test_what_happens_while_it_is_read_is_still_to_be_read(
    watermark: Watermark, pulse: Beat
) -> None:
    pulse.until = at(20)
    watermark.begin()
    pulse.until = at(21)
    watermark.touch()
    watermark.end(at(22))
    lag = watermark.lag()
    assert lag is not None
    assert watermark.begin().since == lag.since == at(21)


def test_what_could_not_be_read_is_still_to_be_read(watermark: Watermark, pulse: Beat) -> None:
    pulse.until = at(20)
    watermark.touch()
    watermark.begin()
    pulse.until = at(25)
    watermark.touch()
    watermark.end(None)
    assert watermark.until() == at(20)


@pytest.mark.parametrize(("seconds", "reason"), [(13.0, Reason.COALESCED), (13.001, Reason.LATE)])
def test_what_is_seen_more_than_three_seconds_after_is_late(seconds: float, reason: Reason) -> None:
    lag = Lag(at(10), at(10))
    assert lag.blame(Reason.COALESCED, at(seconds)) is reason
    assert lag.blame(Reason.HANDOVER, at(seconds)) is Reason.HANDOVER


def test_a_watch_that_may_have_been_dead_is_doubted_from_when_it_lived(
    watermark: Watermark, pulse: Beat
) -> None:
    pulse.until = at(20)
    watermark.verify()
    pulse.until = at(40)
    watermark.doubt()
    assert watermark.until() == at(20)


def test_the_longest_of_several_lags() -> None:
    assert longest(None, None) is None
    lag = Lag(at(1), at(4))
    assert longest(lag, None) is longest(None, lag) is lag
    assert longest(lag, Lag(at(2), at(3))) == Lag(at(1), at(3))


def test_what_may_not_have_been_told_is_not_known_while_it_is_read(
    watermark: Watermark, pulse: Beat
) -> None:
    pulse.until = at(20)
    watermark.touch()
    assert watermark.begin().since == at(20)
    assert watermark.widen().since == at(10), "since the last look, whatever the pulse says"
    assert watermark.until() == at(10)
    watermark.end(at(21))
    assert (watermark.until(), watermark.lag()) == (at(21), None)


def test_a_doubt_takes_back_no_other(watermark: Watermark, pulse: Beat) -> None:
    watermark.doubt()
    assert watermark.until() == at(10)
    pulse.until = at(20)
    first = watermark.begin()
    watermark.end(None)
    watermark.doubt()
    assert watermark.lag() == first
