"""The watch of one board: it runs rounds and hands what they find to the live store.

One greenlet reads and compares. The outbox's greenlet writes, so rounds continue during a write.
ZooKeeper is never blocked by the store.

Promises: each change on the board is handed to the store once. ``run`` returns after ``stop``, when
what was read is stored, as far as the store accepts it within the outbox's limits. ``run`` raises
if the watch can't continue: ``Fenced`` if another worker has the board, ``ZooKeeperUnavailable`` if
the session is over or may be (no answer for the session's timeout), and whatever a defect raises. A
gap begins at the watermark, not at the last round. If a round finds changes that no watch reported
as they happened, a gap covers them.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import gevent
from gevent.event import Event
from kazoo.protocol.states import KazooState

from canary.errors import BoardDenied, BoardMissing, ZooKeeperUnavailable
from canary.logs.complaint import Complaint
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.rounds import advance_missing
from canary.model.state import Step
from canary.stores.writing.board_writer import LiveBoard
from canary.watchers.blame import Blame
from canary.watchers.context import WatchContext
from canary.watchers.outbox import Outbox
from canary.watchers.reconciler import Reconciler
from canary.watchers.watermark import Lag, Watermark, longest
from canary.watchers.zookeeper import board_round
from canary.watchers.zookeeper.board_reader import BoardReader
from canary.zookeeper import Contact
from canary.zookeeper.node_watch import NodeWatch

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 0.5  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 10.0  # seconds; a restored ACL fires no watch
CHECK_INTERVAL: Final = 30.0  # seconds without an event until the watches are checked
SESSION_OVER: Final = "the session and its claim have ended"


class BoardWatch:
    """One watch of one board, for one claim on its watch job."""

    def __init__(self, context: WatchContext, board: LiveBoard) -> None:
        self.path, self.board = board.path, board
        self._context = context
        self._client, self._pulse, self._clock = context.client, context.pulse, context.clock
        self._watermark = Watermark(context.pulse, board.state.seen_at, context.clock)
        self._outbox = Outbox(board, context.budget, self._watermark.until, context.clock)
        self._state = board.state
        self._blame = Blame(board.reason)
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._wake, self._stop = Event(), Event()
        self._reconciler = Reconciler(context, board, self._wake.set)
        self._suspects: set[str] = set()
        self._reconnected = True
        self._failure: Exception | None = None

    def stop(self) -> None:
        """Ask ``run`` to return. May be called from any greenlet, and twice."""
        self._stop.set()

    @property
    def is_released(self) -> bool:
        """Whether the store has recorded the end of this watch."""
        return self._outbox.is_released

    @property
    def freshness(self) -> Freshness:
        """The board's freshness, as far as its watch knows."""
        return self._outbox.freshness

    @property
    def waiting(self) -> tuple[int, int]:
        """The number of changes that wait to be stored, and their bytes of memory."""
        return self._outbox.waiting

    def has_claims(self) -> bool:
        """Return whether any job of the board is claimed, as far as its watch knows."""
        return any(job.lock for job in self._state.jobs.values())

    def lag(self) -> Lag | None:
        """Return the lag of what is not stored yet, or None if everything is."""
        return longest(self._watermark.lag(), self._outbox.lag())

    def run(self) -> None:
        """Watch until ``stop``. The module's docstring says what is raised."""
        reader = BoardReader(self._context, self.path, self._changed)
        node = NodeWatch(self._client, self.path, self._wake.set, self._watermark.touch)
        self._client.add_listener(self._on_state)
        self._pulse.add_listener(self._on_contact)
        writing = gevent.spawn(self._guarded, self._outbox.run)
        reading = gevent.spawn(self._guarded, partial(self._read_loop, node, reader))
        try:
            self._stop.wait()
        finally:
            self._client.remove_listener(self._on_state)
            self._pulse.remove_listener(self._on_contact)
            reading.kill()
            self._watermark.touch()  # the next watch has to see what happens from now on
            node.close()
            reader.close()
            is_lost = isinstance(self._failure, ZooKeeperUnavailable)
            self._outbox.stop(Reason.SUSPENDED if is_lost else Reason.HANDOVER)
            # Never killed: a greenlet that is inside pymongo takes its pool of sockets with it.
            writing.join()
        if self._failure is not None:
            raise self._failure

    def _guarded(self, part: Callable[[], None]) -> None:
        """Run a part of the watch. When the part ends, in whatever way, the watch ends."""
        try:
            part()
        except Exception as error:  # noqa: BLE001 -- ``run`` raises it
            self._fail(error)
        finally:
            self.stop()

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.stop()

    def _read_loop(self, node: NodeWatch, reader: BoardReader) -> None:
        delay = RETRY_DELAY
        suspended = Complaint(LOG, "suspended", self._extra)
        self._wake.set()
        while True:
            is_woken = self._clock.wait(self._wake, min(CHECK_INTERVAL, self._reconciler.left()))
            self._wake.clear()
            try:
                is_due = not is_woken and self._reconciler.left() == 0
                if is_woken or is_due or self._is_stale(node):
                    self._try_round(node, reader, at_rest=is_due)
                self._reconciler.read_lost(reader.payload, self._outbox)
            except BoardDenied:
                node.distrust()
                self._watermark.doubt()
                self._cut_off(Reason.DENIED, Freshness.DENIED)
            except ZooKeeperUnavailable as error:
                suspended.say(error)
                self._reconnected = True
                self._cut_off(Reason.SUSPENDED, Freshness.SUSPENDED)
            else:
                delay = RETRY_DELAY
                suspended.over()
                continue
            self._clock.wait(self._wake, delay)
            self._wake.set()
            delay = min(delay * 2, MAX_RETRY_DELAY)

    def _is_stale(self, node: NodeWatch) -> bool:
        """Check the watches; return whether they may have missed something."""
        try:
            is_stale = node.check()
        except BaseException:
            self._watermark.doubt()
            raise
        (self._watermark.doubt if is_stale else self._watermark.verify)()
        return is_stale

    def _try_round(self, node: NodeWatch, reader: BoardReader, *, at_rest: bool) -> None:
        """Read the board in one round, and hand on what happened since the last one.

        ``at_rest`` means that no event woke the greenlet, so ZooKeeper reported no change.
        """
        if self._outbox.is_full():
            LOG.warning(
                "too many changes wait to be stored; the board is not read until there is room",
                extra=self._extra,
            )
            self._outbox.show(Freshness.CATCHING_UP)
            self._outbox.wait_for_room()
            self._blame.put_on(Reason.OVERFLOW)
        lag, is_known, begun = self._watermark.begin(), False, self._clock.elapsed()
        asked = self._clock.now()  # an answer says nothing certain about the time after this
        try:
            node.refresh()
            asked = self._clock.now()
            is_known = self._round(node, reader, lag, asked, at_rest=at_rest)
        except BoardMissing:
            if at_rest and not node.compare(None, at_rest=True):
                lag = self._watermark.widen()
                self._wake.set()
            self._missing(lag, asked)
            is_known = True
        finally:
            self._watermark.end(asked if is_known else None)
            reader.let_go()
        self._context.observer.looked(self.path, self._clock.elapsed() - begun)

    def _round(
        self, node: NodeWatch, reader: BoardReader, lag: Lag, asked: datetime, *, at_rest: bool
    ) -> bool:
        """Read a board that exists; return whether everything read is handed on."""
        if self._reconnected:
            self._reconnected = False
            self._suspects |= {lock_name(job.name) for job in self._state.jobs.values() if job.lock}
            if self._blame.reason is Reason.ERA:
                self._suspects |= self._state.children
            reader.sync()
        listing = reader.list()
        while not node.compare(listing.condition, at_rest=at_rest):
            at_rest = False
            lag = self._watermark.widen()
            node.refresh()
            listing = reader.list()
        reason = self._blame.take()
        state = self._state.known_until(lag.since)
        checked = self._reconciler.page(state.jobs, listing.seen_at)
        suspects, self._suspects = self._suspects, set()
        try:
            again = frozenset(suspects & listing.children)
            blamed = lag.blame(reason, listing.seen_at)
            clock = self._context.ensemble_clock
            found = board_round.read(reader, listing, state, again, checked, blamed, clock)
        except BaseException:
            self._suspects |= suspects
            self._blame.give_back(reason)
            raise
        self._suspects |= found.again
        if found.is_part:
            self._suspects |= suspects
            if not found.step.gaps:
                self._blame.give_back(reason)
            self._go_on(found.step, Freshness.CATCHING_UP, lag)
            self._wake.set()
            return False
        self._take_on(self._reconciler.judged(found), Freshness.LIVE, lag, asked)
        if self._reconciler.checked(checked or (), found.sizes):
            self._reconciler.compare(self._state, self._outbox)
        return True

    def _missing(self, lag: Lag, asked: datetime) -> None:
        self._suspects.clear()
        seen_at = self._clock.now()
        reason = lag.blame(self._blame.take(), seen_at)
        step = advance_missing(self._state.known_until(lag.since), seen_at, reason)
        self._take_on(step, Freshness.MISSING, lag, asked)
        if self._reconciler.page((), seen_at) is not None:
            self._reconciler.compare(self._state, self._outbox)

    def _take_on(self, step: Step, freshness: Freshness, lag: Lag, asked: datetime) -> None:
        """Continue from the result of a round that began at ``asked``."""
        if self._state.seen_at is not None:
            step = replace(step, state=replace(step.state, seen_at=asked))
        if self._pulse.contact is not Contact.ANSWERS:
            freshness = Freshness.SUSPENDED  # an answer came, but late
        if any(gap.reason is Reason.ERA for gap in step.gaps):
            self._suspects |= step.state.children  # each may have been replaced by another
            self._wake.set()
        self._go_on(step, freshness, lag)

    def _go_on(self, step: Step, freshness: Freshness, lag: Lag) -> None:
        """Take the state of a step, and queue what is new in it for writing.

        It is one method because no greenlet may run in between: a watch that is stopped there would
        leave out what happened, and a heartbeat would say that it is stored.
        """
        is_new = self._state.seen_at is None or self._state.stat != step.state.stat
        self._state = step.state
        if step.changes or step.gaps or is_new:
            self._outbox.put(step, freshness, lag)
        else:
            self._outbox.show(freshness)

    def _cut_off(self, reason: Reason, freshness: Freshness) -> None:
        """Record that the board can't be read for now, and show it."""
        self._blame.put_on(reason)
        self._outbox.show(freshness)

    def _on_state(self, state: str) -> None:
        """Set flags only: kazoo's connection greenlet calls this."""
        if state == KazooState.LOST:
            self._fail(ZooKeeperUnavailable(SESSION_OVER))
        elif state == KazooState.SUSPENDED:
            self._watermark.touch()
            self._reconnected = True
            self._cut_off(Reason.SUSPENDED, Freshness.SUSPENDED)
        self._wake.set()

    def _on_contact(self, contact: Contact) -> None:
        """Set flags only: the pulse calls this."""
        if contact is Contact.LOST:
            patience = self._client.session_timeout
            self._fail(ZooKeeperUnavailable(f"no answer for {patience:g} s, so {SESSION_OVER}"))
        elif contact is Contact.SILENT:
            self._watermark.touch()
            self._cut_off(Reason.LATE, Freshness.SUSPENDED)
        self._wake.set()

    def _changed(self, name: str, is_listed: bool) -> None:
        self._suspects.add(name)
        if not is_listed:
            self._watermark.touch()
            self._wake.set()
