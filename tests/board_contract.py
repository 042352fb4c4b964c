"""What every board promises that an outbox writes to: the same tests for each kind of store.

``tests/unit/test_memory_board.py`` runs them on the store in memory that the outbox is tested with,
``tests/integration/test_board_contract.py`` on the real one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest

from canary.errors import Fenced, StoreUnavailable
from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.freshness import Freshness
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.watchers.outbox import Board

PATH = "/lbaas/jobs"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
LAST = NOW + timedelta(seconds=9)
MANY = 2_500  # changes: more than one transaction may hold


class Lost(Enum):
    """What does not arrive of the next write; from then on nobody gets through to the store."""

    REQUEST = "what was asked, so that it is not done"
    ANSWER = "the answer to what was done"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store holds of the board. ``known_until`` is up to when all of it is written."""

    names: tuple[str, ...]  # of the jobs that the changes are about, in the order of revisions
    gaps: int
    freshness: Freshness
    since: datetime
    known_until: datetime | None
    released: Reason | None


class Store(ABC):
    """A store with one board in it."""

    @abstractmethod
    def take(self) -> Board:
        """Take the board; whoever had it has it no more."""

    @abstractmethod
    def lose(self, what: Lost) -> None:
        """Lose ``what`` of the next write."""

    @abstractmethod
    def mend(self) -> None:
        """Let everybody through again."""

    @abstractmethod
    def stored(self) -> Stored:
        """Return what is stored of the board, whoever gets through."""


def posted(number: int) -> Change:
    """Return that a job was posted."""
    payload = decode(b'{"uuid": "u-%d", "name": "n"}' % number)
    return Change(
        Kind.POSTED,
        f"job{number:010d}",
        7,
        number + 1000,
        payload.uuid,
        NOW,
        NOW,
        1,
        payload=payload,
    )


def step(*numbers: int, gaps: tuple[Gap, ...] = (), seen_at: datetime = NOW) -> Step:
    """Return a step in which so many jobs were posted."""
    return Step(BoardState(seen_at=seen_at), tuple(map(posted, numbers)), gaps)


def names(*numbers: int) -> tuple[str, ...]:
    """Return the names of the jobs of ``step``."""
    return tuple(f"job{number:010d}" for number in numbers)


def unseen() -> Gap:
    """Return a gap in which one create and one delete were not seen."""
    return Gap(NOW, LATER, Reason.COALESCED, 1, 1)


