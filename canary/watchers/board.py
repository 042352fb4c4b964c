"""Watching one board: rounds of reading, and what each round says into the live store.

One greenlet reads and compares, the outbox's writes, so that rounds go on while a write is under
way. ZooKeeper is never blocked by the store.

Promises: a change on the board is told to the store once; ``run`` returns when it was told to stop
and what was read is stored, as far as the store takes it within the outbox's limit. It raises when
the watch can't go on: ``Fenced`` when the board is another's, ``ZooKeeperUnavailable`` when the
session is over, or may be, for nothing was heard for its timeout; whatever else a defect raises.
A gap begins at the last moment of which all is known, not at the last look; what a look finds that
was not told of as it happened is in one.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import gevent
from gevent.event import Event
from kazoo.protocol.states import KazooState

from canary.clock import now
from canary.errors import BoardDenied, BoardMissing, ZooKeeperUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.rounds import advance_missing
from canary.model.state import Step
from canary.stores.writer import LiveBoard
from canary.watchers import looking
from canary.watchers.audit import Audit
from canary.watchers.context import WatchContext
from canary.watchers.horizon import Horizon, Lag, longest
from canary.watchers.node import NodeWatch
from canary.watchers.outbox import Outbox
from canary.watchers.reading import BoardReader
from canary.zookeeper import Contact

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 0.5  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 10.0  # seconds; an ACL that is restored makes no event
CHECK_INTERVAL: Final = 30.0  # seconds at rest until the watches are looked after
SESSION_OVER: Final = "the session is over, and the claim with it"


class BoardWatch:
    """One watch of one board, for one claim on its watch job."""

    def __init__(self, context: WatchContext, board: LiveBoard) -> None:
        self.path = board.path
        self.board = board
        self._context = context
        self._client, self._pulse = context.client, context.pulse
        self._horizon = Horizon(context.pulse, board.state.seen_at)
        self._outbox = Outbox(board, context.budget, self._horizon.until)
        self._audit = Audit(context, board)
        self._state = board.state
        self._reason = board.reason  # what to blame for what the next round finds unseen
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._wake, self._stop = Event(), Event()
        self._suspects: set[str] = set()
        self._reconnected = True
        self._failure: Exception | None = None

    def stop(self) -> None:
        """Ask ``run`` to come to an end. May be called from anywhere, and twice."""
        self._stop.set()

    @property
    def is_released(self) -> bool:
        """Whether the store knows that this watch has come to its end."""
        return self._outbox.is_released

    @property
    def freshness(self) -> Freshness:
        """What the board is shown as, as far as its watch knows."""
        return self._outbox.freshness

    @property
    def waiting(self) -> tuple[int, int]:
        """How many changes wait to be stored, and how many bytes of memory they hold."""
        return self._outbox.waiting

    def lag(self) -> Lag | None:
        """Return what there is that is not stored yet, None if there is nothing."""
        return longest(self._horizon.lag(), self._outbox.lag())

    def run(self) -> None:
        """Watch until ``stop``; see the module for what is raised."""
        reader = BoardReader(self._client, self.path, self._lock_changed, self._context.budget)
        node = NodeWatch(self._client, self.path, self._wake.set, self._horizon.touch)
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
            self._horizon.touch()  # what happens from now on is the next one's to see
            node.close()
            reader.close()
            is_lost = isinstance(self._failure, ZooKeeperUnavailable)
            self._outbox.stop(Reason.SUSPENDED if is_lost else Reason.HANDOVER)
            # Never killed: a greenlet that is inside pymongo takes its pool of sockets with it.
            writing.join()
        if self._failure is not None:
            raise self._failure

    def _guarded(self, part: Callable[[], None]) -> None:
        """Run a part of the watch; its end, whatever it is, is the end of the watch."""
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
        self._wake.set()
        while True:
            is_woken = self._wake.wait(min(CHECK_INTERVAL, self._audit.left()))
            self._wake.clear()
            try:
                is_due = not is_woken and self._audit.left() == 0
                if is_woken or is_due or self._is_stale(node):
                    self._look(node, reader, at_rest=is_due)
            except BoardDenied:
                node.distrust()
                self._horizon.doubt()
                self._blame(Reason.DENIED, Freshness.DENIED)
            except ZooKeeperUnavailable as error:
                LOG.warning("suspended: %s", error, extra=self._extra)
                self._reconnected = True
                self._blame(Reason.SUSPENDED, Freshness.SUSPENDED)
            else:
                delay = RETRY_DELAY
                continue
            self._wake.wait(delay)
            self._wake.set()
            delay = min(delay * 2, MAX_RETRY_DELAY)

    def _is_stale(self, node: NodeWatch) -> bool:
        """Look after the watches at rest; tell whether they may have missed something."""
        try:
            is_stale = node.check()
        except BaseException:
            self._horizon.doubt()
            raise
        (self._horizon.doubt if is_stale else self._horizon.verify)()
        return is_stale

    def _look(self, node: NodeWatch, reader: BoardReader, *, at_rest: bool) -> None:
        """Look at the board once, and hand on what happened since the last look.

        ``at_rest``: nothing woke, so whatever is found to have changed was not told.
        """
        if self._outbox.is_full():
            LOG.warning("the store is behind, reading waits for it", extra=self._extra)
            self._outbox.show(Freshness.CATCHING_UP)
            self._outbox.wait_for_room()
            if self._reason is not Reason.ERA:
                self._reason = Reason.OVERFLOW
        lag, is_known, begun = self._horizon.begin(), False, time.monotonic()
        asked = now()  # what an answer says of the time after that is not sure
        try:
            node.refresh()
            asked = now()
            is_known = self._round(node, reader, lag, asked, at_rest=at_rest)
        except BoardMissing:
            if at_rest and not node.compare(None, at_rest=True):
                lag = self._horizon.widen()
                self._wake.set()
            self._missing(lag, asked, reader)
            is_known = True
        finally:
            self._horizon.end(asked if is_known else None)
            reader.let_go()
        self._context.observer.looked(self.path, time.monotonic() - begun)

    def _round(
        self, node: NodeWatch, reader: BoardReader, lag: Lag, asked: datetime, *, at_rest: bool
    ) -> bool:
        """Look at a board that is there; tell whether all of it was told."""
        if self._reconnected:
            self._reconnected = False
            self._suspects |= {lock_name(job.name) for job in self._state.jobs.values() if job.lock}
            if self._reason is Reason.ERA:
                self._suspects |= self._state.children
            reader.sync()
        listing = reader.list()
        while not node.compare(listing.condition, at_rest=at_rest):
            at_rest = False
            lag = self._horizon.widen()
            node.refresh()
            listing = reader.list()
        reason = self._take_reason()
        state = self._state.known_until(lag.since)
        checked = self._audit.portion(state.jobs, listing.seen_at)
        suspects, self._suspects = self._suspects, set()
        try:
            again = frozenset(suspects & listing.children)
            blamed = lag.blame(reason, listing.seen_at)
            look = looking.look(reader, listing, state, again, checked, blamed)
        except BaseException:
            self._suspects |= suspects
            self._give_back(reason)
            raise
        self._suspects |= look.again
        if look.is_part:
            self._suspects |= suspects
            if not look.step.gaps:
                self._give_back(reason)
            self._state = look.step.state
            self._outbox.put(look.step, Freshness.CATCHING_UP, lag)
            self._wake.set()
            return False
        self._take_on(self._audit.judged(look), Freshness.LIVE, lag, asked)
        if self._audit.checked(checked or (), look.sizes):
            self._audit.compare(self._state, reader.payload, self._outbox)
        return True

    def _missing(self, lag: Lag, asked: datetime, reader: BoardReader) -> None:
        self._suspects.clear()
        seen_at = now()
        reason = lag.blame(self._take_reason(), seen_at)
        step = advance_missing(self._state.known_until(lag.since), seen_at, reason)
        self._take_on(step, Freshness.MISSING, lag, asked)
        if self._audit.portion((), seen_at) is not None:
            self._audit.compare(self._state, reader.payload, self._outbox)

    def _take_on(self, step: Step, freshness: Freshness, lag: Lag, asked: datetime) -> None:
        """Go on from what a look found that was begun at ``asked``."""
        if self._state.seen_at is not None:
            step = replace(step, state=replace(step.state, seen_at=asked))
        if self._pulse.contact is not Contact.ANSWERS:
            freshness = Freshness.SUSPENDED  # an answer came, but late
        is_new = self._state.seen_at is None or self._state.stat != step.state.stat
        self._state = step.state
        if any(gap.reason is Reason.ERA for gap in step.gaps):
            self._suspects |= step.state.children  # any of them may be another one by now
            self._wake.set()
        if step.changes or step.gaps or is_new:
            self._outbox.put(step, freshness, lag)
        else:
            self._outbox.show(freshness)

    def _take_reason(self) -> Reason:
        """Return whom to blame for what was unseen until now; from now on it is another's."""
        reason, self._reason = self._reason, Reason.COALESCED
        return reason

    def _give_back(self, reason: Reason) -> None:
        """Blame ``reason`` all the same: what was unseen until then is not told yet."""
        if reason is Reason.ERA or self._reason is Reason.COALESCED:
            self._reason = reason

    def _blame(self, reason: Reason, freshness: Freshness) -> None:
        if self._reason is not Reason.ERA:  # the counters can't be compared until the next round
            self._reason = reason
        self._outbox.show(freshness)

    def _on_state(self, state: str) -> None:
        """Called in kazoo's connection greenlet: only flags are set here."""
        if state == KazooState.LOST:
            self._fail(ZooKeeperUnavailable(SESSION_OVER))
        elif state == KazooState.SUSPENDED:
            self._horizon.touch()
            self._reconnected = True
            self._blame(Reason.SUSPENDED, Freshness.SUSPENDED)
        self._wake.set()

    def _on_contact(self, contact: Contact) -> None:
        """Called by the pulse: only flags are set here."""
        if contact is Contact.LOST:
            patience = self._client.session_timeout
            self._fail(ZooKeeperUnavailable(f"no answer for {patience:g} s, {SESSION_OVER}"))
        elif contact is Contact.SILENT:
            self._horizon.touch()
            self._blame(Reason.LATE, Freshness.SUSPENDED)
        self._wake.set()

    def _lock_changed(self, name: str) -> None:
        self._horizon.touch()
        self._suspects.add(name)
        self._wake.set()
