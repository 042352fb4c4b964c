"""Groups of clients with equal filters, and which events of the replay buffer match each group.

Promises: an event is judged, which means compared with a filter, once for all clients of a group,
whenever they connected. ``JUDGED_AT_ONCE`` events are judged at a time, so that no other client
waits long. A new event is judged only for groups whose filter may match its board. A group takes
the memory of one number per matching event in the buffer.

This module has no lock. The broadcaster holds its own.
"""

import logging
import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from canary.errors import PlaceLost
from canary.server.stream.buffer import ReplayBuffer
from canary.server.stream.encoding import EncodedEvent
from canary.server.stream.subscription import EventFilter, Subscription, is_wanted

LOG = logging.getLogger(__name__)

JUDGED_AT_ONCE: Final = 50  # events; takes 0.1 ms for new events, 2 ms for old ones
WOKEN: Final = 1_000  # events, after which a client whose filter matches none moves on as well
WAVE: Final = 100  # events taken at once: a client that resumes may have missed thousands
SLICE: Final = 0.002  # seconds of judging before other greenlets get a turn


class Group:
    """The subscriptions (``members``) with the filter ``wanted``.

    The events from number ``since`` to before ``until`` are judged.
    """

    def __init__(self, wanted: EventFilter, number: int) -> None:
        self.wanted, self.members = wanted, set[Subscription]()
        self.is_costly: bool = getattr(wanted, "is_costly", False)
        self.paths: frozenset[str] | None = getattr(wanted, "paths", None)
        self.since = self.until = number
        self._found: list[int] = []

    def advance(self, buffer: ReplayBuffer, count: int = JUDGED_AT_ONCE) -> bool:
        """Judge up to ``count`` of the new events; return whether to wake up the members.

        Raises PlaceLost if an event can't be judged; that event is then skipped.
        """
        if self.until < buffer.first:
            self.begin(buffer.first)  # a member that still needs the removed events is dropped
        start, before = self.until, len(self._found)
        until = min(buffer.next, start + count)
        while self.until < until:
            number = self.until
            self.until += 1
            if self._is_wanted(buffer, number):
                self._found.append(number)
        is_found = len(self._found) > before or self.until // WOKEN > start // WOKEN
        gone = bisect_left(self._found, buffer.first)
        if gone > len(self._found) // 2:
            del self._found[:gone]
            self.since = max(self.since, buffer.first)
        return is_found

    def reach_back(self, buffer: ReplayBuffer, number: int, count: int = JUDGED_AT_ONCE) -> bool:
        """Judge up to ``count`` events before ``since``; return whether that reaches ``number``.

        Raises PlaceLost if an event can't be judged.
        """
        if number < self.since:
            since = max(number, self.since - count, buffer.first)
            judged = range(since, self.since)
            self._found[:0] = [each for each in judged if self._is_wanted(buffer, each)]
            self.since = since
        return number >= self.since

    def found(self, number: int, count: int) -> list[int]:
        """Return the numbers of at most ``count`` matching events, from ``number`` on."""
        first = bisect_left(self._found, number)
        return self._found[first : first + count]

    def begin(self, number: int) -> None:
        """Forget what was judged, and continue from ``number``."""
        self.since = self.until = number
        self._found = []

    def wake(self) -> None:
        """Wake up all members."""
        for member in self.members:
            member.wake()

    def _is_wanted(self, buffer: ReplayBuffer, number: int) -> bool:
        return is_wanted(self.wanted, buffer.event(number))


