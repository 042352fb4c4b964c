"""What a worker counts as it happens.

Promises: what is counted of changes, gaps and the unseen is what MongoDB has taken, each once; a
worker that dies at the moment of a write may have counted less, never more. Nothing here waits.

A lag is the difference of two clocks: that of ZooKeeper's leader, which dates what it holds, and
MongoDB's as this process knows it (``canary.clock``). It is off by as much as they disagree, and
never negative.
"""

import time
from collections import Counter
from collections.abc import Collection
from typing import Final

from prometheus_client import CollectorRegistry

from canary.clock import now
from canary.metrics import catalogue
from canary.metrics.by_board import ByBoard
from canary.metrics.metric import Metric
from canary.observer import Written

KEEP_LIMIT: Final = 900.0  # seconds that a board's series outlive its watch: many a scrape


class WorkerMetrics:
    """An observer that counts. Its metrics are in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self._last_watched: dict[str, float] = {}  # boards with series, by the monotonic clock

    def looked(self, board: str, seconds: float) -> None:
        """Count a round."""
        if board not in self._last_watched:
            self._begin(board)
        self._rounds.of(board).inc()
        self._round_duration.observe(seconds)

    def wrote(self, written: Written) -> None:
        """Count what is written."""
        self._write_duration.observe(written.seconds)
        board, moment = written.board, now()
        for kind, count in Counter(change.kind for change in written.changes).items():
            self._changes.of(board).labels(kind.value).inc(count)
        for gap in written.gaps:
            self._gaps.of(board).labels(gap.reason.value).inc()
            self._unseen.of(board).labels("create").inc(gap.creates or 0)
            self._unseen.of(board).labels("delete").inc(gap.deletes or 0)

        if written.watched_since is None:
            return  # all of it was so before anybody watched
        for change in written.changes:
            if change.at is not None and change.at >= written.watched_since:
                self._lag.observe(max(0.0, (moment - change.at).total_seconds()))
        for metric, durations in ((self._waiting, written.waited), (self._running, written.ran)):
            for seconds in durations:
                metric.of(board).observe(seconds)

    def failed(self, board: str) -> None:  # noqa: ARG002 -- the observer's; MongoDB is one for all
        """Count a write that did not succeed."""
        self._write_failures.inc()

    def forget_all_but(self, watched: Collection[str]) -> None:
        """Forget the boards that have not been among ``watched`` for ``KEEP_LIMIT``.

        Else their series would be those of every board that ever came by.
        """
        moment = time.monotonic()
        self._last_watched |= dict.fromkeys(self._last_watched.keys() & watched, moment)
        for board, last in list(self._last_watched.items()):
            if moment - last > KEEP_LIMIT:
                del self._last_watched[board]
                for metric in self._of_boards:
                    metric.forget(board)

    def _begin(self, board: str) -> None:
        """Show what has not happened yet on a board as 0, for its first time to be an increase."""
        self._last_watched[board] = time.monotonic()
        for operation in ("create", "delete"):
            self._unseen.of(board).labels(operation)
