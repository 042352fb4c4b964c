"""What a worker counts and tells: each metric by name, type, help, labels and value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from canary.clock import now
from canary.metrics import catalogue
from canary.metrics.parts import Parts
from canary.metrics.worker import KEEP_LIMIT, WorkerMetrics
from canary.model.changes import Change, Gap, Reason
from canary.model.changes import Kind as Happened
from canary.model.freshness import Freshness
from canary.observer import Written
from tests.scraping import assert_is, only, read
from tests.virtual_clock import VirtualClock

BOARD = "/lbaas/jobs"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def change(kind: Happened = Happened.POSTED, at: datetime | None = None) -> Change:
    return Change(kind, "job0000000001", 1, 2, None, at, MOMENT)


def written(
    *changes: Change, gaps: Collection[Gap] = (), since: datetime | None = MOMENT
) -> Written:
    return Written(BOARD, changes, tuple(gaps), since, 0.003, (), ())


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def counted(registry: CollectorRegistry) -> WorkerMetrics:
    return WorkerMetrics(registry)


def test_what_a_worker_counts_is_what_is_declared(
    registry: CollectorRegistry, counted: WorkerMetrics
) -> None:
    counted.looked(BOARD, 0.1)
    gap = Gap(MOMENT, MOMENT, Reason.RESTART, 1, 1)
    counted.wrote(Written(BOARD, (change(),), (gap,), MOMENT, 0.1, waited=[1.0], ran=[2.0]))
    assert_is(read(registry), catalogue.COUNTED_BY_WORKER)


def test_rounds(registry: CollectorRegistry, counted: WorkerMetrics) -> None:
    counted.looked(BOARD, 0.004)
    counted.looked(BOARD, 0.2)
    counted.looked("/other/jobs", 0.2)
    told = read(registry)
    assert told.by("board", "canary_rounds_total") == {BOARD: 2, "/other/jobs": 1}
    assert told.value("canary_round_duration_seconds_count") == 3
    assert told.value("canary_round_duration_seconds_bucket", le="0.005") == 1
    assert told.value("canary_round_duration_seconds_sum") == pytest.approx(0.404)


def test_changes_by_kind_and_writes(registry: CollectorRegistry, counted: WorkerMetrics) -> None:
    counted.wrote(written(change(), change(), change(Happened.CLAIMED)))
    counted.wrote(written(change(Happened.NODE_CREATED)))
    counted.failed(BOARD)
    told = read(registry)
    assert told.by("kind", "canary_changes_total", board=BOARD) == {
        "posted": 2,
        "claimed": 1,
        "node_created": 1,
    }
    assert told.value("canary_mongodb_write_duration_seconds_count") == 2
    assert told.value("canary_mongodb_write_duration_seconds_sum") == pytest.approx(0.006)
    assert told.value("canary_mongodb_write_failures_total") == 1


def test_gaps_and_the_unseen(registry: CollectorRegistry, counted: WorkerMetrics) -> None:
    counted.looked(BOARD, 0.1)
    told = read(registry)
    unseen = "canary_unseen_total"
    assert told.by("operation", unseen, board=BOARD) == {"create": 0, "delete": 0}
    gaps = [
        Gap(MOMENT, MOMENT, Reason.COALESCED, 3, 2),
        Gap(MOMENT, MOMENT, Reason.ERA, None, None),
        Gap(MOMENT, MOMENT, Reason.COALESCED, 1, 0),
    ]
    counted.wrote(written(gaps=gaps))
    told = read(registry)
    assert told.by("reason", "canary_gaps_total", board=BOARD) == {"coalesced": 2, "era": 1}
    assert told.by("operation", unseen, board=BOARD) == {"create": 4, "delete": 2}


def test_how_long_jobs_waited_and_ran(registry: CollectorRegistry, counted: WorkerMetrics) -> None:
    counted.wrote(Written(BOARD, (), (), MOMENT, 0.1, waited=[0.5, 70.0], ran=[7200.0]))
    told = read(registry)
    waiting, running = "canary_job_waiting_seconds", "canary_job_running_seconds"
    assert told.value(f"{waiting}_count", board=BOARD) == 2
    assert told.value(f"{waiting}_sum", board=BOARD) == 70.5
    assert told.value(f"{waiting}_bucket", board=BOARD, le="1.0") == 1
    assert told.value(f"{waiting}_bucket", board=BOARD, le="300.0") == 2
    assert told.value(f"{running}_bucket", board=BOARD, le="3600.0") == 0
    assert told.value(f"{running}_bucket", board=BOARD, le="14400.0") == 1


def test_a_lag_is_from_zookeepers_time_to_now(
    registry: CollectorRegistry, counted: WorkerMetrics
) -> None:
    moment = now()
    since = moment - timedelta(hours=1)
    posted = change(at=moment - timedelta(seconds=20))
    unknown = change(Happened.CONSUMED, at=None)
    before = change(at=since - timedelta(seconds=1))  # it was there when the watch began
    ahead = change(at=moment + timedelta(seconds=30))  # by a clock that is fast
    counted.wrote(written(posted, unknown, before, ahead, since=since))
    told = read(registry)
    assert told.value("canary_watch_lag_seconds_count") == 2
    assert told.value("canary_watch_lag_seconds_bucket", le="0.001") == 1, "never negative"
    assert told.value("canary_watch_lag_seconds_bucket", le="10.0") == 1
    assert told.value("canary_watch_lag_seconds_bucket", le="30.0") == 2
    assert told.value("canary_watch_lag_seconds_sum") == pytest.approx(20, abs=5)


def test_what_a_first_look_finds_was_there_before(
    registry: CollectorRegistry, counted: WorkerMetrics
) -> None:
    counted.wrote(Written(BOARD, (change(at=now()),), (), None, 0.1, (1.0,), (2.0,)))
    told = read(registry)
    assert told.by("board", "canary_job_waiting_seconds_count") == {}
    assert told.by("board", "canary_job_running_seconds_count") == {}
    assert told.value("canary_watch_lag_seconds_count") == 0
    assert told.by("kind", "canary_changes_total", board=BOARD) == {"posted": 1}


def test_a_board_that_is_gone_is_forgotten_in_the_end(registry: CollectorRegistry) -> None:
    clock = VirtualClock()
    counted = WorkerMetrics(registry, clock)
    gap = Gap(MOMENT, MOMENT, Reason.RESTART, 1, 1)
    for board in (BOARD, "/stays/jobs"):
        counted.looked(board, 0.1)
        counted.wrote(Written(board, (change(),), (gap,), MOMENT, 0.1, (1.0,), (2.0,)))
    clock.advance(KEEP_LIMIT)
    counted.forget_all_but({"/stays/jobs"})
    assert BOARD in read(registry).text, "its last numbers may not be scraped yet"
    clock.advance(1)
    counted.forget_all_but({"/stays/jobs"})
    told = read(registry)
    assert BOARD not in told.text
    assert told.by("board", "canary_rounds_total") == {"/stays/jobs": 1}
    counted.looked(BOARD, 0.1)
    told = read(registry)
    assert told.value("canary_rounds_total", board=BOARD) == 1
    assert told.by("operation", "canary_unseen_total", board=BOARD) == {"create": 0, "delete": 0}


@dataclass
class Watch:
    path: str
    freshness: Freshness = Freshness.LIVE
    waiting: tuple[int, int] = (0, 0)


@dataclass
class Heart:
    watches: list[Watch]

    def age(self) -> float:
        return 0.5


@dataclass
class Numbers:
    """Whatever has numbers."""

    made: int = 4
    abandoned: int = 3
    reconciled: int = 7
    drift: int = 2
    connections: int = 3
    dropped: int = 6


@dataclass
class Checkpoints:
    interval: float = 300
    written: int = 5
    failed: int = 1

    def ages(self) -> Mapping[str, float]:
        return {"/a/jobs": 12.0, "/b/jobs": 40.0}


def parts(counted: WorkerMetrics, *watches: Watch, checkpoints: Checkpoints | None = None) -> Parts:
    numbers = Numbers()
    return Parts(counted, Heart(list(watches)), numbers, numbers, numbers, checkpoints, numbers)


def test_what_a_workers_parts_know(counted: WorkerMetrics) -> None:
    told = read(
        parts(
            counted,
            Watch("/a/jobs", waiting=(3, 1000)),
            Watch("/b/jobs", waiting=(1, 9000)),
            Watch("/c/jobs", Freshness.MISSING),
            checkpoints=Checkpoints(),
        )
    )
    assert_is(told, catalogue.ASKED_OF_WORKER)
    freshness = told.by("freshness", "canary_boards_watched")
    assert freshness == only(live=2, missing=1)
    assert told.by("board", "canary_checkpoint_age_seconds") == {"/a/jobs": 12, "/b/jobs": 40}
    for name, expected in {
        "canary_outbox_changes": 4,
        "canary_outbox_bytes": 10_000,
        "canary_outbox_largest_changes": 3,
        "canary_outbox_largest_bytes": 9_000,
        "canary_heartbeat_age_seconds": 0.5,
        "canary_watch_claims_total": 4,
        "canary_watch_abandons_total": 3,
        "canary_zookeeper_reconnects_total": 2,
        "canary_reconciliations_total": 7,
        "canary_drift_total": 2,
        "canary_checkpoints_total": 5,
        "canary_checkpoint_failures_total": 1,
        "canary_checkpoint_interval_seconds": 300,
    }.items():
        assert told.value(name) == expected, name


def test_a_worker_with_nothing_to_do(counted: WorkerMetrics) -> None:
    told = read(parts(counted))
    assert told.value("canary_outbox_largest_changes") == 0
    assert told.by("freshness", "canary_boards_watched") == only()
    assert not any("checkpoint" in name for name in told.types), "there is no Cassandra"
