"""How a client resumes the event stream: from memory, from MongoDB, or with a reset.

Promises: a client that resumes with the id of the last event that it was sent gets the events after
it, each once and with none left out, or a ``reset``. That holds on every process, whichever process
sent the id. A client whose id never was an id, or belongs to other data than MongoDB holds now, is
sent ``reset`` at once.

Events that are not in memory are read from MongoDB. One request at a time reads them into memory as
long as there is room, so that a thousand clients that resume on a new process cause one read.
Beyond that, ``CATCH_UPS`` clients at a time read for themselves, in pieces, each for
``CATCH_UP_LIMIT`` seconds at most. Further clients are refused (``Crowded``). A client that is cut
off has the ids of what it was sent, with which it can resume.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from canary.errors import PlaceLost, StoreError, StoreUnavailable
from canary.server.problems import Crowded
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.buffer import SIZE
from canary.server.stream.encoding import EncodedEvent, Heartbeat, encode_all
from canary.server.stream.grouping import WAVE
from canary.server.stream.subscription import BREATH, EventFilter, Subscription
from canary.stores.changestream.events import Event, mark_of, position_from, timestamp_of

LOG = logging.getLogger(__name__)

CATCH_UPS: Final = 4  # at a time: each holds a cursor and a connection to MongoDB
CATCH_UP_LIMIT: Final = 60.0  # seconds for one client; it keeps what it was sent by then
PIECE: Final = 500  # events read before they are sent
PIECE_SIZE: Final = 2 * 1024 * 1024  # bytes of them
PAUSE: Final = 0.1  # seconds, while the replay buffer has no position yet
FILL_LIMIT: Final = 5.0  # seconds for one request to read events into the replay buffer
FILL_SIZE: Final = SIZE // 2  # bytes of these; their JSON takes as much again
FILL_WAIT: Final = 10.0  # seconds that a request waits for its turn to do that


class Replay(Protocol):
    """The events after a position, as ``canary.stores.changestream.replay`` reads them."""

    position: str

    def read(self, until: str, limit: int, size: int, deadline: float) -> list[Event]:
        """Return at most ``limit`` events up to ``until``, of about ``size`` bytes at most.

        ``deadline`` is by the clock's elapsed().
        """

    def close(self) -> None:
        """Stop reading."""


class Resumption:
    """Subscribes clients of ``broadcaster`` that resume.

    ``open_replay`` takes a position and returns a replay of the events after it, from MongoDB.
    """

    def __init__(self, broadcaster: Broadcaster, open_replay: Callable[[str], Replay]) -> None:
        self.broadcaster, self._open_replay = broadcaster, open_replay
        self._filling = threading.Lock()
        self._places = threading.BoundedSemaphore(CATCH_UPS)

    def resume(self, wanted: EventFilter, identity: str) -> "tuple[Subscription, CatchUp | None]":
        """Return a client's subscription, and the catch-up that must be sent before its events.

        Raises Crowded if there are too many clients, and StoreUnavailable if MongoDB is needed and
        does not answer.
        """
        position, catch_up = self._place_in(identity), None
        try:
            catch_up = self._prepared(position) if position else None
        except PlaceLost as lost:
            LOG.info("a client of the event stream has to start again: %s", lost)
            position = None
        except StoreUnavailable as error:
            if not self.broadcaster.current.is_served:
                raise
            LOG.warning(
                "reading what a client of the event stream missed takes too long: %s", error
            )
            position = None
        if position is None:
            return self.broadcaster.subscribe_anew(wanted), None
        try:
            subscription = self.broadcaster.resubscribe(wanted, position)
        except Crowded:
            if catch_up:
                catch_up.close()
            raise
        if catch_up is None:
            if not subscription.is_joined:  # the buffer has just dropped its position
                self.broadcaster.begin_anew(subscription)
        elif subscription.is_joined:  # another request has filled the buffer
            catch_up.close()
            catch_up = None
        return subscription, catch_up

    def _place_in(self, identity: str) -> str | None:
        """Return the position that an id stands for; None if it is not of the followed data set."""
        position, (_, end, _) = position_from(identity), self.broadcaster.kept
        if position is None or timestamp_of(position) is None:
            return None
        return position if end is None or mark_of(position) == mark_of(end) else None

    def _prepared(self, position: str) -> "CatchUp | None":
        """Read the events after ``position`` into memory, or return a catch-up for them."""
        if self.broadcaster.is_known(position):
            return None
        if not self._filling.acquire(timeout=FILL_WAIT):
            raise Crowded("Many clients are resuming at the same time; connect again later")
        try:
            if self.broadcaster.is_known(position):
                return None
            replay = self._open_replay(position)
            try:
                catch_up = self._filled(position, replay)
            except BaseException:
                replay.close()
                raise
            if catch_up is None:
                replay.close()
            return catch_up
        finally:
            self._filling.release()

    def _filled(self, position: str, replay: Replay) -> "CatchUp | None":
        start, _, room = self.broadcaster.kept
        if start is not None and self.broadcaster.covers(position):
            self.broadcaster.prove(position, start)
            return None
        until = start or position
        deadline = self.broadcaster.clock.elapsed() + FILL_LIMIT
        found = replay.read(until, room, FILL_SIZE, deadline)
        before = [each for each in found if each.position and each.position <= until]
        is_whole = replay.position >= until
        if is_whole and self.broadcaster.keep(position, encode_all(before), until):
            return None
        return CatchUp(self.broadcaster, replay, found, self._places)


class CatchUp:
    """Sends one client the events between its position and the replay buffer.

    It must be closed in any case.
    """

    def __init__(
        self,
        broadcaster: Broadcaster,
        replay: Replay,
        found: list[Event],
        places: threading.BoundedSemaphore,
    ) -> None:
        if not places.acquire(blocking=False):
            raise Crowded(
                f"{CATCH_UPS} clients are already catching up from MongoDB; connect again later"
            )
        self._broadcaster, self._replay, self._found, self._places = (
            broadcaster,
            replay,
            found,
            places,
        )
        self._is_open = True

    def pieces(self, subscription: Subscription) -> Iterator[list[EncodedEvent | Heartbeat]]:
        """Yield the events to send, in pieces, until the subscription is joined or over.

        Each piece ends with a heartbeat that holds its position, so that a client that is cut off
        can resume there, whatever its filter.
        """
        clock = self._broadcaster.clock
        deadline = clock.elapsed() + CATCH_UP_LIMIT
        try:
            while True:
                for first in range(0, len(self._found), WAVE):
                    some = encode_all(self._found[first : first + WAVE])
                    yield [told for told in some if subscription.wants(told)]
                    clock.sleep(BREATH)
                yield [Heartbeat(self._replay.position, is_reached=False)]
                if self._broadcaster.join(subscription, self._replay.position):
                    return
                if clock.elapsed() > deadline:
                    reason = f"Catching up took more than {CATCH_UP_LIMIT:g} s; connect again with "
                    self._broadcaster.drop(subscription, reason + "Last-Event-ID to continue")
                    return
                until, _, _ = self._broadcaster.kept
                if until is None:  # the feed has lost its position and looks for another
                    clock.sleep(PAUSE)
                self._found = self._replay.read(until or "", PIECE, PIECE_SIZE, deadline)
        except PlaceLost:
            self._broadcaster.begin_anew(subscription)
        except StoreError as error:
            LOG.warning("a client of the event stream could not catch up: %s", error)
            reason = "MongoDB does not answer; connect again with Last-Event-ID to continue"
            self._broadcaster.drop(subscription, reason)
        finally:
            self.close()

    def close(self) -> None:
        """Release the catch-up's place and its replay. May be called more than once."""
        if self._is_open:
            self._is_open = False
            self._places.release()
            self._replay.close()
