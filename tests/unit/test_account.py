"""A board's account by itself: what its counters say beyond what was told."""

from datetime import UTC, datetime, timedelta

import pytest

from canary.model.account import unseen, unwatched
from canary.model.changes import Change, Gap, Kind, Reason, node_change
from canary.model.observations import Listing, Stat
from canary.model.state import BoardState

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOARD = 100  # the board's own czxid


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def stat(creates: int, deletes: int) -> Stat:
    children = creates - deletes
    return Stat(BOARD, BOARD + creates + deletes, 2 * creates - children, children)


def listing(creates: int, deletes: int) -> Listing:
    return Listing(stat(creates, deletes), frozenset(), at(1))


BEFORE = BoardState(stat(10, 4), at(0))
CREATED = node_change(Kind.NODE_CREATED, "other", BOARD, at(1))
DELETED = node_change(Kind.NODE_DELETED, "other", BOARD, at(1))


class TestUnseen:
    @pytest.mark.parametrize(
        ("creates", "deletes"), [(0, 0), (1, 0), (0, 1), (1, 1), (3, 2), (0, 6)]
    )
    def test_is_what_the_counters_say_and_nothing_told(self, creates: int, deletes: int) -> None:
        found = unseen(
            BEFORE, listing(10 + creates, 4 + deletes), (), Reason.COALESCED, is_era=False
        )
        if creates == deletes == 0:
            assert found is None
        else:
            assert found == Gap(at(0), at(1), Reason.COALESCED, creates, deletes)

    @pytest.mark.parametrize(
        ("told", "left"),
        [
            ((CREATED, DELETED), None),
            ((CREATED,), (0, 1)),
            ((DELETED,), (1, 0)),
            ((), (1, 1)),
        ],
    )
    def test_is_less_by_what_was_told(
        self, told: tuple[Change, ...], left: tuple[int, int] | None
    ) -> None:
        found = unseen(BEFORE, listing(11, 5), told, Reason.LATE, is_era=False)
        assert (found and (found.creates, found.deletes)) == left

    def test_is_less_by_what_a_part_of_a_round_has_told(self) -> None:
        half = BoardState(stat(10, 4), at(0), told_creates=2, told_deletes=1)
        assert unseen(half, listing(12, 5), (), Reason.RESTART, is_era=False) is None
        left = unseen(half, listing(13, 5), (), Reason.RESTART, is_era=False)
        assert left == Gap(at(0), at(1), Reason.RESTART, 1, 0)

    @pytest.mark.parametrize(("creates", "deletes"), [(9, 4), (10, 3), (9, 3)])
    def test_is_unknown_where_counters_shrank(self, creates: int, deletes: int) -> None:
        found = unseen(BEFORE, listing(creates, deletes), (), Reason.COALESCED, is_era=False)
        assert found == Gap(at(0), at(1), Reason.ERA, None, None)

    def test_is_unknown_in_a_new_era_even_where_the_counters_agree(self) -> None:
        found = unseen(BEFORE, listing(10, 4), (), Reason.COALESCED, is_era=True)
        assert found == Gap(at(0), at(1), Reason.ERA, None, None)

    def test_is_nothing_at_the_first_look(self) -> None:
        assert unseen(BoardState(), listing(10, 4), (), Reason.RESTART, is_era=False) is None

    def test_is_all_of_a_board_that_was_missing(self) -> None:
        found = unseen(BoardState(None, at(0)), listing(3, 1), (), Reason.COALESCED, is_era=False)
        assert found == Gap(at(0), at(1), Reason.COALESCED, 3, 1)


class TestUnwatched:
    SOME = Gap(NOON, at(1), Reason.RESTART, 2, 0)
    UNKNOWN = Gap(NOON, at(1), Reason.ERA, None, None)
    NOTHING = Gap(NOON, at(1), Reason.RESTART, 0, 0)

    @pytest.mark.parametrize(
        ("state", "changes", "gap", "reason", "told"),
        [
            (BEFORE, (CREATED,), None, Reason.COALESCED, None),
            (BEFORE, (CREATED,), SOME, Reason.COALESCED, SOME),
            (BoardState(), (CREATED,), None, Reason.RESTART, None),
            (BEFORE, (), None, Reason.RESTART, None),
            (BEFORE, (CREATED,), None, Reason.RESTART, NOTHING),
            (BEFORE, (CREATED,), SOME, Reason.RESTART, SOME),
            (BEFORE, (), SOME, Reason.RESTART, SOME),
            (BEFORE, (CREATED,), UNKNOWN, Reason.RESTART, UNKNOWN),
            (
                BoardState(None, at(0)),
                (),
                None,
                Reason.RESTART,
                Gap(at(0), at(1), Reason.RESTART, None, None),
            ),
            (BoardState(None, at(0)), (CREATED,), UNKNOWN, Reason.RESTART, UNKNOWN),
        ],
        ids=[
            "watched",
            "watched, and some unseen",
            "first look",
            "equal counters",
            "found, but not when",
            "found, and some unseen",
            "some unseen",
            "unknown",
            "there was no board",
            "there was no board, unknown",
        ],
    )
    def test_says_for_which_time_all_is_known(
        self,
        state: BoardState,
        changes: tuple[Change, ...],
        gap: Gap | None,
        reason: Reason,
        told: Gap | None,
    ) -> None:
        assert unwatched(state, listing(10, 4), changes, gap, reason) == told
