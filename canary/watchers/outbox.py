"""What a board's rounds found, on its way into the live store.

Promises: steps are written in the order in which they were put, each once; steps that wait are
written together. A store that does not answer delays only this outbox's own greenlet. What waits is
bounded: at ``MAX_CHANGES`` or ``MAX_BYTES``, or when the worker's budget is spent, the outbox
``is_full``, and the watch stops reading until there is room again. The next round then says how
much was not seen one by one. So memory does not grow with an outage.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from gevent.event import Event

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError, Fenced, StoreError
from canary.logs.complaint import Complaint
from canary.model.changes import Change, Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.stores.mongo.client import within
from canary.watchers.budget import Budget
from canary.watchers.watermark import Lag, longest

LOG = logging.getLogger(__name__)

MAX_CHANGES: Final = 20_000  # of one board, waiting or being written
MAX_BYTES: Final = 32 * 2**20
CHANGE_BYTES: Final = 500  # memory that a change takes beside its payload
RETRY_DELAY: Final = 0.25  # seconds before a failed write is tried again; doubled each time
MAX_RETRY_DELAY: Final = 5.0  # seconds
ADMIT_TIMEOUT: Final = 1.0  # seconds to record that a write did not succeed
DRAIN_TIMEOUT: Final = 4.0  # seconds that a stopping watch gives the store
RELEASE_TIMEOUT: Final = 1.0  # seconds at least, after that, to release the board


class Board(Protocol):
    """What an outbox writes to; ``canary.stores.writing.board_writer.LiveBoard`` is one.

    Each method writes everything it is given, once, or raises. After StoreUnavailable or
    StoreRefused it may be called again; Fenced means that another worker has the board. ``state``
    is what was stored when the board was taken.
    """

    path: str
    epoch: int
    state: BoardState

    def add(self, steps: Sequence[Step]) -> None:
        """Take ``steps``, which ``resume`` writes in order."""

    def resume(self, freshness: Freshness, now: datetime) -> None:
        """Write what is left of ``add``'s steps, and the freshness, which holds since ``now``."""

    def mark(self, freshness: Freshness, now: datetime) -> None:
        """Write only the freshness, which holds since ``now``, unless it is stored already."""

    def release(self, now: datetime, known_until: datetime | None, reason: Reason) -> None:
        """Release the board. Does nothing if another worker has it."""


B = TypeVar("B", bound=Board)
#: Compares what is stored of a board with what was on it when that was written.
Comparison = Callable[[B, BoardState], None]


