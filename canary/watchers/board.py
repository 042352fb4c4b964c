"""Watching one board: rounds of reading, and what each round says into the live store.

One greenlet reads and compares, the outbox's writes, so that rounds go on while a write is under
way. ZooKeeper is never blocked by the store.

Promises: a change on the board is told to the store once; ``run`` returns when it was told to stop
and what was read is stored, as far as the store takes it within the outbox's limit. It raises when
the watch can't go on: ``Fenced`` when the board is another's, ``ZooKeeperUnavailable`` when the
session is over, or may be, for nothing was heard for its timeout; whatever else a defect raises.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import gevent
from gevent.event import Event
from kazoo.protocol.states import KazooState

from canary.errors import BoardDenied, BoardMissing, ZooKeeperUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.rounds import advance, advance_missing, wanted
from canary.model.state import Step
from canary.stores.writer import LiveBoard
from canary.watchers.node import NodeWatch
from canary.watchers.outbox import Outbox
from canary.watchers.reading import BoardReader, now, suspects_after
from canary.zookeeper import Client

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 0.5  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 10.0  # seconds; an ACL that is restored makes no event
CHECK_INTERVAL: Final = 20.0  # seconds at rest until the watches are looked after; it costs 1 ms
SESSION_OVER: Final = "the session is over, and the claim with it"


class BoardWatch:
    """One watch of one board, for one claim on its watch job."""

    def __init__(self, client: Client, board: LiveBoard) -> None:
        self.path = board.path
        self._client = client
        self._outbox = Outbox(board)
        self._state = board.state
        self._reason = board.reason  # what to blame for what the next round finds unseen
        self._extra = {"board": board.path, "epoch": board.epoch}
        self._wake, self._stop = Event(), Event()
        self._suspects: set[str] = set()
        self._reconnected = True
        self._silence: gevent.Greenlet[..., None] | None = None
        self._failure: Exception | None = None

    def stop(self) -> None:
        """Ask ``run`` to come to an end. May be called from anywhere, and twice."""
        self._stop.set()

    def run(self) -> None:
        """Watch until ``stop``; see the module for what is raised."""
        reader = BoardReader(self._client, self.path, self._lock_changed)
        node = NodeWatch(self._client, self.path, self._wake.set)
        self._client.add_listener(self._on_state)
        writing = gevent.spawn(self._guarded, self._outbox.run)
        reading = gevent.spawn(self._guarded, partial(self._read_loop, node, reader))
        try:
            self._stop.wait()
        finally:
            self._client.remove_listener(self._on_state)
            self._heard()
            reading.kill()
            node.close()
            reader.close()
            self._outbox.stop()
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
            is_woken = self._wake.wait(CHECK_INTERVAL)
            self._wake.clear()
            try:
                if is_woken:
                    node.refresh()
                    self._round(reader)
                else:
                    node.check()
            except BoardMissing:
                self._missing()
            except BoardDenied:
                self._blame(Reason.DENIED, Freshness.DENIED)
            except ZooKeeperUnavailable as error:
                LOG.warning("suspended: %s", error, extra=self._extra)
                self._reconnected = True
                self._blame(Reason.SUSPENDED, Freshness.SUSPENDED)
            else:
                delay = RETRY_DELAY
                continue
            # A missing board's creation wakes us; what else is wrong may pass without a word.
            self._wake.wait(delay)
            self._wake.set()
            delay = min(delay * 2, MAX_RETRY_DELAY)

    def _round(self, reader: BoardReader) -> None:
        """Look at the board once, and hand on what happened since the last look."""
        if self._outbox.is_full():
            LOG.warning("the store is behind, reading waits for it", extra=self._extra)
            self._outbox.show(Freshness.CATCHING_UP)
            self._outbox.wait_for_room()
            if self._reason is not Reason.ERA:
                self._reason = Reason.OVERFLOW
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
        self._take_on(advance(self._state, listing, reads, self._reason), Freshness.LIVE)

    def _missing(self) -> None:
        self._suspects.clear()
        is_era = self._reason is Reason.ERA
        self._take_on(advance_missing(self._state, now(), is_era=is_era), Freshness.MISSING)

    def _take_on(self, step: Step, freshness: Freshness) -> None:
        first = self._state.seen_at is None
        self._state = step.state
        self._reason = Reason.COALESCED
        if any(gap.reason is Reason.ERA for gap in step.gaps):
            self._suspects |= step.state.children  # any of them may be another one by now
            self._wake.set()
        if step.changes or step.gaps or first:
            self._outbox.put(step, freshness)
        else:
            self._outbox.show(freshness)

    def _blame(self, reason: Reason, freshness: Freshness) -> None:
        if self._reason is not Reason.ERA:  # the counters can't be compared until the next round
            self._reason = reason
        self._outbox.show(freshness)

    def _on_state(self, state: str) -> None:
        """Called in kazoo's connection greenlet: only flags are set here."""
        self._heard()
        if state == KazooState.LOST:
            self._fail(ZooKeeperUnavailable(SESSION_OVER))
        elif state == KazooState.SUSPENDED:
            # kazoo may learn only much later that the session is over.
            patience = self._client.session_timeout
            self._silence = gevent.spawn_later(
                patience, self._fail, ZooKeeperUnavailable(f"no answer for {patience:g} s")
            )
            self._reconnected = True
            self._blame(Reason.SUSPENDED, Freshness.SUSPENDED)
        self._wake.set()

    def _heard(self) -> None:
        """Note that the connection is no longer silent, or that this does not matter any more."""
        if self._silence is not None:
            self._silence.kill(block=False)
            self._silence = None

    def _lock_changed(self, name: str) -> None:
        self._suspects.add(name)
        self._wake.set()
