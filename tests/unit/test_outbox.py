"""What waits for a store that is away. Nothing is written here: the store's part never begins."""

import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import gevent

from canary.model.changes import Change, Kind
from canary.model.freshness import Freshness
from canary.model.jobs import Job
from canary.model.state import BoardState, Step
from canary.stores.writing.board_writer import LiveBoard
from canary.watchers.budget import Budget
from canary.watchers.outbox import CHANGE_BYTES, MAX_CHANGES, Outbox, weight
from canary.watchers.watermark import Lag

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
LAG = Lag(NOW, LATER)
JOBS = 2_000
STEPS = 200


@dataclass(frozen=True)
class Name:
    """All that an outbox asks of its board before it writes."""

    path: str = "/a/jobs"
    epoch: int = 1


def step(number: int, changes: int = 1) -> Step:
    """Return a step of a board with many jobs."""
    jobs = [Job(f"job{n:010}", n + 1, f"u{n}", "x", NOW, NOW) for n in range(JOBS)]
    change = Change(Kind.CLAIMED, f"job{number:010}", 1, number + 1, f"u{number}", NOW, NOW)
    return Step(BoardState.restore(None, NOW, jobs, ()), (change,) * changes, ())


def outbox_with(budget: Budget) -> Outbox[LiveBoard]:
    return Outbox(cast("LiveBoard", Name()), budget, lambda: NOW)


def test_however_many_steps_wait_one_state_is_kept() -> None:
    outbox = outbox_with(Budget())
    outbox.put(step(0), Freshness.LIVE, LAG)
    tracemalloc.start()
    try:
        for number in range(1, STEPS):
            outbox.put(step(number), Freshness.LIVE, LAG)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 * 2**20, "a state each would be more than 50 MiB"
    assert not outbox.is_full()


def test_it_is_full_at_its_bound() -> None:
    outbox = outbox_with(Budget())
    outbox.put(step(0, MAX_CHANGES - 1), Freshness.LIVE, LAG)
    assert not outbox.is_full()
    outbox.put(step(1), Freshness.LIVE, LAG)
    assert outbox.is_full()


def test_many_boards_together_are_full_at_the_worker_s_bound() -> None:
    budget = Budget(10 * CHANGE_BYTES)
    boards = [outbox_with(budget) for _ in range(11)]
    for number, outbox in enumerate(boards[:-1]):
        assert not outbox.is_full()
        outbox.put(step(number), Freshness.LIVE, LAG)
    assert all(outbox.is_full() for outbox in boards), "one that holds nothing as well"
    budget.charge(-CHANGE_BYTES)
    assert not boards[-1].is_full()


def test_who_waits_for_the_worker_s_bound_goes_on_when_another_has_written() -> None:
    budget = Budget(CHANGE_BYTES)
    first, second = outbox_with(budget), outbox_with(budget)
    first.put(step(1), Freshness.LIVE, LAG)
    waiting = gevent.spawn(second.wait_for_room)
    waiting.join(0)
    assert not waiting.dead
    first._finished()
    assert budget.held == weight(step(1).changes), "what waits is not what was written"
    first._changes.clear()
    first._finished()
    waiting.get(timeout=5)


def test_it_tells_since_when_it_is_behind() -> None:
    outbox = outbox_with(Budget())
    outbox.show(Freshness.CATCHING_UP)
    assert outbox.lag() is None
    outbox.put(step(1), Freshness.CATCHING_UP, LAG)
    outbox.put(step(2), Freshness.CATCHING_UP, Lag(LATER, LATER))
    assert outbox.lag() == LAG
