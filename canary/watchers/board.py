"""Watching one board: rounds of reading, and what each round says into the live store.

One greenlet, ``run``, reads and compares; the outbox's greenlet writes, so that rounds go on while
a write is under way. ZooKeeper is never blocked by the store.

Promises: a change on the board is told to the store once; ``run`` returns when it was told to stop
and what was read is stored, and raises when the watch can't go on: ``Fenced`` when the board is
another's, ``ZooKeeperUnavailable`` when the session is over.
"""

import logging
from typing import Final

import gevent
from gevent.event import Event
from kazoo.protocol.states import KazooState

from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.rounds import advance, advance_missing, wanted
from canary.model.state import Step
from canary.stores.live import LiveBoard
from canary.watchers.node import NodeWatch
from canary.watchers.outbox import Outbox
from canary.watchers.reading import BoardReader, now, suspects_after
from canary.zookeeper import Client

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 0.5  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 30.0  # seconds
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
        self._failure: CanaryError | None = None

    def stop(self) -> None:
        """Ask ``run`` to come to an end. May be called from anywhere, and twice."""
        self._stop.set()
        self._wake.set()
        self._outbox.stop()

    def run(self) -> None:
        """Watch until ``stop``; see the module for what is raised."""
        reader = BoardReader(self._client, self.path, self._lock_changed)
        node = NodeWatch(self._client, self.path, self._wake.set)
        self._client.add_listener(self._on_state)
        # Never killed: a greenlet that is inside pymongo takes its pool of sockets with it.
        writer = gevent.spawn(self._outbox.run)
        writer.link(lambda _: self.stop())
        try:
            self._read_loop(node, reader)
        finally:
            self._client.remove_listener(self._on_state)
            node.close()
            self._outbox.stop()
            writer.join()
        if self._failure is None:
            self._failure = self._outbox.failure
        if self._failure is not None:
            raise self._failure

    def _read_loop(self, node: NodeWatch, reader: BoardReader) -> None:
        delay = RETRY_DELAY
        self._wake.set()
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                node.refresh()
                self._round(reader)
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
            self._outbox.wait_for_room()
            self._reason = Reason.OVERFLOW
        if self._reconnected:
            self._reconnected = False
            reader.sync()
            self._suspects |= {lock_name(job.name) for job in self._state.jobs.values() if job.lock}
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
        self._take_on(advance_missing(self._state, now()), Freshness.MISSING)

    def _take_on(self, step: Step, freshness: Freshness) -> None:
        first = self._state.seen_at is None
        self._state = step.state
        self._reason = Reason.COALESCED
        if step.changes or step.gaps or first:
            self._outbox.put(step, freshness)
        else:
            self._outbox.show(freshness)

    def _blame(self, reason: Reason, freshness: Freshness) -> None:
        self._reason = reason
        self._outbox.show(freshness)

    def _on_state(self, state: str) -> None:
        """Called in kazoo's connection greenlet: only flags are set here."""
        if state == KazooState.LOST:
            self._failure = self._failure or ZooKeeperUnavailable(SESSION_OVER)
            self.stop()
        elif state == KazooState.SUSPENDED:
            self._reconnected = True
            self._blame(Reason.SUSPENDED, Freshness.SUSPENDED)
        self._wake.set()

    def _lock_changed(self, name: str) -> None:
        self._suspects.add(name)
        self._wake.set()
