"""For how long a job waited and ran, summed up move by move."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.changes import ENDINGS, Kind
from canary.model.durations import Durations
from canary.model.jobs import JobState, Outcome

POSTED = datetime(2026, 1, 1, tzinfo=UTC)
MOVES = st.lists(
    st.tuples(st.sampled_from([Kind.CLAIMED, Kind.ABANDONED]), st.integers(-5_000, 5_000)),
    max_size=12,
)


def after(seconds: float) -> datetime:
    return POSTED + timedelta(seconds=seconds)


def fold(moves: Sequence[tuple[Kind, float]]) -> Durations:
    spent = Durations.posted(POSTED)
    for kind, seconds in moves:
        spent = spent.after(kind, after(seconds))
    return spent


def test_it_waits_until_it_is_claimed_and_again_when_it_is_abandoned() -> None:
    spent = fold([(Kind.CLAIMED, 3), (Kind.ABANDONED, 10), (Kind.CLAIMED, 15)])
    assert (spent.waited, spent.ran, spent.claims) == (8, 7, 2)
    assert (spent.since, spent.claimed_at) == (after(15), after(15))
    assert (spent.waiting(after(20)), spent.running(after(20))) == (8, 12)
    ended = spent.after(Kind.CONSUMED, after(16), Outcome.CONSUMED)
    assert (ended.state, ended.waiting(after(99)), ended.running(after(99))) == ("COMPLETE", 8, 8)


def test_the_moments_from_which_to_count_agree_with_the_sums() -> None:
    waits = fold([(Kind.CLAIMED, 3), (Kind.ABANDONED, 10)])
    assert waits.waiting_from == after(7)
    assert waits.running_from is None
    runs = waits.after(Kind.CLAIMED, after(20))
    assert (runs.waiting_from, runs.running_from) == (None, after(13))


@given(MOVES, st.integers(-10_000, 10_000))
def test_no_duration_is_ever_negative(moves: list[tuple[Kind, int]], at: int) -> None:
    spent = fold(moves)
    for seconds in (spent.waiting(after(at)), spent.running(after(at))):
        assert seconds is None or seconds >= 0
    assert (spent.running(after(at)) is None) == (Kind.CLAIMED not in [kind for kind, _ in moves])


@given(MOVES)
def test_waiting_and_running_are_all_of_a_job_s_time(moves: list[tuple[Kind, int]]) -> None:
    in_order = sorted(moves, key=lambda move: move[1])
    spent = fold([(kind, max(0, seconds)) for kind, seconds in in_order])
    assert (spent.waited or 0) + (spent.ran or 0) == (spent.since - POSTED).total_seconds()


@pytest.mark.parametrize("kind", sorted(ENDINGS))
def test_who_may_have_been_claimed_unseen_is_not_said_to_have_waited(kind: Kind) -> None:
    ended = Durations.posted(POSTED).after(kind, after(5), Outcome.UNKNOWN)
    assert (ended.state, ended.waited, ended.ran) == (JobState.COMPLETE, None, None)
    claimed = fold([(Kind.CLAIMED, 3)]).after(kind, after(5), Outcome.UNKNOWN)
    assert (claimed.waited, claimed.ran) == (3, 2)


def test_what_is_unknown_stays_so() -> None:
    spent = Durations.unknown(JobState.CLAIMED, POSTED)
    for kind in (Kind.ABANDONED, Kind.CLAIMED, Kind.CONSUMED):
        spent = spent.after(kind, after(5))
        assert (spent.waited, spent.ran) == (None, None)
    assert spent.claims == 2


def test_only_moves_are_folded() -> None:
    with pytest.raises(ValueError, match="posted is no move"):
        Durations.posted(POSTED).after(Kind.POSTED, POSTED)


def test_what_a_job_on_its_board_can_have_spent() -> None:
    waits = Durations.posted(POSTED)
    runs = waits.after(Kind.CLAIMED, after(2))
    for spent in (waits, runs, runs.after(Kind.ABANDONED, after(3))):
        assert spent.is_plausible
    for state in (JobState.UNCLAIMED, JobState.CLAIMED):
        assert Durations.unknown(state, POSTED).is_plausible
    for spent in (
        replace(waits, waited=-1.0),
        replace(runs, ran=float("nan")),
        replace(runs, claims=0),
        replace(runs, claimed_at=None),
        replace(waits, claimed_at=POSTED),
    ):
        assert not spent.is_plausible
