"""ZooKeeper's clock beside Canary's, in virtual time: durations are right however far it is off."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.changes import Change, Kind
from canary.model.durations import Durations
from canary.model.skew import TOLERANCE, Skew, dated, happened, learnt

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600.0
OFFSETS = st.floats(-400 * 86_400, 400 * 86_400).filter(lambda each: abs(each) < 2 or abs(each) > 5)
SHORT = st.floats(0, 0.9)  # seconds until a change is seen
SPANS = st.floats(0, 10 * HOUR)


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Watched:
    """A board that is watched in virtual time, by ZooKeeper's clock ``offset`` ahead."""

    offset: float
    skew: Skew | None = None
    told: list[Change] = field(default_factory=list)

    def see(self, kind: Kind, at: float, seen_after: float, known: float | None) -> Change:
        """Have something happen at ``at``, seen so long after it; ``known`` is up to when."""
        change = Change(
            kind,
            "job0000000000",
            1,
            1,
            "u",
            moment(at + self.offset),
            moment(at + seen_after),
            creates=int(kind in {Kind.POSTED, Kind.CLAIMED}),
            deletes=int(kind is Kind.ABANDONED),
        )
        since = None if known is None else moment(known)
        self.skew = learnt(self.skew, [change], since)
        [change] = dated([change], since, self.skew)
        self.told.append(change)
        return change


def spent_of(changes: list[Change]) -> Durations:
    posted, *moves = changes
    spent = Durations.posted(posted.happened_at)
    for change in moves:
        spent = spent.after(change.kind, change.happened_at)
    return spent


@given(OFFSETS, SPANS, SPANS, SHORT, SHORT)
def test_a_job_shows_about_what_it_waited_and_ran_for_any_offset(
    offset: float, waits: float, runs: float, seen: float, late: float
) -> None:
    board = Watched(offset)
    board.see(Kind.POSTED, 0, seen, -0.9)
    assert spent_of(board.told).waiting(moment(waits)) == pytest.approx(waits, abs=3.1)
    board.see(Kind.CLAIMED, waits, late, waits - 0.9)
    spent = spent_of(board.told)
    assert spent.waited == pytest.approx(waits, abs=3.1)
    assert spent.running(moment(waits + runs)) == pytest.approx(runs, abs=3.1)
    board.see(Kind.ABANDONED, waits + runs, seen, waits + runs - 0.9)
    assert spent_of(board.told).ran == pytest.approx(runs, abs=3.1)


@given(st.floats(5.1, 400 * 86_400), st.booleans(), SHORT)
def test_a_clock_that_is_off_is_found_by_the_first_change_that_is_seen_live(
    far: float, is_behind: bool, seen: float
) -> None:
    board = Watched(-far if is_behind else far)
    board.see(Kind.POSTED, 0, seen, -0.9)
    assert board.skew is not None
    assert board.skew.is_off
    assert board.skew.ahead is not None
    assert board.skew.ahead.total_seconds() == pytest.approx(board.offset, abs=1)


@given(st.floats(-2, 2), st.lists(st.tuples(SHORT, st.floats(0, 40 * HOUR)), min_size=1))
def test_a_change_that_is_found_after_a_gap_says_nothing_against_a_clock(
    offset: float, seen: list[tuple[float, float]]
) -> None:
    board, now = Watched(offset), 0.0
    for live, gap in seen:
        now += 1
        board.see(Kind.POSTED, now, live, now - 0.9)
        board.see(Kind.POSTED, now + 2 + gap / 2, gap / 2, now + 1)  # in the middle of a gap
        now += 3 + gap
        assert board.skew is not None
        assert not board.skew.is_off


