"""The broadcaster: publishes the events of the process's one feed to all its subscriptions.

Promises: the first events of a subscription are the states of all boards that match its filter.
After them, it gets every matching event of the feed, in order, each change and each gap once: from
now on, or from the position at which the client resumes. If events may be missing, the client gets
``reset``, followed by the states of all boards. A client that is further behind than the replay
buffer reaches gets one last event, ``dropped``, which says so.

No client delays another, neither by reading slowly nor by its filter: an event is encoded once for
all clients, and judged once for all clients with equal filters. A filter by more than paths is
judged apart from the delivery (``judge``), for ``SLICE`` seconds at a time.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from canary.clock import CLOCK, Clock
from canary.server.problems import Crowded
from canary.server.stream.buffer import LIMIT, SIZE, ReplayBuffer
from canary.server.stream.current import Current
from canary.server.stream.encoding import EncodedEvent, dropped, encode, reset
from canary.server.stream.grouping import Groups
from canary.server.stream.observer import NOBODY, Observer
from canary.server.stream.subscription import EventFilter, Subscription, concerns, everything
from canary.stores.changestream.events import Event, EventName

LOG = logging.getLogger(__name__)

AHEAD_LIMIT: Final = 30.0  # seconds; without writes, MongoDB's log advances every ten seconds
PAUSE: Final = 0.001  # seconds for other greenlets, between two slices of judging
LOOK: Final = 1.0  # seconds between two checks whether the process ends
TOO_SLOW: Final = dropped(
    f"More than {LIMIT:,} events or {SIZE >> 20} MiB of them were waiting; connect again with "
    "Last-Event-ID to continue"
)


class Broadcaster:
    """All subscriptions of this process. It is the listener of a feed.

    ``limit`` is the maximum number of subscriptions at a time. ``observer`` counts clients and
    events. ``buffer`` keeps the events for clients. All streams wait and measure by ``clock``.
    ``current`` is what each client is sent first.
    """

    def __init__(
        self,
        limit: int,
        observer: Observer = NOBODY,
        buffer: ReplayBuffer | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._limit, self.observer, self.clock = limit, observer, clock
        self._buffer = buffer or ReplayBuffer()
        self._lock = threading.Lock()  # for all of the below; nothing blocks while holding it
        self._groups = Groups(self._buffer)
        self.current = Current()
        self._placed = threading.Event()
        self._unjudged = threading.Event()
        self.is_ending = False  # set by a signal handler; streams check it once a second

    # What the feed publishes.

    def tell(self, event: Event) -> None:
        """Publish an event to all clients whose filter matches, and keep it for later clients."""
        told = encode(event)
        with self._lock:
            match event.name:
                case EventName.RESET:
                    self._begin_all_anew(told)
                case EventName.CHANGE | EventName.GAP:
                    self._buffer.add(told)
                    self._placed.set()
                    self._judged(self._groups.judge_newest())
                case EventName.BOARD:
                    self.current.set_board(event, told)
                    self._put(told)
                case EventName.STORE:
                    self.current.set_store(event, told)
                    self._put(told)

    def reach(self, position: str) -> None:
        """Record that every event up to ``position`` has been published."""
        with self._lock:
            self._buffer.reach(position)
        self._placed.set()

    def _begin_all_anew(self, told: EncodedEvent) -> None:
        self._buffer.clear()
        self._placed.clear()
        self._groups.begin()
        for group in self._groups:
            self._begin_anew(group.members, told)

    def _put(self, told: EncodedEvent) -> None:
        for group in self._groups.about(told.event.path if told.event else None):
            if concerns(group.wanted, told):
                for member in group.members:
                    member.put(told)

    def wait_until_known(self, timeout: float) -> bool:
        """Wait until the feed has published every board once; return whether it has.

        ``timeout`` is in seconds.
        """
        deadline = self.clock.elapsed() + timeout
        is_known = self.clock.wait(self.current.known, timeout)
        left = max(0.0, deadline - self.clock.elapsed())
        return is_known and self.clock.wait(self._placed, left)

    # Judging: which clients an event is for.

    def _judged(self, is_more: bool) -> bool:
        """Reset clients that may have lost an event; let ``judge`` continue if ``is_more``."""
        self._recover()
        if is_more:
            self._unjudged.set()
        return is_more

    def _recover(self) -> bool:
        """Reset all clients that may have lost an event; return whether there are any."""
        losers = self._groups.losers()
        self._begin_anew(losers, reset(self._buffer.end))
        return bool(losers)

    def judge(self) -> None:
        """Judge what ``tell`` left, until the process ends. To be run in a thread of its own."""
        while not self.is_ending:
            if self.clock.wait(self._unjudged, LOOK):
                self._unjudged.clear()
                try:
                    with self._lock:
                        self._judged(self._groups.judge_some())
                except Exception:
                    LOG.exception("unexpected error in the filters of the event stream's clients")
                self.clock.sleep(PAUSE)

    # Subscriptions.

    def subscribe(self, wanted: EventFilter = everything) -> Subscription:
        """Return a new subscription that begins now.

        Raises Crowded if there are too many subscriptions, or if the process ends.
        """
        with self._lock:
            subscription = self._add(wanted)
            subscription.begin(self.current.first(wanted), self._buffer.next)
            return subscription

    def resubscribe(self, wanted: EventFilter, position: str) -> Subscription:
        """Return the subscription of a client that was sent everything up to ``position``.

        It is joined to the replay buffer only if that still covers ``position``; otherwise
        ``join`` joins it later. Raises Crowded as ``subscribe`` does.
        """
        with self._lock:
            subscription = self._add(wanted)
            if self._buffer.covers(position):
                self._join(subscription, position)
            return subscription

    def subscribe_anew(self, wanted: EventFilter) -> Subscription:
        """Return the subscription of a client that resumes at an unknown position, with a reset.

        Raises Crowded as ``subscribe`` does.
        """
        with self._lock:
            subscription = self._add(wanted)
            self._begin_anew([subscription], reset(self._buffer.end))
            return subscription

    def _add(self, wanted: EventFilter) -> Subscription:
        if self.is_ending or self.size >= self._limit:
            raise Crowded(
                "This process already serves as many event streams as [server] max_streams allows, "
                "or it is stopping; connect again later"
            )
        group = self._groups.add(wanted)
        subscription = Subscription(group.wanted, self.current.first(wanted), self, self.clock)
        group.members.add(subscription)
        self.observer.came()
        return subscription

    def join(self, subscription: Subscription, position: str) -> bool:
        """Join a client that was sent everything up to ``position`` to the replay buffer.

        Returns whether the subscription is joined. It is not if the buffer does not cover
        ``position``.
        """
        with self._lock:
            if not subscription.is_joined:
                if not self._buffer.covers(position):
                    return False
                self._join(subscription, position)
            return True

    def _join(self, subscription: Subscription, position: str) -> None:
        subscription.number = self._buffer.number_after(position)
        is_ahead = self._buffer.end is None or position > self._buffer.end
        subscription.after = position if is_ahead else None
        group = self._groups.of(subscription)
        if group is not None and len(group.members) == 1:
            group.begin(subscription.number)  # no member asks for earlier events
        subscription.wake()

    def begin_anew(self, subscription: Subscription) -> None:
        """Send ``reset`` to a client, because events may be missing, and continue from now."""
        with self._lock:
            self._begin_anew([subscription], reset(self._buffer.end))

    def _begin_anew(self, subscriptions: Iterable[Subscription], told: EncodedEvent) -> None:
        for subscription in subscriptions:
            if not subscription.is_over:
                first = [told, *self.current.first(subscription.wanted)]
                subscription.begin(first, self._buffer.next)

    def pull(self, subscription: Subscription) -> list[EncodedEvent] | None:
        """Return the next events to send; None once the subscription is over."""
        with self._lock:
            taken = subscription.take_aside()
            subscription.is_behind = False
            if subscription.is_over or subscription.number is None:
                return taken or (None if subscription.is_over else [])
            if subscription.number < self._buffer.first:
                LOG.warning("a client of the event stream was too slow and was dropped")
                self.observer.dropped()
                self._forget(subscription)
                subscription.end(TOO_SLOW)
                return subscription.take_aside()
            taken += self._groups.next_of(subscription)
            return subscription.take_aside() if self._recover() else taken

    def place_of(self, subscription: Subscription) -> str | None:
        """Return the position up to which a client was sent everything; None if not known now.

        It is not known while events wait for the client, or if the client is ahead of this process.
        """
        with self._lock:
            end = self._buffer.end
            has_all = self._groups.has_all(subscription)
            if self._recover() or end is None or subscription.has_aside or not has_all:
                return None
            if subscription.after is not None and subscription.after > end:
                is_late = self.clock.elapsed() - subscription.since > AHEAD_LIMIT
                if is_late and not self.current.is_away:  # the position is not of this MongoDB
                    self._begin_anew([subscription], reset(end))
                return None
            return end

    def drop(self, subscription: Subscription, reason: str) -> None:
        """End a subscription; the client gets ``dropped`` with the reason."""
        with self._lock:
            self._forget(subscription)
            subscription.end(dropped(reason))

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription. May be called more than once."""
        with self._lock:
            self._forget(subscription)

    def _forget(self, subscription: Subscription) -> None:
        if self._groups.remove(subscription):
            self.observer.went()

    @property
    def size(self) -> int:
        """The number of subscriptions."""
        return self._groups.size

    # The replay buffer.

    def covers(self, position: str) -> bool:
        """Return whether the replay buffer has every event after ``position``."""
        with self._lock:
            return self._buffer.covers(position)

    def is_known(self, position: str) -> bool:
        """Return whether the buffer covers ``position`` and this process knows that it exists."""
        with self._lock:
            return self._buffer.is_known(position)

    @property
    def kept(self) -> tuple[str | None, str | None, int]:
        """The positions after which and up to which all events are kept, and the room for more."""
        with self._lock:
            return self._buffer.start, self._buffer.end, self._buffer.room

    def prove(self, position: str, start: str) -> None:
        """Record that MongoDB has ``position``, unless the buffer no longer begins at ``start``."""
        with self._lock:
            self._buffer.prove(position, start)

    def keep(self, position: str, before: Sequence[EncodedEvent], start: str) -> bool:
        """Add the events between ``position`` and ``start`` to the buffer; return whether it did.

        See ``ReplayBuffer.extend``.
        """
        with self._lock:
            return self._buffer.extend(position, before, start)
