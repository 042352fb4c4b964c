"""What a board's rounds found, on its way into the live store.

Promises: steps are written in the order in which they were put, each once, together where several
wait; a store that is away delays nobody but this outbox's own greenlet. What waits is bounded:
past ``MAX_CHANGES`` or ``MAX_BYTES``, or when the worker's budget is spent, it ``is_full``, and the
watch stops reading until there is room again; one round then says how much was not seen one by one.
So memory does not grow with an outage.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import gevent
from gevent.event import Event

from canary.clock import now
from canary.errors import CanaryError, Fenced, StoreError
from canary.model.changes import Change, Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.stores.mongo import within
from canary.stores.writer import LiveBoard
from canary.watchers.budget import Budget
from canary.watchers.horizon import Lag, longest

LOG = logging.getLogger(__name__)

MAX_CHANGES: Final = 20_000  # of one board, waiting or being written
MAX_BYTES: Final = 32 * 2**20
CHANGE_BYTES: Final = 500  # what a change takes in memory beside its payload
RETRY_DELAY: Final = 0.25  # seconds before a failed write is tried again; doubled each time
MAX_RETRY_DELAY: Final = 5.0  # seconds
ADMIT_TIMEOUT: Final = 1.0  # seconds to say that a write did not succeed
DRAIN_TIMEOUT: Final = 4.0  # seconds that a stopping watch gives the store


#: Compares what is stored of a board with what was on it when that was written.
Comparison = Callable[[LiveBoard, BoardState], None]


class Outbox:
    """The steps of one board that are not written yet. ``run`` is one greenlet's; call it once.

    ``known_until`` tells up to when all that happened on the board was put here.
    """

    def __init__(
        self, board: LiveBoard, budget: Budget, known_until: Callable[[], datetime]
    ) -> None:
        self._board, self._budget, self._known_until = board, budget, known_until
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._state: BoardState | None = None  # of the last step that waits: one for all of them
        self._changes: list[Change] = []
        self._gaps: list[Gap] = []
        self._bytes = 0  # of what waits, and of what is being written
        self._writing = 0  # changes
        self._lag: Lag | None = None  # of the steps that wait
        self._lag_writing: Lag | None = None  # of what is being written
        self._written: BoardState | None = None  # the last state that is; at first the board's own
        self._comparison: Comparison | None = None
        self.is_released = False
        self._reason = Reason.HANDOVER
        self._freshness = Freshness.CATCHING_UP
        self._since: datetime | None = None  # when it changed, until that is written
        self._unfinished = False
        self._deadline = float("inf")  # by the monotonic clock, once it is to stop
        self._work, self._room, self._stopping = Event(), Event(), Event()

    def put(self, step: Step, freshness: Freshness, lag: Lag) -> None:
        """Have a step written, and then show the board's freshness; ``lag`` is what it ends."""
        self._state = step.state
        self._lag = longest(self._lag, lag)
        self._changes += step.changes
        self._gaps += step.gaps
        self._hold(self._bytes + weight(step.changes))
        self.show(freshness)
        self._work.set()

    def show(self, freshness: Freshness) -> None:
        """Have the board's freshness written, after all that was put before."""
        if freshness is not self._freshness:
            self._freshness, self._since = freshness, now()
            self._work.set()

    @property
    def freshness(self) -> Freshness:
        """What the board is shown as, or will be once all is written."""
        return self._freshness

    @property
    def waiting(self) -> tuple[int, int]:
        """How many changes, and about how many bytes, are not known to be written."""
        return len(self._changes) + self._writing, self._bytes

    @property
    def is_written(self) -> bool:
        """Whether all that was put is written."""
        return not self._unfinished and self._state is None

    def lag(self) -> Lag | None:
        """Return what is not written yet, None if there is nothing to write."""
        if self._since is None and self._lag is None and self._lag_writing is None:
            return None  # as almost always, and every board is asked once a second
        shown = Lag(self._since, self._since) if self._since is not None else None
        return longest(longest(self._lag_writing, self._lag), shown)

    def reconcile(self, comparison: Comparison) -> None:
        """Have what is stored compared with the state that was written last, whatever waits."""
        self._comparison = comparison
        self._work.set()

    def is_full(self) -> bool:
        """Tell whether nothing more may be put for now, by this board's bounds or the worker's."""
        count = len(self._changes) + len(self._gaps) + self._writing
        return count >= MAX_CHANGES or self._bytes >= MAX_BYTES or self._budget.is_spent()

    def wait_for_room(self) -> None:
        """Return when it is not full any more, or stopping."""
        self._budget.tell(self._room)
        try:
            while self.is_full() and not self._stopping.is_set():
                self._room.wait()
                self._room.clear()
        finally:
            self._budget.leave(self._room)

    def stop(self, reason: Reason) -> None:
        """Ask ``run`` to write what is there, for a moment, and then to come to an end.

        ``reason`` is what is to blame for what happens until the board is taken again.
        """
        self._reason = reason
        self._stopping.set()
        self._work.set()
        self._room.set()

    def run(self) -> None:
        """Write until told to stop; then give the board up.

        Raises Fenced where the board is another worker's: then nothing more can be written.
        """
        try:
            self._write_all()
        finally:
            self._hold(0)
            self._release()

    def _write_all(self) -> None:
        delay = RETRY_DELAY
        while True:
            if self._stopping.is_set():
                self._deadline = min(self._deadline, time.monotonic() + DRAIN_TIMEOUT)
            if self._is_idle():
                if self._stopping.is_set():
                    return
                self._work.wait()
                self._work.clear()
                continue
            if time.monotonic() >= self._deadline:
                left = len(self._changes) + self._writing
                LOG.warning("%d changes are not written", left, extra=self._extra)
                return
            try:
                with within(self._deadline - time.monotonic()):
                    self._write()
                    self._compare()
                delay = RETRY_DELAY
            except StoreError as error:
                LOG.warning("not written, will be tried again: %s", error, extra=self._extra)
                self._admit()
                self._pause(delay)
                delay = min(delay * 2, MAX_RETRY_DELAY)

    def _admit(self) -> None:
        """Have the board shown as catching up while what is known of it can't be written.

        Where even this can't be, MongoDB is away, and whoever asks is told that.
        """
        try:
            with within(min(ADMIT_TIMEOUT, self._deadline - time.monotonic())):
                self._board.mark(Freshness.CATCHING_UP, now())
        except StoreError:
            return
        self._since = self._since or now()  # and once it is written, what it is then

    def _pause(self, delay: float) -> None:
        """Wait before the next try, shorter once it is the time to stop."""
        if self._stopping.is_set() or self._stopping.wait(delay):
            gevent.sleep(RETRY_DELAY)

    def _is_idle(self) -> bool:
        return not (self._unfinished or self._state or self._since or self._comparison)

    def _write(self) -> None:
        if self._unfinished:
            self._board.resume(self._freshness, now())
            self._finished()
        if self._state is not None:
            step = Step(self._state, tuple(self._changes), tuple(self._gaps))
            self._state, self._changes, self._gaps = None, [], []
            self._lag_writing, self._lag = self._lag, None
            self._unfinished, self._writing = True, len(step.changes)
            self._written = step.state
            self._board.write([step], self._freshness, now())
            self._finished()
        if self._since is not None:
            since, self._since = self._since, None
            try:
                self._board.mark(self._freshness, since)
            except StoreError:
                self._since = self._since or since
                raise

    def _compare(self) -> None:
        comparison, self._comparison = self._comparison, None
        if comparison is None:
            return
        try:
            comparison(self._board, self._written or self._board.state)
        except Fenced:
            raise
        except CanaryError as error:  # it will be due again
            LOG.warning("not compared: %s", error, extra=self._extra)

    def _hold(self, held: int) -> None:
        self._budget.charge(held - self._bytes)
        self._bytes = held

    def _finished(self) -> None:
        """All but what was put meanwhile is written."""
        self._unfinished, self._writing = False, 0
        self._lag_writing = None
        self._hold(weight(self._changes))
        self._room.set()

    def _release(self) -> None:
        try:
            with within(max(1.0, self._deadline - time.monotonic())):
                lag = self.lag()
                known = min(lag.since, self._known_until()) if lag else self._known_until()
                self._board.release(now(), known, self._reason)
            self.is_released = True
        except CanaryError as error:
            LOG.warning("not released: %s", error, extra=self._extra)


def weight(changes: Sequence[Change]) -> int:
    """Return about how many bytes of memory changes hold until they are written."""
    payloads = sum(change.payload.weight for change in changes if change.payload)
    names = sum(len(change.uuid or "") + len(change.owner or "") for change in changes)
    return CHANGE_BYTES * len(changes) + names + payloads