@given(OFFSETS, st.lists(OFFSETS, min_size=1, max_size=4), SHORT)
def test_a_clock_that_is_set_anew_is_noticed_at_once(
    first: float, others: list[float], seen: float
) -> None:
    board, now = Watched(first), 0.0
    for offset in (first, *others):
        board.offset, now = offset, now + 100
        change = board.see(Kind.POSTED, now, seen, now - 0.9)
        assert change.happened_at.timestamp() == pytest.approx(moment(now).timestamp(), abs=3.1)
        assert board.skew is not None
        assert board.skew.is_off is (abs(offset) > 5)


class TestTheFirstLook:
    def test_a_time_that_is_still_to_come_tells_that_the_clock_is_ahead(self) -> None:
        board = Watched(HOUR)
        change = board.see(Kind.POSTED, -10, 10, None)
        assert board.skew is not None
        assert board.skew.is_off
        assert change.happened_at == change.seen_at

    def test_one_long_ago_tells_nothing(self) -> None:
        board = Watched(-HOUR)
        change = board.see(Kind.POSTED, -10, 10, None)
        assert board.skew is None
        assert change.happened_at == change.at, "as far as anybody knows"

    @given(OFFSETS, st.floats(0, 40 * HOUR))
    def test_what_it_finds_is_corrected_by_what_is_known_already(
        self, offset: float, age: float
    ) -> None:
        asked = Skew.of(moment(offset), moment(-0.01), moment(0.01))
        board = Watched(offset, asked)
        change = board.see(Kind.POSTED, -age, age, None)
        assert change.happened_at.timestamp() == pytest.approx(moment(-age).timestamp(), abs=3.1)


@given(
    st.floats(-400 * 86_400, 400 * 86_400),
    st.none() | st.floats(-400 * 86_400, 0),
    st.none() | st.tuples(st.floats(-400 * 86_400, 400 * 86_400), st.floats(0, 100)),
)
def test_nothing_happened_after_it_was_seen_or_long_before_it_could(
    at: float, known: float | None, skew: tuple[float, float] | None
) -> None:
    after = None if known is None else moment(known)
    of = skew and Skew(timedelta(seconds=skew[0]), timedelta(seconds=sum(skew)))
    found = happened(moment(at), after, START, of)
    assert found <= START
    assert after is None or found >= after - TOLERANCE


def test_what_an_earlier_account_had_counted_may_be_older_than_the_last_look() -> None:
    """A job that a hand made anew under its name is noticed once it is read again."""
    late = Change(Kind.POSTED, "job0000000000", 1, 2, "u", moment(-60), moment(0))
    assert learnt(None, [late], moment(-1)) is None
    [same] = dated([late], moment(-1), None)
    assert same.happened_at == moment(-60)


def test_what_zookeeper_does_not_date_happened_when_it_was_seen() -> None:
    ended = Change(Kind.ENDED, "job0000000000", 1, 2, "u", None, moment(0), deletes=1)
    off = Skew(timedelta(hours=1), timedelta(hours=1))
    [same] = dated([ended], moment(-1), off)
    assert (same.moment, same.happened_at) == (None, moment(0))
    assert learnt(off, [ended], moment(-1)) == off


def bounds() -> Iterator[tuple[float, float | None, bool]]:
    limit = TOLERANCE.total_seconds()
    yield limit, limit, False
    yield limit + 0.001, None, True
    yield -limit, -limit, False
    yield -HOUR, -limit - 0.001, True
    yield -HOUR, None, False
    yield -HOUR, HOUR, False


@pytest.mark.parametrize(("least", "most", "is_off"), list(bounds()))
def test_it_is_off_where_that_is_certain(least: float, most: float | None, is_off: bool) -> None:
    skew = Skew(timedelta(seconds=least), None if most is None else timedelta(seconds=most))
    assert skew.is_off is is_off


