"""What MongoDB knows of boards and workers, asked when the server is scraped.

Promises: MongoDB is asked once in ``KEEP`` seconds at most by each process, however often it is
scraped, and by one greenlet at a time; within ``LIMIT`` there is an answer or none. Without one
there are no figures, never old ones, but ``canary_mongodb_up`` says 0. All processes say the same,
but for those seconds.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from canary.errors import StoreError
from canary.metrics import catalogue
from canary.metrics.metric import Family
from canary.model.freshness import Freshness
from canary.stores.figures import BoardFigures, Figures

LOG = logging.getLogger(__name__)

KEEP: Final = 1.0  # seconds that an answer, or that there was none, is kept
LIMIT: Final = 2.0  # seconds for MongoDB to answer

Read = Callable[[float], Figures]


class Boards:
    """A collector of what ``read`` tells, within as many seconds as it is given."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = threading.Lock()  # over the two below; who waits for it gets the same answer
        self._figures: Figures | None = None
        self._until = 0.0  # by the monotonic clock

    def describe(self) -> Iterable[Family]:
        """Yield what it collects, without values."""
        return (metric.family() for metric in catalogue.ASKED_OF_MONGODB)

    def collect(self) -> Iterable[Family]:
        """Yield it with values."""
        figures = self._ask()
        yield catalogue.MONGODB_UP.only(figures is not None)
        if figures is None:
            return
        yield catalogue.WORKERS.only(figures.workers)
        yield from _families(figures.boards)

    def _ask(self) -> Figures | None:
        with self._lock:
            if self._until <= time.monotonic():
                try:
                    self._figures = self._read(LIMIT)
                except StoreError as error:
                    LOG.warning("no figures for metrics: %s", error)
                    self._figures = None
                self._until = time.monotonic() + KEEP
            return self._figures


def _families(boards: Sequence[BoardFigures]) -> Iterable[Family]:
    yield catalogue.BOARD_JOBS.family(
        ((board.now.path, state), count) for board in boards for state, count in board.jobs.items()
    )
    yield catalogue.OLDEST_UNCLAIMED.family(
        ((board.now.path,), board.oldest_unclaimed) for board in boards
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
    yield catalogue.BOARD_DRIFT.family(((board.now.path,), board.now.drift) for board in boards)


def _age(board: BoardFigures, since: datetime) -> float:
    return max(0.0, (board.now.now - since).total_seconds())
