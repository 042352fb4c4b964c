"""Metrics of boards and workers, read from MongoDB when the server is scraped.

Promises: each process asks MongoDB at most once in ``KEEP`` seconds, however often it is scraped,
and in one greenlet at a time. It waits at most ``LIMIT`` seconds. If there is no answer, there are
no figures, never old ones, and ``canary_mongodb_up`` is 0. All processes return the same figures,
except for those ``KEEP`` seconds.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from canary.clock import CLOCK, Clock
from canary.errors import StoreError
from canary.logs.complaint import Complaint
from canary.metrics import catalogue
from canary.metrics.metric import Family
from canary.model.freshness import Freshness
from canary.single_flight import SingleFlight
from canary.stores.queries.metrics import BoardFigures, Figures

LOG = logging.getLogger(__name__)

KEEP: Final = 1.0  # seconds that an answer, or its absence, is kept
LIMIT: Final = 2.0  # seconds for MongoDB to answer

Read = Callable[[float], Figures]


class Boards:
    """A collector of figures that ``read`` returns; it takes a limit in seconds."""

    def __init__(self, read: Read, clock: Clock = CLOCK) -> None:
        self._read, self._clock = read, clock
        self._failing = Complaint(LOG, "no figures for metrics")
        self._asking: SingleFlight[Figures | None] = SingleFlight()
        self._figures: Figures | None = None
        self._until = 0.0  # by the clock's elapsed()

    def describe(self) -> Iterable[Family]:
        """Yield the metrics, without values."""
        return (metric.family() for metric in catalogue.ASKED_OF_MONGODB)

    def collect(self) -> Iterable[Family]:
        """Yield the metrics, with values."""
        figures = self._asking.do("figures", self._ask)
        yield catalogue.MONGODB_UP.only(figures is not None)
        if figures is None:
            return
        yield catalogue.WORKERS.only(figures.workers)
        yield from _families(figures.boards)

    def _ask(self) -> Figures | None:
        if self._until <= self._clock.elapsed():
            try:
                self._figures = self._read(LIMIT)
                self._failing.over()
            except StoreError as error:
                self._failing.say(error)
                self._figures = None
            self._until = self._clock.elapsed() + KEEP
        return self._figures


def _families(boards: Sequence[BoardFigures]) -> Iterable[Family]:
    yield catalogue.BOARD_JOBS.family(
        ((board.now.path, state), count) for board in boards for state, count in board.jobs.items()
    )
    yield catalogue.OLDEST_UNCLAIMED.family(
        ((board.now.path,), board.oldest_unclaimed) for board in boards
    )
    yield catalogue.OLDEST_CLAIMED.family(
        ((board.now.path,), board.oldest_claimed) for board in boards
    )
    yield catalogue.TRASH_COLLISIONS.family(
        ((board.now.path,), board.collisions) for board in boards
    )
    yield catalogue.FRESHNESS.family(
        ((board.now.path, freshness.value), freshness is board.now.freshness)
        for board in boards
        for freshness in Freshness
    )
    yield catalogue.FRESHNESS_AGE.family(
        ((board.now.path,), _age(board, board.now.freshness_since)) for board in boards
    )
    yield catalogue.BOARD_LAG.family(
        ((board.now.path,), _age(board, board.now.live_until))
        for board in boards
        if board.now.live_until is not None
    )
    yield catalogue.BOARD_CHANGES.family(
        ((board.now.path,), board.now.revision) for board in boards
    )
    yield catalogue.BOARD_GAPS.family(
        ((board.now.path, reason), count)
        for board in boards
        for reason, count in board.missed.gaps.items()
    )
    yield catalogue.BOARD_UNSEEN.family(
        ((board.now.path, operation), count)
        for board in boards
        for operation, count in (
            ("create", board.missed.creates),
            ("delete", board.missed.deletes),
        )
    )
    yield catalogue.CLOCK_OFFSET.family(
        ((board.now.path,), board.now.clock_offset)
        for board in boards
        if board.now.clock_offset is not None
    )
    yield catalogue.BOARD_DRIFT.family(((board.now.path,), board.now.drift) for board in boards)


def _age(board: BoardFigures, since: datetime) -> float:
    return max(0.0, (board.now.now - since).total_seconds())
