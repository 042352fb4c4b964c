"""What waits for a store that is away. Nothing is written here: the store's part never begins."""

import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from canary.model.changes import Change, Kind
from canary.model.freshness import Freshness
from canary.model.jobs import Job
from canary.model.state import BoardState, Step
from canary.stores.writer import LiveBoard
from canary.watchers.outbox import MAX_CHANGES, Outbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)
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


def test_however_many_steps_wait_one_state_is_kept() -> None:
    outbox = Outbox(cast("LiveBoard", Name()))
    outbox.put(step(0), Freshness.LIVE)
    tracemalloc.start()
    try:
        for number in range(1, STEPS):
            outbox.put(step(number), Freshness.LIVE)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 * 2**20, "a state each would be more than 50 MiB"
    assert not outbox.is_full()


def test_it_is_full_at_its_bound() -> None:
    outbox = Outbox(cast("LiveBoard", Name()))
    outbox.put(step(0, MAX_CHANGES - 1), Freshness.LIVE)
    assert not outbox.is_full()
    outbox.put(step(1), Freshness.LIVE)
    assert outbox.is_full()