class BoardContract:
    """The tests. A subclass gives ``store``."""

    def test_what_is_added_is_written_in_order(self, store: Store) -> None:
        board = store.take()
        board.add([step(1, 2), step(3)])
        assert store.stored().names == (), "nothing is written before `resume`"
        board.resume(Freshness.LIVE, NOW)
        board.add([step(4, gaps=(unseen(),), seen_at=LATER)])
        board.resume(Freshness.LIVE, LATER)
        assert store.stored() == Stored(names(1, 2, 3, 4), 1, Freshness.LIVE, NOW, LATER, None)

    def test_more_than_one_transaction_may_hold(self, store: Store) -> None:
        board = store.take()
        board.add([step(*range(MANY))])
        board.resume(Freshness.LIVE, NOW)
        assert store.stored().names == names(*range(MANY))

    def test_freshness_says_since_when(self, store: Store) -> None:
        board = store.take()
        board.mark(Freshness.SUSPENDED, NOW)
        board.mark(Freshness.SUSPENDED, LATER)
        found = store.stored()
        assert (found.freshness, found.since) == (Freshness.SUSPENDED, NOW)
        board.mark(Freshness.LIVE, LATER)
        found = store.stored()
        assert (found.freshness, found.since) == (Freshness.LIVE, LATER)

    def test_resume_without_anything_to_write_does_nothing(self, store: Store) -> None:
        board = store.take()
        board.mark(Freshness.LIVE, NOW)
        board.resume(Freshness.SUSPENDED, LATER)
        assert store.stored().freshness is Freshness.LIVE

    @pytest.mark.parametrize("what", Lost)
    def test_what_is_lost_on_the_way_is_written_once(self, store: Store, what: Lost) -> None:
        board = store.take()
        board.add([step(1)])
        board.resume(Freshness.LIVE, NOW)
        board.add([step(2, 3, gaps=(unseen(),), seen_at=LATER)])
        store.lose(what)
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, LATER)
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, LATER)
        done = (2, 3) if what is Lost.ANSWER else ()
        assert store.stored().names == names(1, *done)
        store.mend()
        board.add([step(4, seen_at=LAST)])
        board.resume(Freshness.LIVE, LAST)
        found = store.stored()
        assert (found.names, found.gaps) == (names(1, 2, 3, 4), 1)
        assert (found.freshness, found.known_until) == (Freshness.LIVE, LAST)

    @pytest.mark.parametrize("what", Lost)
    def test_a_part_that_is_lost_leaves_the_board_catching_up(
        self, store: Store, what: Lost
    ) -> None:
        board = store.take()
        board.add([step(*range(MANY))])
        store.lose(what)
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, NOW)
        found = store.stored()
        assert len(found.names) < MANY
        assert found.freshness is not Freshness.LIVE
        store.mend()
        board.resume(Freshness.LIVE, LATER)
        assert store.stored().names == names(*range(MANY))
        assert store.stored().freshness is Freshness.LIVE

    def test_while_it_is_away_nothing_can_be_done(self, store: Store) -> None:
        board = store.take()
        board.add([step(1)])
        store.lose(Lost.REQUEST)
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, NOW)
        with pytest.raises(StoreUnavailable):
            board.mark(Freshness.SUSPENDED, NOW)
        with pytest.raises(StoreUnavailable):
            board.release(NOW, NOW, Reason.HANDOVER)
        store.mend()
        board.release(LATER, None, Reason.HANDOVER)
        assert store.stored().released is Reason.HANDOVER

    def test_once_another_has_it_nothing_more_is_written(self, store: Store) -> None:
        board = store.take()
        board.add([step(1)])
        board.resume(Freshness.LIVE, NOW)
        other = store.take()
        board.add([step(2)])
        with pytest.raises(Fenced):
            board.resume(Freshness.LIVE, LATER)
        with pytest.raises(Fenced):
            board.mark(Freshness.SUSPENDED, LATER)
        board.release(LATER, LATER, Reason.SUSPENDED)
        assert store.stored().released is None
        other.add([step(3, seen_at=LATER)])
        other.resume(Freshness.LIVE, LATER)
        assert store.stored().names == names(1, 3)

    @pytest.mark.parametrize("what", Lost)
    def test_who_lost_an_answer_and_then_the_board_writes_nothing_more(
        self, store: Store, what: Lost
    ) -> None:
        board = store.take()
        board.add([step(1)])
        store.lose(what)
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, NOW)
        store.mend()
        store.take()
        with pytest.raises(Fenced):
            board.resume(Freshness.LIVE, LATER)
        assert store.stored().names == (names(1) if what is Lost.ANSWER else ())

    @pytest.mark.parametrize(
        ("told", "known"), [(LATER, LATER), (NOW - timedelta(seconds=1), NOW), (None, NOW)]
    )
    def test_who_gives_it_up_says_up_to_when_it_is_known(
        self, store: Store, told: datetime | None, known: datetime
    ) -> None:
        board = store.take()
        board.add([step(1)])
        board.resume(Freshness.LIVE, NOW)
        board.release(LAST, told, Reason.OVERFLOW)
        wanted = Stored(names(1), 0, Freshness.UNWATCHED, LAST, known, Reason.OVERFLOW)
        assert store.stored() == wanted

    def test_who_takes_it_is_told_what_was_known(self, store: Store) -> None:
        board = store.take()
        board.add([step(1)])
        board.resume(Freshness.LIVE, NOW)
        board.release(LAST, LATER, Reason.HANDOVER)
        assert store.take().state.seen_at == LATER