@pytest.mark.parametrize(
    ("least", "most", "ahead"),
    [
        (-0.5, 0.5, -0.5),
        (10, 13, 10),
        (-13, -10, -13),
        (-100, 0, None),
        (-100, 100, None),
        (-2, None, None),
        (HOUR, None, HOUR),
        (HOUR, 2 * HOUR, HOUR),
        (-2 * HOUR, -HOUR, -HOUR),
    ],
)
def test_how_far_it_is_off_is_unknown_where_the_bounds_are_far_apart(
    least: float, most: float | None, ahead: float | None
) -> None:
    skew = Skew(timedelta(seconds=least), None if most is None else timedelta(seconds=most))
    assert skew.ahead == (None if ahead is None else timedelta(seconds=ahead))


def about(at: float, seen_at: float, kind: Kind = Kind.POSTED, creates: int = 1) -> Change:
    name = "job0000000000"
    return Change(kind, name, 1, 1, "u", moment(at), moment(seen_at), creates=creates)


def known(least: float, most: float | None) -> Skew:
    return Skew(timedelta(seconds=least), None if most is None else timedelta(seconds=most))


class TestBounds:
    LIMIT = TOLERANCE.total_seconds()

    @pytest.mark.parametrize(
        ("skew", "newer", "both"),
        [
            (known(1, 5), known(2, 6), known(2, 5)),
            (known(1, None), known(2, None), known(2, None)),
            (known(1, None), known(0, 5), known(1, 5)),
            (known(1, 5), known(5, 6), known(5, 5)),
            (known(1, 5), known(6, 7), known(6, 7)),  # it was set
        ],
    )
    def test_both_hold_unless_it_was_set(self, skew: Skew, newer: Skew, both: Skew) -> None:
        assert skew.and_then(newer) == both

    def test_what_has_no_time_tells_nothing_and_hides_nothing(self) -> None:
        timeless = replace(about(0, 1), at=None)
        assert learnt(None, [timeless, about(HOUR, 10)], moment(9)) == known(HOUR - 10, HOUR - 9)
        assert learnt(None, [timeless], moment(9)) is None

    def test_before_the_first_look_only_a_time_that_is_still_to_come_tells(self) -> None:
        assert learnt(None, [about(10 + self.LIMIT, 10)], None) is None
        more = self.LIMIT + 0.001
        assert learnt(None, [about(10 + more, 10)], None) == known(more, None)

    def test_what_was_counted_before_may_have_happened_before(self) -> None:
        counted = about(HOUR, 10, creates=0)
        assert learnt(None, [counted], moment(9)) == known(HOUR - 10, None)
        [found] = dated([about(5, 10, creates=0)], moment(9), None)
        assert found.moment == moment(5)
        [found] = dated([about(5, 10)], moment(9), None)
        assert found.moment == moment(9), "it was not there when it was looked at last"

    @pytest.mark.parametrize(
        ("at", "happened_at"),
        [
            (10, 10),  # known a second ahead, which is no fault, nothing is corrected
            (9 - LIMIT, 9 - LIMIT),
            (9 - LIMIT - 0.001, 9),
            (12, 12),
            (12 + LIMIT - 1, 12),
            (12 + LIMIT, 12),
            (12 + LIMIT + 0.001, 12),
        ],
    )
    def test_a_time_that_agrees_is_taken_as_it_is(self, at: float, happened_at: float) -> None:
        found = happened(moment(at), moment(9), moment(12), known(1, 1))
        assert found == moment(happened_at)

    @pytest.mark.parametrize(
        ("skew", "is_off", "is_close"),
        [
            (known(LIMIT, LIMIT), False, True),
            (known(LIMIT + 0.001, None), True, False),
            (known(-9, -LIMIT), False, False),
            (known(-9, -LIMIT - 0.001), True, False),
            (known(-1, LIMIT - 1), False, True),
            (known(-1, LIMIT - 0.999), False, False),
        ],
    )
    def test_what_is_a_fault_and_what_is_known(
        self, skew: Skew, *, is_off: bool, is_close: bool
    ) -> None:
        assert (skew.is_off, skew.is_close) == (is_off, is_close)
