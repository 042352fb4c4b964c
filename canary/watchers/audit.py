"""Comparing a board with ZooKeeper and with what is stored of it: when, and how far that has come.

A board is read again a portion at a time, each with a look that is made anyway or for nothing else:
so a board that never stands still is compared as well, and a large one is not blind for a second.
Then the store's is compared with the state that was written last, whatever waits to be written: of
a small board, with what is read of many at once; if that does not agree, it is asked for alone.

Promises: what was wrong is mended, counted once, logged as an error, and lies in a gap that begins
where all was right the last time.
"""

import logging
import random
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from canary.clock import now
from canary.errors import CanaryError
from canary.model.changes import Gap, Reason
from canary.model.state import BoardState, Step
from canary.stores.documents import Document
from canary.stores.mending import Fetch, Found
from canary.stores.writer import LiveBoard
from canary.watchers.context import WatchContext
from canary.watchers.looking import Look, Sizes
from canary.watchers.outbox import Outbox

LOG = logging.getLogger(__name__)

PORTION: Final = 500  # jobs that are read again with one look: some 50 ms
SLOTS: Final = 12  # in an interval; small boards of one are asked for at once, a third of the cost
SMALL: Final = 20  # nodes; what is stored of boards with more is read alone, piece by piece
MAX_WORDS: Final = 20  # of differences, in a log line


class Audit:
    """One board's, again and again. Used by the greenlet that reads the board.

    The comparison that it hands to the outbox is the writing one's to call.
    """

    def __init__(self, context: WatchContext, board: LiveBoard) -> None:
        self._interval, self._tally = context.reconcile_interval, context.tally
        self._path, self._together = board.path, context.together
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._since = board.state.seen_at or now()  # from then on it is not known that all is right
        # Boards that were taken at once are compared evenly spread over the time that there is.
        self._due = self._turn_in(self._interval * random.random(), board.state)  # noqa: S311
        self._left: set[str] | None = None  # jobs; None while nothing is due
        self._begun = self._since
        self._sizes: dict[tuple[str, int], int] = {}
        self._wrong: list[str] = []  # and not counted yet

    def _turn_in(self, seconds: float, state: BoardState) -> float:
        """Return when its turn in ``seconds`` is, as time.monotonic().

        For a small board that is where a slot begins, so that others are asked for with it.
        """
        moment = time.monotonic() + seconds
        return moment - moment % (self._interval / SLOTS) if _is_small(state) else moment

    def left(self) -> float:
        """Return in how many seconds a look should be made for it."""
        return max(0.0, self._due - time.monotonic())

    def portion(self, jobs: Collection[str], moment: datetime) -> frozenset[str] | None:
        """Return which of ``jobs``, all that are known, to read again; None where it is not due.

        ``moment`` is when the board was listed.
        """
        if self.left() > 0:
            return None
        if self._left is None:
            self._left, self._begun, self._sizes = set(jobs), moment, {}
        self._left &= set(jobs)
        return frozenset(islice(self._left, PORTION))

    def checked(self, names: Collection[str], sizes: Sizes) -> bool:
        """Note that those called ``names`` were; tell whether that was all that is due."""
        if self._left is None:
            return False
        self._left.difference_update(names)
        self._sizes |= sizes
        return not self._left

    def judged(self, look: Look) -> Step:
        """Note what was wrong about what was known; return the step with the gap that it makes."""
        step = look.step
        if not look.wrong or step.state.seen_at is None:
            return step
        words = ", ".join(look.wrong[:MAX_WORDS])
        LOG.error("what was known was wrong: %s", words, extra=self._extra)
        self._wrong += look.wrong
        gap = Gap(self._since, step.state.seen_at, Reason.DRIFT, 0, 0)
        return replace(step, gaps=(*step.gaps, gap))

    def compare(self, state: BoardState, fetch: Fetch, outbox: Outbox) -> None:
        """End it, until it is due again; have what is stored compared with what was written.

        At once, or when what is stored was read. ``state`` is the board's now; ``fetch`` reads a
        job's payload.
        """
        self._left, self._due = None, self._turn_in(self._interval, state)
        sizes, self._sizes = self._sizes, {}
        found, begun = Found(fetch, sizes, self._since), self._begun

        def compare(stored: list[Document] | None) -> None:
            # What is read before all is written does not agree, and is not kept until it is.
            kept = replace(found, stored=stored if outbox.is_written else None)
            outbox.reconcile(partial(self._compare, kept, begun))

        if self._together is not None and _is_small(state):
            self._together.ask(self._path, compare)
        else:
            compare(None)

    def _compare(self, found: Found, begun: datetime, board: LiveBoard, state: BoardState) -> None:
        wrong, self._wrong = self._wrong, []
        try:
            mended = board.reconcile(state, found, now(), wrong)
        except CanaryError:
            self._wrong = wrong + self._wrong
            raise
        self._since = begun
        self._tally.reconciled += 1
        self._tally.drift += len(mended)
        if mended:
            words = ", ".join(mended[:MAX_WORDS])
            extra = {**self._extra, "revision": board.revision}
            LOG.error("%d differences were mended: %s", len(mended), words, extra=extra)


def _is_small(state: BoardState) -> bool:
    return len(state.jobs) + len(state.others) <= SMALL
