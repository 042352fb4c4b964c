"""When a board is compared with ZooKeeper and with MongoDB, and how far a comparison has come.

A board is read again page by page, each page within a round, which is made for it if no other is
due. So a board that changes all the time is compared as well, and reading a large board blinds no
watch for a second. Then what is stored is compared with the state that was written last, whatever
waits to be written. A small board is first compared with the result of a query for many boards. If
that does not agree, the board is read alone.

Promises: a difference is repaired, counted once, logged as an error, and lies in a gap that begins
when everything was last known to be right.
"""

import logging
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from canary.model.changes import Gap, Reason
from canary.model.jobs import Job
from canary.model.payload.payload import Payload
from canary.model.state import BoardState, Step
from canary.stores.mongo.documents import Document
from canary.stores.writing.batches import BATCH_BYTES, BATCH_CHANGES
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.reconcile import Found, JobKey, job_key
from canary.watchers.context import WatchContext
from canary.watchers.outbox import Outbox
from canary.watchers.round import Round, Sizes

LOG = logging.getLogger(__name__)

Fetch = Callable[[Job], Payload | None]

PAGE: Final = 500  # jobs that are read again in one round, which takes some 50 ms
SLOTS: Final = 12  # per interval; one query for the small boards of a slot costs a third
SMALL: Final = 20  # nodes; what is stored of a larger board is read alone, piece by piece
MAX_WORDS: Final = 20  # number of differences in a log line


@dataclass(frozen=True, slots=True)
class _Lost:
    """Jobs whose payloads a comparison lacks, what it found so far, and when it began."""

    jobs: Sequence[Job]
    found: Found
    begun: datetime


class Reconciler:
    """The comparisons of one board, one after the other.

    It is used by the greenlet that reads the board. The writing greenlet runs the comparison that
    is handed to the outbox. ``wake`` is called when ``read_lost`` has something to read.
    """

    def __init__(self, context: WatchContext, board: LiveBoard, wake: Callable[[], None]) -> None:
        self._wake, self._clock = wake, context.clock
        self._lost: _Lost | None = None
        self._interval, self._tally = context.reconcile_interval, context.tally
        self._path, self._together = board.path, context.together
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._since = (
            board.state.seen_at or self._clock.now()
        )  # since then it is unknown whether all is right
        # Boards that were taken at once are compared evenly spread over the interval.
        self._due = self._turn_in(self._interval * random.random(), board.state)  # noqa: S311
        self._left: set[str] | None = None  # names of jobs; None while nothing is due
        self._begun = self._since
        self._sizes: dict[tuple[str, int], int] = {}
        self._wrong: list[str] = []  # not counted yet

    def _turn_in(self, seconds: float, state: BoardState) -> float:
        """Return when the board's turn in ``seconds`` is, by the clock's elapsed().

        A small board's turn is moved to the beginning of its slot, so that one query covers others
        too.
        """
        moment = self._clock.elapsed() + seconds
        return moment - moment % (self._interval / SLOTS) if _is_small(state) else moment

    def left(self) -> float:
        """Return the seconds until a round is due for the comparison."""
        return max(0.0, self._due - self._clock.elapsed())

    def page(self, jobs: Collection[str], moment: datetime) -> frozenset[str] | None:
        """Return which of ``jobs`` to read again, at most ``PAGE``, or None if none is due.

        ``jobs`` are the names of all known jobs. ``moment`` is when the board was listed.
        """
        if self.left() > 0:
            return None
        if self._left is None:
            self._left, self._begun, self._sizes = set(jobs), moment, {}
        self._left &= set(jobs)
        return frozenset(islice(self._left, PAGE))

    def checked(self, names: Collection[str], sizes: Sizes) -> bool:
        """Record that the jobs ``names`` were read; return whether that was the last page.

        ``sizes`` are their sizes by name and zxid.
        """
        if self._left is None:
            return False
        self._left.difference_update(names)
        self._sizes |= sizes
        return not self._left

    def judged(self, found: Round) -> Step:
        """Record what the round found wrong; return its step with the gap that this makes."""
        step = found.step
        if not found.wrong or step.state.seen_at is None:
            return step
        words = ", ".join(found.wrong[:MAX_WORDS])
        LOG.error("the known state of the board was wrong: %s", words, extra=self._extra)
        self._wrong += found.wrong
        gap = Gap(self._since, step.state.seen_at, Reason.DRIFT, 0, 0)
        return replace(step, gaps=(*step.gaps, gap))

    def compare(self, state: BoardState, outbox: Outbox[LiveBoard]) -> None:
        """End the reading, and queue the comparison of what is stored with what was written.

        It is queued at once, or when the shared query has been answered. ``state`` is the board's
        state now.
        """
        self._left, self._due = None, self._turn_in(self._interval, state)
        sizes, self._sizes = self._sizes, {}
        found, begun = Found(sizes, self._since), self._begun

        def compare(stored: list[Document] | None) -> None:
            # What is read before everything is written does not agree, so it is not kept.
            kept = replace(found, stored=stored if outbox.is_written else None)
            outbox.reconcile(partial(self._compare, kept, begun))

        if self._together is not None and _is_small(state):
            self._together.ask(self._path, compare)
        else:
            compare(None)

    def read_lost(self, fetch: Fetch, outbox: Outbox[LiveBoard]) -> None:
        """Read the payloads that a repair needs, and queue the comparison again.

        Does nothing if none is needed. Of many payloads only the first are read; the next
        comparison needs the others. ``fetch`` reads a job's payload.
        """
        lost, self._lost = self._lost, None
        if lost is None:
            return
        payloads: dict[JobKey, Payload | None] = {}
        held = 0
        for job in lost.jobs[:BATCH_CHANGES]:
            payload = payloads[job_key(job)] = fetch(job)
            held += payload.weight if payload else 0
            if held >= BATCH_BYTES:
                break
        again = replace(lost.found, payloads=payloads, stored=None, since=self._since)
        outbox.reconcile(partial(self._compare, again, lost.begun))

    def _compare(self, found: Found, begun: datetime, board: LiveBoard, state: BoardState) -> None:
        """Compare. Runs in the writing greenlet, so it reads nothing from ZooKeeper."""
        wrong, self._wrong = self._wrong, []
        moment = self._clock.now()
        done = board.reconcile(state, found, moment, wrong)
        self._tally.drift += len(done.words)
        if done.unread:
            self._since = moment if done.words else self._since
            self._lost = _Lost(done.unread, found, begun)
            self._wake()
        else:
            self._since = begun
            self._tally.reconciled += 1
        if done.words:
            words = ", ".join(done.words[:MAX_WORDS])
            extra = {**self._extra, "revision": board.revision}
            LOG.error(
                "%d differences from ZooKeeper were repaired: %s",
                len(done.words),
                words,
                extra=extra,
            )


def _is_small(state: BoardState) -> bool:
    return len(state.jobs) + len(state.others) <= SMALL
