"""The outbox's greenlet, in virtual time, with a store that is slow, away, frozen or another's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import gevent
import pytest

from canary.errors import CanaryError, Fenced
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState
from canary.watchers.budget import Budget
from canary.watchers.outbox import (
    DRAIN_TIMEOUT,
    MAX_RETRY_DELAY,
    RELEASE_TIMEOUT,
    RETRY_DELAY,
    Outbox,
)
from canary.watchers.watermark import Lag
from tests.board_contract import LATER, NOW, Lost, names, posted, step
from tests.memory_board import MemoryBoard, MemoryStore
from tests.virtual_clock import VirtualClock

KNOWN = NOW + timedelta(seconds=3)
LAG = Lag(NOW, LATER)
SHORTEST = 0.1  # seconds that `within` leaves to a call where no time is left


@dataclass
class Scene:
    """An outbox that runs, and what is around it."""

    clock: VirtualClock
    store: MemoryStore
    budget: Budget
    outbox: Outbox[MemoryBoard]
    running: "gevent.Greenlet[[], None]"

    def put(self, *numbers: int, freshness: Freshness = Freshness.LIVE) -> None:
        self.outbox.put(step(*numbers), freshness, LAG)

    def seconds(self, name: str) -> list[float]:
        """Return when the store was called so, in seconds since the beginning."""
        return [moment - 1_000.0 for called, moment in self.store.calls if called == name]

    @property
    def written(self) -> tuple[str, ...]:
        return self.store.stored().names


@pytest.fixture
def scene() -> Iterator[Scene]:
    clock, budget = VirtualClock(), Budget()
    store = MemoryStore(clock)
    outbox = Outbox(store.take(), budget, lambda: KNOWN, clock)
    running: gevent.Greenlet[[], None] = gevent.spawn(outbox.run)
    running.suppress_errors = True  # type: ignore[attr-defined]
    yield Scene(clock, store, budget, outbox, running)
    store.mend()
    store.slow = 0.0
    running.kill()


def test_what_comes_while_it_writes_is_written_next_and_together(scene: Scene) -> None:
    scene.put(0)
    scene.clock.advance(10.0)
    scene.store.slow = 1.0
    scene.put(1)
    scene.clock.advance(0.5)
    scene.put(2)
    scene.put(3)
    assert scene.written == names(0)
    scene.clock.advance(0.5)
    assert scene.written == names(0, 1)
    scene.clock.advance(1.0)
    assert scene.written == names(0, 1, 2, 3)
    assert scene.outbox.is_written
    assert scene.budget.held == 0
    assert scene.seconds("resume") == [0.0, 10.0, 11.0]


def test_a_store_that_is_away_is_tried_less_and_less_often(scene: Scene) -> None:
    scene.store.is_away = True
    scene.put(1)
    scene.clock.advance(30.0)
    delays = [RETRY_DELAY * 2**n for n in range(5)] + [MAX_RETRY_DELAY] * 4
    due = [0.0]
    for delay in delays:
        due.append(due[-1] + delay)
    assert scene.seconds("resume") == [moment for moment in due if moment <= 30.0]
    scene.store.mend()
    scene.clock.advance(MAX_RETRY_DELAY)
    assert scene.written == names(1)
    scene.store.is_away = True
    scene.put(2)
    begun = scene.clock.seconds - 1_000.0
    scene.clock.advance(RETRY_DELAY)
    assert scene.seconds("resume")[-2:] == [begun, begun + RETRY_DELAY], "it begins anew"


def test_all_is_written_within_the_longest_delay_of_its_return(scene: Scene) -> None:
    scene.store.is_away = True
    for number in range(50):
        scene.put(number)
        scene.clock.advance(1.3)
    scene.store.mend()
    scene.clock.advance(MAX_RETRY_DELAY)
    assert scene.written == names(*range(50))


@pytest.mark.parametrize("what", Lost)
def test_what_is_lost_on_the_way_is_written_once(scene: Scene, what: Lost) -> None:
    scene.store.lose(what)
    scene.put(1, 2)
    scene.clock.advance(1.0)
    scene.put(3)
    assert not scene.outbox.is_written
    scene.store.mend()
    scene.clock.advance(MAX_RETRY_DELAY)
    assert scene.written == names(1, 2, 3)


def test_the_board_is_catching_up_while_it_can_not_be_written(scene: Scene) -> None:
    scene.put(1)
    scene.clock.advance(1.0)
    scene.store.refuses = {"resume"}
    scene.put(2)
    scene.clock.advance(1.0)
    assert scene.store.stored().freshness is Freshness.CATCHING_UP
    scene.store.refuses = set()
    scene.clock.advance(MAX_RETRY_DELAY)
    assert scene.store.stored().freshness is Freshness.LIVE
    assert scene.outbox.lag() is None


def test_freshness_alone_is_written_as_of_when_it_changed(scene: Scene) -> None:
    scene.put(1)
    scene.clock.advance(1.0)
    scene.store.is_away = True
    since = scene.clock.now()
    scene.outbox.show(Freshness.SUSPENDED)
    scene.clock.advance(7.0)
    assert scene.outbox.lag() == Lag(since, since)
    scene.store.mend()
    scene.clock.advance(MAX_RETRY_DELAY)
    found = scene.store.stored()
    assert (found.freshness, found.since) == (Freshness.SUSPENDED, since)


def test_it_is_behind_until_what_waits_is_written(scene: Scene) -> None:
    scene.store.slow = 2.0
    scene.put(1)
    scene.clock.advance(1.0)
    assert scene.outbox.lag() == LAG
    assert scene.outbox.waiting[0] == 1
    scene.clock.advance(1.0)
    assert scene.outbox.lag() is None
    assert scene.outbox.waiting == (0, 0)


class TestStop:
    def test_all_that_waits_is_written_before_the_board_is_given_up(self, scene: Scene) -> None:
        scene.store.slow = 1.0
        for number in range(3):
            scene.put(number)
        scene.clock.advance(0.1)
        scene.outbox.stop(Reason.HANDOVER)
        scene.clock.advance(3.0)
        assert scene.running.ready()
        found = scene.store.stored()
        assert (found.names, found.released) == (names(0, 1, 2), Reason.HANDOVER)
        assert (found.freshness, found.known_until) == (Freshness.UNWATCHED, KNOWN)
        assert scene.outbox.is_released

    def test_a_store_that_is_away_is_waited_for_no_longer_than_promised(self, scene: Scene) -> None:
        scene.store.is_away = True
        scene.put(1)
        scene.clock.advance(60.0)
        scene.outbox.stop(Reason.HANDOVER)
        scene.clock.advance(DRAIN_TIMEOUT - 0.1)
        assert not scene.running.ready()
        scene.clock.advance(0.1 + RETRY_DELAY)
        assert scene.running.ready()
        assert not scene.outbox.is_released
        assert scene.budget.held == 0, "the others may have its room"

    def test_nor_is_one_that_stands_still(self, scene: Scene) -> None:
        scene.put(1)
        scene.clock.advance(1.0)
        scene.outbox.stop(Reason.HANDOVER)
        scene.store.is_frozen = True
        scene.put(2)
        scene.clock.advance(DRAIN_TIMEOUT)
        assert not scene.running.ready()
        scene.clock.advance(SHORTEST + RETRY_DELAY + RELEASE_TIMEOUT)
        assert scene.running.ready()
        assert not scene.outbox.is_released

    def test_a_store_that_comes_back_in_time_has_all_of_it(self, scene: Scene) -> None:
        scene.store.is_away = True
        scene.put(1)
        scene.clock.advance(60.0)
        scene.outbox.stop(Reason.HANDOVER)
        scene.clock.advance(DRAIN_TIMEOUT - 3 * RETRY_DELAY)
        scene.store.mend()
        scene.clock.advance(2 * RETRY_DELAY)
        assert scene.running.ready()
        assert scene.written == names(1)
        assert scene.outbox.is_released

    def test_what_is_not_written_is_not_known(self, scene: Scene) -> None:
        scene.put(1)
        scene.clock.advance(1.0)
        scene.store.refuses = {"resume", "mark"}
        scene.put(2)
        scene.clock.advance(1.0)
        scene.outbox.stop(Reason.OVERFLOW)
        scene.clock.advance(DRAIN_TIMEOUT + RETRY_DELAY)
        found = scene.store.stored()
        assert (found.released, found.known_until) == (Reason.OVERFLOW, NOW), "not KNOWN"

    def test_who_waits_for_room_goes_on(self, scene: Scene) -> None:
        scene.store.is_away = True
        while not scene.outbox.is_full():
            scene.put(*range(1_000))
        waiting = gevent.spawn(scene.outbox.wait_for_room)
        scene.clock.advance(60.0)
        assert not waiting.ready()
        scene.outbox.stop(Reason.HANDOVER)
        gevent.idle()
        assert waiting.ready()


class TestFenced:
    def test_it_ends_and_writes_nothing_more(self, scene: Scene) -> None:
        scene.put(1)
        scene.clock.advance(1.0)
        scene.store.take()
        scene.put(2)
        scene.clock.advance(1.0)
        assert scene.running.ready()
        assert isinstance(scene.running.exception, Fenced)
        assert scene.written == names(1)
        assert scene.store.stored().released is None, "it is another's to give up"
        assert scene.budget.held == 0

    def test_where_only_its_freshness_was_to_be_written(self, scene: Scene) -> None:
        scene.put(1)
        scene.clock.advance(1.0)
        scene.store.take()
        scene.outbox.show(Freshness.SUSPENDED)
        scene.clock.advance(1.0)
        assert isinstance(scene.running.exception, Fenced)


class TestComparison:
    @pytest.fixture
    def compared(self) -> list[datetime | None]:
        return []

    @pytest.fixture
    def compare(self, compared: list[datetime | None]) -> Callable[[MemoryBoard, BoardState], None]:
        def compare(_: MemoryBoard, state: BoardState) -> None:
            compared.append(state.seen_at)

        return compare

    def test_it_is_made_once_what_was_put_before_is_written(
        self,
        scene: Scene,
        compared: list[datetime | None],
        compare: Callable[[MemoryBoard, BoardState], None],
    ) -> None:
        scene.store.slow = 1.0
        scene.put(1)
        scene.outbox.reconcile(compare)
        scene.clock.advance(0.5)
        scene.outbox.put(step(2, seen_at=LATER), Freshness.LIVE, LAG)
        assert compared == []
        scene.clock.advance(10.0)
        assert compared == [NOW], "with what was written last, whatever waits"
        assert scene.written == names(1, 2)

    def test_where_nothing_was_ever_written_it_is_with_what_was_stored(
        self,
        scene: Scene,
        compared: list[datetime | None],
        compare: Callable[[MemoryBoard, BoardState], None],
    ) -> None:
        scene.outbox.reconcile(compare)
        scene.clock.advance(1.0)
        assert compared == [None]

    def test_one_that_fails_delays_nothing(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_: MemoryBoard, __: BoardState) -> None:
            raise CanaryError("no snapshot")

        scene.outbox.reconcile(fail)
        scene.put(1)
        scene.clock.advance(0.1)
        assert scene.written == names(1)
        assert "the board was not compared with MongoDB: no snapshot" in caplog.messages

    def test_one_that_finds_the_board_to_be_another_s_ends_it(self, scene: Scene) -> None:
        def fail(_: MemoryBoard, __: BoardState) -> None:
            raise Fenced("another worker has it")

        scene.outbox.reconcile(fail)
        scene.clock.advance(0.1)
        assert isinstance(scene.running.exception, Fenced)


def test_changes_of_a_step_keep_their_order(scene: Scene) -> None:
    scene.put(3, 1, 2)
    scene.clock.advance(0.1)
    assert scene.store.changes == [posted(3), posted(1), posted(2)]