class Groups:
    """All groups of a broadcaster. ``size`` is the number of members of all groups.

    A group that asks for certain boards costs nothing while only other boards have events: events
    that were not judged for it are skipped if ``_last`` says that its boards had none.
    """

    def __init__(self, buffer: ReplayBuffer) -> None:
        self._buffer = buffer
        self._groups: dict[EventFilter, Group] = {}
        self._by_path: dict[str | None, set[Group]] = {}  # None: groups that ask for any board
        self._last: dict[str | None, int] = {}  # the number of each board's newest event
        self._begun = buffer.next  # from this number on, ``_last`` covers every event
        self._turn = 0  # the index of the group to judge next
        self._losers: list[Subscription] = []
        self.size = 0

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def about(self, path: str | None) -> list[Group]:
        """Return the groups that may ask for events of the board at ``path``; all for None."""
        if path is None:
            return list(self._groups.values())
        return [*self._by_path.get(None, ()), *self._by_path.get(path, ())]

    def begin(self) -> None:
        """Forget what was judged for all groups, and continue with the next event to come."""
        self._begun = self._buffer.next
        self._last.clear()
        for group in self:
            group.begin(self._begun)

    def add(self, wanted: EventFilter) -> Group:
        """Return the group with the filter ``wanted``, counting one more member."""
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = Group(wanted, self._buffer.next)
            for path in _paths(group):
                self._by_path.setdefault(path, set()).add(group)
        self.size += 1
        return group

    def of(self, subscription: Subscription) -> Group | None:
        """Return the group that a subscription is a member of."""
        group = self._groups.get(subscription.wanted)
        return group if group is not None and subscription in group.members else None

    def remove(self, subscription: Subscription) -> bool:
        """Remove a subscription; return whether it was a member of a group."""
        group = self.of(subscription)
        if group is None:
            return False
        group.members.remove(subscription)
        if not group.members:
            del self._groups[subscription.wanted]
            for path in _paths(group):
                self._by_path[path].remove(group)
                if not self._by_path[path]:
                    del self._by_path[path]
        self.size -= 1
        return True

    def judge_newest(self) -> bool:
        """Judge the newest event for groups whose filter is cheap; return whether work is left."""
        newest, is_more = self._buffer.next - 1, False
        path = self._buffer.event(newest).path
        groups = self.about(path)
        for group in groups:
            self._skip(group, newest)
        self._last[path] = newest
        for group in groups:
            if group.is_costly or group.until < newest:
                is_more = True
            else:
                self.advance(group)
        if newest % WOKEN == 0:
            for group in self:
                group.wake()
        return is_more

    def _skip(self, group: Group, number: int) -> None:
        """Skip the events before ``number`` if none is of a board that the group asks for."""
        if group.paths is None or not self._begun <= group.until < number:
            return
        if all(self._last.get(path, -1) < group.until for path in group.paths):
            group.until = number

    def _has_more(self, group: Group) -> bool:
        """Return whether there are events to judge for a group."""
        self._skip(group, self._buffer.next)
        return group.until < self._buffer.next

    def judge_some(self) -> bool:
        """Judge for ``SLICE`` seconds, group by group; return whether there is more to judge."""
        deadline = time.monotonic() + SLICE
        groups, is_more = list(self._groups.values()), False
        for turn in range(self._turn, self._turn + len(groups)):
            group = groups[turn % len(groups)]
            if self._has_more(group):
                self.advance(group)
                is_more = is_more or group.until < self._buffer.next
            if time.monotonic() > deadline:
                self._turn = (turn + 1) % len(groups)
                return True
        return is_more

    def advance(self, group: Group) -> bool:
        """Judge some of the new events for a group; return False if one can't be judged."""
        try:
            if group.advance(self._buffer):
                group.wake()
        except PlaceLost as error:
            LOG.warning(
                "an event of the stream could not be read back for some clients: %r",
                error.__cause__,
            )
            self._losers += group.members
            return False
        return True

    def losers(self) -> list[Subscription]:
        """Return, once, the subscriptions that may have lost an event that can't be judged."""
        losers, self._losers = self._losers, []
        return losers

    def next_of(self, subscription: Subscription) -> list[EncodedEvent]:
        """Return the next numbered events of a subscription; judge some if that was not done yet.

        Returns ``[]`` if an event can't be judged: ``losers`` then returns who loses it.
        """
        group, number = self.of(subscription), subscription.number
        if group is None or number is None:
            return []
        try:
            is_judged = group.reach_back(self._buffer, number)
        except PlaceLost:
            LOG.exception("a client of the event stream lost its place and is sent a reset")
            self._losers.append(subscription)  # members that are ahead of that event were sent it
            return []
        if not is_judged:
            subscription.is_behind = True
            return []
        if self._has_more(group) and not self.advance(group):
            return []
        numbers = group.found(number, WAVE)
        is_full = len(numbers) == WAVE
        subscription.number = numbers[-1] + 1 if is_full else group.until
        subscription.is_behind = is_full or group.until < self._buffer.next
        encoded_events = [self._buffer.encode(each) for each in numbers]
        return (
            encoded_events if subscription.after is None else _after(subscription, encoded_events)
        )

    def has_all(self, subscription: Subscription) -> bool:
        """Return whether a subscription was sent all numbered events that there are."""
        group, number = self.of(subscription), subscription.number
        if group is None or number is None or number < group.since:
            return False
        if self._has_more(group) and not self.advance(group):
            return False
        return group.until >= self._buffer.next and not group.found(number, 1)


def _paths(group: Group) -> Collection[str | None]:
    return (None,) if group.paths is None else group.paths


def _after(
    subscription: Subscription, encoded_events: Iterable[EncodedEvent]
) -> list[EncodedEvent]:
    """Return the events after those that another process has sent to the client."""
    left = [told for told in encoded_events if (told.position or "") > (subscription.after or "")]
    if left:
        subscription.after = None
    return left
