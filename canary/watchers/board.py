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
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import gevent
from gevent.event import Event
from kazoo.protocol.states import KazooState

from canary.clock import now
from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.rounds import advance, advance_missing, wanted
from canary.model.state import BoardState, Step
from canary.stores.writer import LiveBoard
from canary.watchers.context import WatchContext
from canary.watchers.horizon import Horizon, Lag, longest
from canary.watchers.node import NodeWatch
from canary.watchers.outbox import Outbox
from canary.watchers.reading import BoardReader, suspects_after
from canary.zookeeper import Contact

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 0.5  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 10.0  # seconds; an ACL that is restored makes no event
RECONCILE_RETRY_DELAY: Final = 1.0  # seconds
MAX_WORDS: Final = 20  # of differences, in a log line
LATE: Final = timedelta(seconds=3)  # so long it may go unnoticed that the worker stands still
CHECK_INTERVAL: Final = 20.0  # seconds at rest until the watches are looked after; it costs 1 ms
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
        # Not all boards at once that were taken at once.
        self._due = time.monotonic() + context.reconcile_interval * random.uniform(0.5, 1.0)  # noqa: S311
        self._reconcile_delay = RECONCILE_RETRY_DELAY
        self._mended: list[str] = []
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
        return longest([self._horizon.lag(), self._outbox.lag()])

    def run(self) -> None:
        """Watch until ``stop``; see the module for what is raised."""
        reader = BoardReader(self._client, self.path, self._lock_changed)
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
            is_woken = self._wake.wait(min(CHECK_INTERVAL, max(0.0, self._due - time.monotonic())))
            self._wake.clear()
            try:
                if is_woken or self._is_stale(node):
                    self._look(node, reader)
                if self._due <= time.monotonic() and not self._wake.is_set():
                    self._reconcile(reader)
            except BoardMissing:  # while it was compared
                self._horizon.touch()
                self._wake.set()
                continue
            except BoardDenied:
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

    def _look(self, node: NodeWatch, reader: BoardReader) -> None:
        """Look at the board once, and hand on what happened since the last look."""
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
            self._round(reader, lag, asked)
            is_known = True
        except BoardMissing:
            self._missing(lag, asked)
            is_known = True
        finally:
            self._horizon.end(asked if is_known else None)
        self._context.observer.looked(self.path, time.monotonic() - begun)

    def _round(self, reader: BoardReader, lag: Lag, asked: datetime) -> None:
        if self._reconnected:
            self._reconnected = False
            self._suspects |= {lock_name(job.name) for job in self._state.jobs.values() if job.lock}
            if self._reason is Reason.ERA:
                self._suspects |= self._state.children
            reader.sync()
        listing = reader.list()
        suspects = frozenset(self._suspects & listing.children)
        self._suspects.clear()
        try:
            reads = reader.read(wanted(self._state, listing, suspects))
        except BaseException:
            self._suspects |= suspects
            raise
        self._suspects.update(suspects_after(listing, reads))
        reason = self._blamed(lag, listing.seen_at)
        step = advance(self._state.known_until(lag.since), listing, reads, reason)
        self._take_on(step, Freshness.LIVE, lag, asked)

    def _reconcile(self, reader: BoardReader) -> None:
        """Read all of the board, and compare it with what is known and with what is stored.

        That is possible only while nothing happens: then it is tried again soon.
        """
        interval = self._context.reconcile_interval
        self._due = time.monotonic() + min(self._reconcile_delay, interval)
        self._reconcile_delay *= 2
        state, reason = self._state, self._reason
        if self.lag() is not None or state.unread:
            return
        if state.stat is None:  # there is no such board, and its creation would have woken us
            self._due, self._reconcile_delay = time.monotonic() + interval, RECONCILE_RETRY_DELAY
            self._outbox.reconcile(partial(self._compare, reader, state))
            return
        listing = reader.list()
        if listing.stat != state.stat:
            return  # what woke us, or will, tells of it
        known = self._horizon.until()
        reads = reader.read(wanted(state, listing, state.children), state.jobs.keys())
        if reader.list().stat != state.stat or self._wake.is_set() or reason is not self._reason:
            return
        step = advance(state.known_until(known), listing, reads, Reason.DRIFT)
        found = [f"{change.kind.value} {change.name}" for change in step.changes]
        unseen = [(gap.creates, gap.deletes) for gap in step.gaps]
        found += [f"unseen: {creates}, {deletes}" for creates, deletes in unseen if creates != 0]
        if found:
            LOG.error(
                "what was known was wrong: %s", ", ".join(found[:MAX_WORDS]), extra=self._extra
            )
            self._mended += found
            self._take_on(step, Freshness.LIVE, Lag(known, now()), known)
            return
        self._due, self._reconcile_delay = time.monotonic() + interval, RECONCILE_RETRY_DELAY
        self._outbox.reconcile(partial(self._compare, reader, step.state))

    def _compare(self, reader: BoardReader, state: BoardState, board: LiveBoard) -> None:
        mended, self._mended = self._mended, []
        try:
            found = board.reconcile(state, reader.payload, now(), mended)
        except CanaryError:
            self._mended = mended + self._mended
            raise
        tally = self._context.tally
        tally.reconciled += 1
        tally.drift += len(found)
        if found:
            words = ", ".join(found[:MAX_WORDS])
            extra = {**self._extra, "revision": board.revision}
            LOG.error("%d differences were mended: %s", len(found), words, extra=extra)

    def _missing(self, lag: Lag, asked: datetime) -> None:
        self._suspects.clear()
        seen_at = now()
        reason = self._blamed(lag, seen_at)
        step = advance_missing(self._state.known_until(lag.since), seen_at, reason)
        self._take_on(step, Freshness.MISSING, lag, asked)

    def _take_on(self, step: Step, freshness: Freshness, lag: Lag, asked: datetime) -> None:
        """Go on from what a look found that was begun at ``asked``."""
        if self._state.seen_at is not None:
            step = replace(step, state=replace(step.state, seen_at=asked))
        if self._pulse.contact is not Contact.ANSWERS:
            freshness = Freshness.SUSPENDED  # an answer came, but late
        is_new = self._state.seen_at is None or self._state.stat != step.state.stat
        self._state = step.state
        self._reason = Reason.COALESCED
        if any(gap.reason is Reason.ERA for gap in step.gaps):
            self._suspects |= step.state.children  # any of them may be another one by now
            self._wake.set()
        if step.changes or step.gaps or is_new:
            self._outbox.put(step, freshness, lag)
        else:
            self._outbox.show(freshness)

    def _blamed(self, lag: Lag, seen_at: datetime) -> Reason:
        """Return why what a look finds was not seen as it happened, Reason.COALESCED if it was."""
        if self._reason is Reason.COALESCED and seen_at - lag.since > LATE:
            return Reason.LATE
        return self._reason

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
