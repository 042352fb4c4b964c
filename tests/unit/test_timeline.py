"""A job's changes folded back into what it was, and how long it waited and ran."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.changes import ENDINGS, Kind
from canary.model.jobs import JobState, Outcome
from canary.model.timeline import JobThen, Move, fold, then

POSTED = datetime(2026, 5, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return POSTED + timedelta(seconds=seconds)


def claimed(seconds: float, owner: str | None = "ann") -> Move:
    return Move(Kind.CLAIMED, after(seconds), owner)


def abandoned(seconds: float, owner: str | None = "ann") -> Move:
    return Move(Kind.ABANDONED, after(seconds), owner)


def ended(seconds: float, outcome: Outcome, owner: str | None = None) -> Move:
    kinds = {Outcome.UNKNOWN: Kind.ENDED, Outcome.BOARD_DELETED: Kind.ENDED}
    return Move(kinds.get(outcome) or Kind(outcome), after(seconds), owner, outcome)


LIFE = [
    claimed(10),
    abandoned(15),
    claimed(35, "bob"),
    ended(100, Outcome.CONSUMED, "bob"),
]


def test_a_job_that_nobody_claimed_waits_and_has_not_run() -> None:
    assert fold(POSTED, [], after(7)) == JobThen(
        JobState.UNCLAIMED, None, None, None, None, 7.0, None
    )


def test_durations_are_sums_over_all_claims() -> None:
    assert fold(POSTED, LIFE, after(1000)) == JobThen(
        JobState.COMPLETE, "bob", after(35), after(100), Outcome.CONSUMED, 30.0, 70.0
    )


@pytest.mark.parametrize(
    ("seconds", "state", "owner", "waiting", "running"),
    [
        (0, JobState.UNCLAIMED, None, 0.0, None),
        (9.999, JobState.UNCLAIMED, None, 9.999, None),
        (10, JobState.CLAIMED, "ann", 10.0, 0.0),
        (12, JobState.CLAIMED, "ann", 10.0, 2.0),
        (15, JobState.UNCLAIMED, None, 10.0, 5.0),
        (40, JobState.CLAIMED, "bob", 30.0, 10.0),
        (100, JobState.COMPLETE, "bob", 30.0, 70.0),
    ],
)
def test_a_job_at_any_moment_of_its_life(
    seconds: float, state: JobState, owner: str | None, waiting: float, running: float | None
) -> None:
    job = then(POSTED, LIFE, after(seconds))
    assert job is not None
    assert (job.state, job.owner, job.waiting, job.running) == (state, owner, waiting, running)


def test_a_job_is_nothing_before_it_was_posted() -> None:
    assert then(POSTED, LIFE, after(-0.001)) is None


def test_an_outcome_is_not_known_before_the_end() -> None:
    job = then(POSTED, LIFE, after(99))
    assert job is not None
    assert (job.outcome, job.ended_at) == (None, None)


def test_how_long_a_job_waited_is_unknown_where_a_claim_may_have_been_missed() -> None:
    job = fold(POSTED, [ended(5, Outcome.UNKNOWN)], after(9))
    assert (job.waiting, job.running) == (None, None)


def test_a_job_removed_unclaimed_waited_until_then() -> None:
    job = fold(POSTED, [ended(5, Outcome.REMOVED)], after(9))
    assert (job.waiting, job.running, job.owner) == (5.0, None, None)


def test_a_log_that_begins_late_tells_that_the_job_was_claimed_before() -> None:
    late = [abandoned(15, "ann"), claimed(35, "bob")]
    job = then(POSTED, late, after(12))
    assert job == JobThen(JobState.CLAIMED, "ann", None, None, None, None, None)
    assert fold(POSTED, late, after(40)).state is JobState.CLAIMED
    assert fold(POSTED, late, after(40)).waiting is None


def test_what_was_consumed_was_claimed_though_the_claim_is_not_in_the_log() -> None:
    job = then(POSTED, [ended(50, Outcome.CONSUMED, "ann")], after(20))
    assert job is not None
    assert (job.state, job.owner) == (JobState.CLAIMED, "ann")


def test_clocks_that_disagree_make_no_negative_durations() -> None:
    # ZooKeeper's clock is 5 s ahead of Canary's, which alone tells of an abandoning.
    moves = [claimed(5), abandoned(2), claimed(6)]
    job = fold(POSTED, moves, after(1))
    assert (job.state, job.waiting, job.running) == (JobState.CLAIMED, 6.0, 0.0)


OWNERS = st.sampled_from(["ann", "bob", None])
DELAYS = st.integers(0, 1000)


@st.composite
def lives(draw: st.DrawFn) -> list[Move]:
    """A job's moves as a board allows them, in time."""
    moves: list[Move] = []
    seconds = 0
    for _ in range(draw(st.integers(0, 5))):
        owner = draw(OWNERS)
        seconds += draw(DELAYS)
        moves.append(claimed(seconds, owner))
        seconds += draw(DELAYS)
        moves.append(abandoned(seconds, owner))
    is_over = draw(st.booleans())
    if moves and is_over:
        last = moves.pop()
        moves.append(ended(seconds, draw(st.sampled_from(list(Outcome))), last.owner))
    return moves


@given(lives(), st.integers(0, 6000))
def test_a_past_moment_is_the_fold_of_what_was_before_it(moves: list[Move], seconds: int) -> None:
    at = after(seconds)
    before = [move for move in moves if move.moment <= at]
    assert then(POSTED, moves, at) == fold(POSTED, before, at)


@given(lives(), st.integers(0, 6000))
def test_waiting_and_running_add_up_to_the_life(moves: list[Move], seconds: int) -> None:
    job = then(POSTED, moves, after(seconds))
    assert job is not None
    assert job.waiting is not None
    end = job.ended_at or after(seconds)
    assert job.waiting + (job.running or 0.0) == (end - POSTED).total_seconds()


ANY_MOVES = st.lists(
    st.builds(
        Move,
        st.sampled_from([Kind.CLAIMED, Kind.ABANDONED, *sorted(ENDINGS)]),
        st.integers(-100, 100).map(after),
        OWNERS,
        st.sampled_from([None, *Outcome]),
    ),
    max_size=8,
)


@given(ANY_MOVES, st.integers(-100, 100))
def test_no_durations_are_negative_whatever_the_log_holds(moves: list[Move], seconds: int) -> None:
    job = fold(POSTED, moves, after(seconds))
    assert (job.waiting or 0.0) >= 0.0
    assert (job.running or 0.0) >= 0.0


def edited(seconds: float, owner: str | None) -> Move:
    return Move(Kind.EDITED, after(seconds), owner)


def test_a_claim_that_a_hand_has_edited_is_the_other_owner_s() -> None:
    moves = [claimed(10, "ann"), edited(12, "bob"), abandoned(15, "bob"), claimed(20, "cay")]
    owners = [then(POSTED, moves, after(seconds)) for seconds in (11, 12, 14, 15, 20)]
    assert [job and job.owner for job in owners] == ["ann", "bob", "bob", None, "cay"]
    assert fold(POSTED, moves, after(30)).running == 15.0
    assert fold(POSTED, moves, after(30)).waiting == 15.0


def test_what_was_removed_under_a_claim_was_claimed_before() -> None:
    job = fold(POSTED, [ended(5, Outcome.REMOVED, "ann")], after(9))
    assert (job.state, job.owner, job.waiting) == (JobState.COMPLETE, "ann", None)
    assert fold(POSTED, [edited(5, "ann")], after(9)).owner == "ann"