class Outbox(Generic[B]):
    """The steps of one board that are not written yet. Call ``run`` once, in one greenlet.

    ``known_until`` returns the moment up to which everything on the board was put here.
    """

    def __init__(
        self,
        board: B,
        budget: Budget,
        known_until: Callable[[], datetime],
        clock: Clock = CLOCK,
    ) -> None:
        self._board, self._budget, self._known_until = board, budget, known_until
        self._clock = clock
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._state: BoardState | None = None  # of the last step that waits: one for all of them
        self._changes: list[Change] = []
        self._gaps: list[Gap] = []
        self._bytes = 0  # of what waits and what is being written
        self._writing = 0  # changes
        self._lag: Lag | None = None  # of the steps that wait
        self._lag_writing: Lag | None = None  # of what is being written
        self._written: BoardState | None = None  # the last one written; at first the board's own
        self._comparison: Comparison[B] | None = None
        self.is_released = False
        self._reason = Reason.HANDOVER
        self._freshness = Freshness.CATCHING_UP
        self._since: datetime | None = None  # when the freshness changed, until that is written
        self._unfinished = False
        self._deadline = float("inf")  # by the clock's elapsed(), once it has to stop
        self._work, self._room, self._stopping = Event(), Event(), Event()

    def put(self, step: Step, freshness: Freshness, lag: Lag) -> None:
        """Queue a step, and then the board's freshness. ``lag`` is the lag that the step ends."""
        self._state = step.state
        self._lag = longest(self._lag, lag)
        self._changes += step.changes
        self._gaps += step.gaps
        self._hold(self._bytes + weight(step.changes))
        self.show(freshness)
        self._work.set()

    def show(self, freshness: Freshness) -> None:
        """Queue the board's freshness, to be written after everything that was put before."""
        if freshness is not self._freshness:
            self._freshness, self._since = freshness, self._clock.now()
            self._work.set()

    @property
    def freshness(self) -> Freshness:
        """The board's freshness, as it is or will be once everything is written."""
        return self._freshness

    @property
    def waiting(self) -> tuple[int, int]:
        """The number of changes that are not known to be written, and about how many bytes."""
        return len(self._changes) + self._writing, self._bytes

    @property
    def is_written(self) -> bool:
        """Whether everything that was put is written."""
        return not self._unfinished and self._state is None

    def lag(self) -> Lag | None:
        """Return the lag of what is not written yet, or None if everything is."""
        if self._since is None and self._lag is None and self._lag_writing is None:
            return None  # the usual case; every board is asked once a second
        shown = Lag(self._since, self._since) if self._since is not None else None
        return longest(longest(self._lag_writing, self._lag), shown)

    def reconcile(self, comparison: Comparison[B]) -> None:
        """Queue a comparison of what is stored with the last state written, whatever waits."""
        self._comparison = comparison
        self._work.set()

    def is_full(self) -> bool:
        """Return whether nothing may be put now, by the bounds of this board or the worker."""
        count = len(self._changes) + len(self._gaps) + self._writing
        return count >= MAX_CHANGES or self._bytes >= MAX_BYTES or self._budget.is_spent()

    def wait_for_room(self) -> None:
        """Return when the outbox is no longer full, or is stopping."""
        self._budget.tell(self._room)
        try:
            while self.is_full() and not self._stopping.is_set():
                self._room.wait()
                self._room.clear()
        finally:
            self._budget.leave(self._room)

    def stop(self, reason: Reason) -> None:
        """Ask ``run`` to write what is there, within ``DRAIN_TIMEOUT``, and to return.

        ``reason`` is the reason for what happens until the board is taken again.
        """
        self._reason = reason
        self._stopping.set()
        self._work.set()
        self._room.set()

    def run(self) -> None:
        """Write until ``stop``; then release the board.

        Raises Fenced if the board is another worker's: then nothing more can be written.
        """
        try:
            self._write_all()
        finally:
            self._hold(0)
            self._release()

    def _write_all(self) -> None:
        delay = RETRY_DELAY
        failing = Complaint(LOG, "changes could not be written, trying again", self._extra)
        while True:
            if self._stopping.is_set():
                self._deadline = min(self._deadline, self._clock.elapsed() + DRAIN_TIMEOUT)
            if self._is_idle():
                if self._stopping.is_set():
                    return
                self._work.wait()
                self._work.clear()
                continue
            if self._clock.elapsed() >= self._deadline:
                left = len(self._changes) + self._writing
                LOG.warning(
                    "%d changes could not be written before the watch ended",
                    left,
                    extra=self._extra,
                )
                return
            try:
                with within(self._deadline - self._clock.elapsed()):
                    self._write()
                    self._compare()
                delay = RETRY_DELAY
                failing.over()
            except StoreError as error:
                failing.say(error)
                self._admit()
                self._pause(delay)
                delay = min(delay * 2, MAX_RETRY_DELAY)

    def _admit(self) -> None:
        """Mark the board as catching up while what is known of it can't be written.

        If not even this can be written, MongoDB is away, and the server answers with that.
        """
        try:
            with within(min(ADMIT_TIMEOUT, self._deadline - self._clock.elapsed())):
                self._board.mark(Freshness.CATCHING_UP, self._clock.now())
        except StoreError:
            return
        self._since = self._since or self._clock.now()  # afterwards the true one is due again

    def _pause(self, delay: float) -> None:
        """Wait before the next try; the wait is shorter while stopping."""
        if self._stopping.is_set() or self._clock.wait(self._stopping, delay):
            self._clock.sleep(RETRY_DELAY)

    def _is_idle(self) -> bool:
        return not (self._unfinished or self._state or self._since or self._comparison)

    def _write(self) -> None:
        if self._unfinished:
            self._board.resume(self._freshness, self._clock.now())
            self._finished()
        if self._state is not None:
            self._hand_over(self._state)
            self._board.resume(self._freshness, self._clock.now())
            self._finished()
        if self._since is not None:
            since, self._since = self._since, None
            try:
                self._board.mark(self._freshness, since)
            except StoreError:
                self._since = self._since or since
                raise

    def _hand_over(self, state: BoardState) -> None:
        """Take everything that waits, and give it to the board's writer.

        It is one method because no greenlet may run in between: what is put meanwhile would be
        lost, or a heartbeat would say that nothing is still to be written.
        """
        step = Step(state, tuple(self._changes), tuple(self._gaps))
        self._state, self._changes, self._gaps = None, [], []
        self._lag_writing, self._lag = self._lag, None
        self._unfinished, self._writing = True, len(step.changes)
        self._written = step.state
        self._board.add([step])

    def _compare(self) -> None:
        comparison, self._comparison = self._comparison, None
        if comparison is None:
            return
        try:
            comparison(self._board, self._written or self._board.state)
        except Fenced:
            raise
        except CanaryError as error:  # the comparison becomes due again
            LOG.warning("the board was not compared with MongoDB: %s", error, extra=self._extra)

    def _hold(self, held: int) -> None:
        self._budget.charge(held - self._bytes)
        self._bytes = held

    def _finished(self) -> None:
        """Record that everything is written, except what was put meanwhile."""
        self._unfinished, self._writing = False, 0
        self._lag_writing = None
        self._hold(weight(self._changes))
        self._room.set()

    def _release(self) -> None:
        try:
            with within(max(RELEASE_TIMEOUT, self._deadline - self._clock.elapsed())):
                lag = self.lag()
                known = min(lag.since, self._known_until()) if lag else self._known_until()
                self._board.release(self._clock.now(), known, self._reason)
            self.is_released = True
        except CanaryError as error:
            LOG.warning("the board was not released: %s", error, extra=self._extra)


def weight(changes: Sequence[Change]) -> int:
    """Return about how many bytes of memory ``changes`` hold until they are written."""
    payloads = sum(change.payload.weight for change in changes if change.payload)
    names = sum(len(change.uuid or "") + len(change.owner or "") for change in changes)
    return CHANGE_BYTES * len(changes) + names + payloads
