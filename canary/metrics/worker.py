"""What a worker counts as it happens.

Promises: changes, gaps and unseen operations are counted when MongoDB has them, each once. A worker
that dies during a write may have counted less, never more. Nothing here waits.

A lag is the difference between two clocks: the clock of ZooKeeper's leader, which dates the nodes,
and MongoDB's as this process knows it (``canary.clock``). It is never negative. If the clocks
differ by more than ``canary.model.skew`` tolerates, ZooKeeper's time is corrected first. A smaller
difference is not noticed.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

from prometheus_client import CollectorRegistry

from canary.clock import CLOCK, Clock
from canary.metrics import catalogue
from canary.metrics.by_board import ByBoard
from canary.metrics.metric import Metric
from canary.observer import Written

KEEP_LIMIT: Final = 900.0  # seconds that a board's series outlive its watch: many scrapes


class WorkerMetrics:
    """An observer that counts, with its metrics in ``registry``."""

    def __init__(self, registry: CollectorRegistry, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._lag = catalogue.LAG.histogram(registry)
        self._rounds = ByBoard(catalogue.ROUNDS, Metric.counter, registry)
        self._round_duration = catalogue.ROUND_DURATION.histogram(registry)
        self._changes = ByBoard(catalogue.CHANGES, Metric.counter, registry)
        self._gaps = ByBoard(catalogue.GAPS, Metric.counter, registry)
        self._unseen = ByBoard(catalogue.UNSEEN, Metric.counter, registry)
        self._waiting = ByBoard(catalogue.WAITING, Metric.histogram, registry)
        self._running = ByBoard(catalogue.RUNNING, Metric.histogram, registry)
        self._write_duration = catalogue.WRITE_DURATION.histogram(registry)
        self._write_failures = catalogue.WRITE_FAILURES.counter(registry)
        self._of_boards = (
            *(self._rounds, self._changes, self._gaps, self._unseen),
            *(self._waiting, self._running),
        )
        self._last_watched: dict[str, float] = {}  # boards with series, by elapsed()

    def looked(self, board: str, seconds: float) -> None:
        """Count a round."""
        if board not in self._last_watched:
            self._begin(board)
        self._rounds.of(board).inc()
        self._round_duration.observe(seconds)

    def wrote(self, written: Written) -> None:
        """Count what was written, and how long it took."""
        self._write_duration.observe(written.seconds)
        board, moment = written.board, self._clock.now()
        for kind, count in Counter(change.kind for change in written.changes).items():
            self._changes.of(board).labels(kind.value).inc(count)
        for gap in written.gaps:
            self._gaps.of(board).labels(gap.reason.value).inc()
            self._unseen.of(board).labels("create").inc(gap.creates or 0)
            self._unseen.of(board).labels("delete").inc(gap.deletes or 0)

        if written.watched_since is None:
            return  # all of it was there before anybody watched
        for change in written.changes:
            # An edit may be found only by the next comparison, so it has no lag.
            is_live = change.at is not None and change.edit is None
            happened_at = change.happened_at
            if is_live and happened_at >= written.watched_since:
                self._lag.observe(max(0.0, (moment - happened_at).total_seconds()))
        for metric, durations in ((self._waiting, written.waited), (self._running, written.ran)):
            for seconds in durations:
                metric.of(board).observe(seconds)

    def failed(self, board: str) -> None:  # noqa: ARG002 -- counted for all boards together
        """Count a write that failed."""
        self._write_failures.inc()

    def forget_all_but(self, watched: Collection[str]) -> None:
        """Drop the series of boards that have not been in ``watched`` for ``KEEP_LIMIT`` seconds.

        Otherwise there would be series for every board that this worker ever watched.
        """
        moment = self._clock.elapsed()
        self._last_watched |= dict.fromkeys(self._last_watched.keys() & watched, moment)
        for board, last in list(self._last_watched.items()):
            if moment - last > KEEP_LIMIT:
                del self._last_watched[board]
                for metric in self._of_boards:
                    metric.forget(board)

    def _begin(self, board: str) -> None:
        """Expose a board's unseen operations as 0, so that the first one is an increase."""
        self._last_watched[board] = self._clock.elapsed()
        for operation in ("create", "delete"):
            self._unseen.of(board).labels(operation)
