"""Who listens to the event stream, filled from the process's one feed.

Promises of a subscription: its first events are the state of every board that it asked for; then
comes all that the feed tells about what it asked for, in order, each change and gap once: from now
on, or from the position with which it comes back. Where something may be missing ``reset`` says so,
and the state of every board follows anew. No client delays another.

An event is written once for all, and judged once for all who ask for the same.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

from canary.server.problems import Crowded
from canary.server.recent import Recent
from canary.server.subscription import Subscription, Wanted, everything, is_wanted
from canary.server.telling import Telling, dropped, reset, telling
from canary.stores.events import Event, EventName

LOG = logging.getLogger(__name__)

AHEAD_LIMIT: Final = 30.0  # seconds; MongoDB's log moves on every ten when nobody writes


class Observer(Protocol):
    """Who counts clients and what they are sent. It must not wait."""

    def came(self) -> None:
        """Take notice of a client."""

    def went(self) -> None:
        """Take notice of the end of one."""

    def dropped(self) -> None:
        """Take notice that one was too slow; it went as well."""

    def sent(self, events: int) -> None:
        """Take notice of so many events that one client is sent."""


class _Nobody:
    def came(self) -> None:
        """Ignore it."""

    def went(self) -> None:
        """Ignore it."""

    def dropped(self) -> None:
        """Ignore it."""

    def sent(self, events: int) -> None:
        """Ignore it."""


NOBODY: Final[Observer] = _Nobody()


class Audience:
    """All subscriptions of this process. A feed's listener.

    ``limit`` is how many there may be at a time; ``observer`` is told of them; ``recent`` keeps
    what was told.
    """

    def __init__(
        self, limit: int, observer: Observer = NOBODY, recent: Recent | None = None
    ) -> None:
        self._limit, self.observer = limit, observer
        self._recent = recent or Recent()
        self._lock = threading.Lock()  # over all below; nothing waits while holding it
        self._groups: dict[Wanted, set[Subscription]] = {}
        self._boards: dict[str, Telling] = {}
        self._away: Telling | None = None
        self._known = threading.Event()
        self._placed = threading.Event()
        self.is_ending = False  # set by a signal handler: streams look at it once a second

    # What the feed tells.

    def tell(self, event: Event) -> None:
        """Hand an event to everybody who asked for it, and keep what is for who comes later."""
        told = telling(event)
        with self._lock:
            match event.name:
                case EventName.RESET:
                    self._recent.clear()
                    self._placed.clear()
                    for subscription in self._all():
                        self._begin_anew(subscription, told)
                    return
                case EventName.BOARD if event.board is None:
                    self._boards.pop(event.path or "", None)
                case EventName.BOARD:
                    self._boards[event.path or ""] = told
                case EventName.STORE:
                    self._away = None if event.available else told
                case _:
                    self._recent.add(told)
                    self._placed.set()
            self._offer(told)
        if event.name is EventName.STORE and event.available:
            self._known.set()

    def reach(self, position: str) -> None:
        """Take notice that everything up to ``position`` has been told."""
        with self._lock:
            self._recent.reach(position)
        self._placed.set()

    def _offer(self, told: Telling) -> None:
        slow = []
        for wanted, group in self._groups.items():
            if is_wanted(wanted, told):
                slow += [each for each in group if not each.offer(told)]
        for subscription in slow:
            LOG.warning("a client of the event stream was too slow and was dropped")
            self.observer.dropped()
            self._forget(subscription)

    @property
    def is_served(self) -> bool:
        """Tell whether MongoDB answered the feed when it was asked last."""
        return self._known.is_set() and self._away is None

    def wait_until_known(self, timeout: float) -> bool:
        """Wait until the feed has told every board once; return whether it has."""
        deadline = time.monotonic() + timeout
        return self._known.wait(timeout) and self._placed.wait(
            max(0.0, deadline - time.monotonic())
        )

    # Who listens.

    def subscribe(self, wanted: Wanted = everything) -> Subscription:
        """Return a new subscription, from now on. Raises Crowded, as the next two do."""
        with self._lock:
            return self._add(Subscription(wanted, self._first(wanted), is_joined=True))

    def resubscribe(self, wanted: Wanted, position: str) -> Subscription:
        """Return the subscription of a client that was sent everything up to ``position``.

        Where ``covers`` that is not so any more it is not joined yet: ``join`` does that.
        """
        with self._lock:
            subscription = Subscription(wanted, self._first(wanted), is_joined=False)
            if self._recent.covers(position):
                self._join(subscription, position)
            return self._add(subscription)

    def subscribe_anew(self, wanted: Wanted) -> Subscription:
        """Return the subscription of a client that comes back from nobody knows where."""
        with self._lock:
            first = [reset(self._recent.end), *self._first(wanted)]
            return self._add(Subscription(wanted, first, is_joined=True))

    def _add(self, subscription: Subscription) -> Subscription:
        if self.is_ending or self.size >= self._limit:
            raise Crowded(
                "This process serves as many event streams as [server] max_streams allows, or it "
                "ends; connect again in a while"
            )
        self._groups.setdefault(subscription.wanted, set()).add(subscription)
        self.observer.came()
        return subscription

    def join(self, subscription: Subscription, position: str) -> bool:
        """Let one that was sent all up to ``position`` go on from what is kept, if that can be."""
        with self._lock:
            if not subscription.is_joined:
                if not self._recent.covers(position):
                    return False
                self._join(subscription, position)
            return True

    def _join(self, subscription: Subscription, position: str) -> None:
        missed = self._recent.after(position)
        subscription.put(told for told in missed if subscription.wants(told))
        subscription.after, subscription.is_joined = position, True

    def begin_anew(self, subscription: Subscription) -> None:
        """Tell a client that events may be missing, and go on from now."""
        with self._lock:
            self._begin_anew(subscription, reset(self._recent.end))

    def _begin_anew(self, subscription: Subscription, told: Telling) -> None:
        subscription.after, subscription.is_joined = None, True
        subscription.put([told, *self._first(subscription.wanted)])

    def place_of(self, subscription: Subscription) -> str | None:
        """Return up to where a client has been sent everything; None where that is not known now.

        It is not while anything is queued, nor where the client knows more than this process.
        """
        with self._lock:
            end = self._recent.end
            if not subscription.is_joined or not subscription.is_empty or end is None:
                return None
            if subscription.after is not None and subscription.after > end:
                is_late = time.monotonic() - subscription.since > AHEAD_LIMIT
                if is_late and self._away is None:  # its position is none of this MongoDB's
                    self._begin_anew(subscription, reset(end))
                return None
            return end

    def drop(self, subscription: Subscription, reason: str) -> None:
        """End a subscription; the client is told why."""
        with self._lock:
            self._forget(subscription)
        subscription.end(dropped(reason))

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription; may be called again."""
        with self._lock:
            self._forget(subscription)

    def _forget(self, subscription: Subscription) -> None:
        group = self._groups.get(subscription.wanted, set())
        if subscription not in group:
            return
        group.remove(subscription)
        if not group:
            del self._groups[subscription.wanted]
        self.observer.went()

    @property
    def size(self) -> int:
        """How many subscriptions there are."""
        return sum(len(group) for group in self._groups.values())

    def _all(self) -> list[Subscription]:
        return [subscription for group in self._groups.values() for subscription in group]

    def _first(self, wanted: Wanted) -> list[Telling]:
        boards = [board for board in self._boards.values() if is_wanted(wanted, board)]
        return [*boards, *([self._away] if self._away else [])]

    # What is kept of what was told.

    def covers(self, position: str) -> bool:
        """Tell whether all that came after ``position`` is kept."""
        with self._lock:
            return self._recent.covers(position)

    @property
    def kept(self) -> tuple[str | None, str | None, int]:
        """After which position and up to which all is kept, and how many events more may be."""
        with self._lock:
            return self._recent.start, self._recent.end, self._recent.room

    def keep(self, position: str, before: Sequence[Telling], start: str) -> bool:
        """Keep what was between ``position`` and ``start`` as well; tell whether it was of use."""
        with self._lock:
            return self._recent.extend(position, before, start)
