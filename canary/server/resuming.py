"""How a client comes back to the event stream: from memory, from MongoDB, or with a reset.

Promises: a client that comes back with the id of what it was sent last gets what came after it,
without a gap and without a repeat, or a ``reset``; so on every process, whichever gave the id. What
is not in memory is read from MongoDB: by one request at a time, and kept, as long as there is room,
so that a thousand clients that come back to a new process read it once; past that by
``CATCH_UPS`` clients at a time, each for ``CATCH_UP_LIMIT`` at most and in pieces. Who comes beyond
that is told to come later, and who is cut off has ids to go on from.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from canary.errors import PlaceLost, StoreError, StoreUnavailable
from canary.server.audience import Audience
from canary.server.problems import Crowded
from canary.server.subscription import Subscription, Wanted
from canary.server.telling import Heartbeat, Telling, tellings
from canary.stores.events import Event, position_from

LOG = logging.getLogger(__name__)

CATCH_UPS: Final = 4  # at a time: each holds a cursor and a connection of MongoDB
CATCH_UP_LIMIT: Final = 60.0  # seconds for one client; what it was sent by then is not lost
PIECE: Final = 500  # events read before they are sent
PAUSE: Final = 0.1  # seconds, where memory begins nowhere yet
FILL_LIMIT: Final = 5.0  # seconds for one request to read what is then kept for all
FILL_WAIT: Final = 10.0  # seconds for a request's turn to do that


class Past(Protocol):
    """What came after a position, as ``canary.stores.past`` reads it."""

    position: str

    def read(self, until: str, limit: int, deadline: float) -> list[Event]:
        """Return at most ``limit`` events up to ``until``."""

    def close(self) -> None:
        """Read no more."""


class Resuming:
    """Subscribes to ``audience`` who comes back.

    ``open_past`` opens what came after a position in MongoDB.
    """

    def __init__(self, audience: Audience, open_past: Callable[[str], Past]) -> None:
        self.audience, self._open_past = audience, open_past
        self._filling = threading.Lock()
        self._proven = ""  # the last position that MongoDB took for one though it is ahead of here
        self._places = threading.BoundedSemaphore(CATCH_UPS)

    def resume(self, wanted: Wanted, identity: str) -> "tuple[Subscription, CatchUp | None]":
        """Return a client's subscription, and what it must be sent before what is queued there.

        Raises Crowded, and StoreUnavailable where MongoDB is asked and does not answer.
        """
        position = position_from(identity)
        try:
            catch_up = self._prepared(position) if position else None
        except PlaceLost as lost:
            LOG.info("a client of the event stream has to begin anew: %s", lost)
            position = None
        except StoreUnavailable as error:
            if not self.audience.is_served:
                raise
            LOG.warning("what a client of the event stream missed takes too long: %s", error)
            position = None
        if position is None:
            return self.audience.subscribe_anew(wanted), None
        try:
            subscription = self.audience.resubscribe(wanted, position)
        except Crowded:
            if catch_up:
                catch_up.close()
            raise
        if catch_up is None:
            if not subscription.is_joined:  # it went out of memory this very moment
                self.audience.begin_anew(subscription)
        elif subscription.is_joined:  # another client has brought it into memory
            catch_up.close()
            catch_up = None
        return subscription, catch_up

    def _prepared(self, position: str) -> "CatchUp | None":
        """Bring what came after ``position`` into memory; return the way to it if it is too far."""
        if self._is_at_hand(position):
            return None
        if not self._filling.acquire(timeout=FILL_WAIT):
            raise Crowded("Many clients come back at the same time; connect again in a while")
        try:
            if self._is_at_hand(position):
                return None
            past = self._open_past(position)
            try:
                catch_up = self._filled(position, past)
            except BaseException:
                past.close()
                raise
            if catch_up is None:
                past.close()
            return catch_up
        finally:
            self._filling.release()

    def _is_at_hand(self, position: str) -> bool:
        """Tell whether memory covers ``position``, and it is one, as far as can be told."""
        _, end, _ = self.audience.kept
        return self.audience.covers(position) and position <= max(end or "", self._proven)

    def _filled(self, position: str, past: Past) -> "CatchUp | None":
        start, _, room = self.audience.kept
        if self.audience.covers(position):
            self._proven = position
            return None
        until = start or position
        found = past.read(until, room, time.monotonic() + FILL_LIMIT)
        before = [each for each in found if each.position and each.position <= until]
        is_whole = past.position >= until
        if is_whole and self.audience.keep(position, tellings(before), until):
            return None
        return CatchUp(self.audience, past, found, self._places)


class CatchUp:
    """The way of one client from its position to what is in memory. To be closed, in any case."""

    def __init__(
        self,
        audience: Audience,
        past: Past,
        found: list[Event],
        places: threading.BoundedSemaphore,
    ) -> None:
        if not places.acquire(blocking=False):
            raise Crowded(
                f"{CATCH_UPS} clients are catching up with more than is in memory; connect again "
                "in a while"
            )
        self._audience, self._past, self._found, self._places = audience, past, found, places
        self._is_open = True

    def pieces(self, subscription: Subscription) -> Iterator[list[Telling | Heartbeat]]:
        """Yield what is to be sent, piece by piece, until the subscription is joined or over.

        Each ends with its place: whoever is cut off goes on from there, whatever he asked for.
        """
        deadline = time.monotonic() + CATCH_UP_LIMIT
        try:
            while True:
                told = tellings(self._found)
                wanted = [each for each in told if subscription.wants(each)]
                yield [*wanted, Heartbeat(self._past.position, is_reached=False)]
                if self._audience.join(subscription, self._past.position):
                    return
                if time.monotonic() > deadline:
                    reason = f"Catching up took more than {CATCH_UP_LIMIT:g} s; connect again with "
                    self._audience.drop(subscription, reason + "Last-Event-ID to go on")
                    return
                until, _, _ = self._audience.kept
                if until is None:  # the feed has lost its place and finds another
                    time.sleep(PAUSE)
                self._found = self._past.read(until or "", PIECE, deadline)
        except PlaceLost:
            self._audience.begin_anew(subscription)
        except StoreError as error:
            LOG.warning("a client of the event stream could not catch up: %s", error)
            reason = "MongoDB does not answer; connect again with Last-Event-ID to go on"
            self._audience.drop(subscription, reason)
        finally:
            self.close()

    def close(self) -> None:
        """Free what it holds. May be called again."""
        if self._is_open:
            self._is_open = False
            self._places.release()
            self._past.close()
