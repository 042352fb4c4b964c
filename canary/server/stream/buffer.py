"""The replay buffer: the feed's last events, for connected clients and for those that resume.

Each event has a number, by which a reader knows how far it has read, and a position. Numbers
increase for as long as the process runs.

Promises: the buffer holds every event after ``start`` and up to ``end``, in order, each once. It
holds at most ``limit`` events, and at most ``size`` characters of JSON.

The buffer has no lock. A caller that uses it from several threads must hold its own.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Final

from canary.server.stream.encoding import EncodedEvent
from canary.stores.changestream.events import Event, mark_of

LIMIT: Final = 10_000  # events; 100 seconds at a hundred changes a second
SIZE: Final = 16 * 1024 * 1024  # characters of JSON; the documents take a few times as much memory


class ReplayBuffer:
    """Events by number and by position.

    ``first`` is the number of the oldest event, ``next`` the number of the next event to come. The
    positions ``start`` and ``end`` are None as long as nothing is known. ``proven`` is a position
    beyond ``end`` that MongoDB is known to have.
    """

    def __init__(self, limit: int = LIMIT, size: int = SIZE) -> None:
        self._limit, self._size = limit, size
        self._kept: deque[EncodedEvent] = deque()
        self._held = 0  # characters
        self.first = 0
        self.start: str | None = None
        self.end: str | None = None
        self.proven: str | None = None

    @property
    def next(self) -> int:
        """The number of the next event to come."""
        return self.first + len(self._kept)

    def add(self, encoded: EncodedEvent) -> None:
        """Add a change or a gap; it must have a position."""
        position = _position(encoded)
        if self.start is None:
            self.start = position  # the events before it are not known
        self._kept.append(encoded)
        self._held += len(encoded.data)
        self.end = position
        while self._kept and (len(self._kept) > self._limit or self._held > self._size):
            oldest = self._kept.popleft()
            self._held -= len(oldest.data)
            self.first += 1
            self.start = oldest.position

    def reach(self, position: str) -> None:
        """Record that there are no further events up to ``position``."""
        if self.start is None:
            self.start = position
        if self.end is None or self.end < position:
            self.end = position

    def prove(self, position: str, start: str) -> None:
        """Record that MongoDB has ``position``, unless ``start`` has changed in the meantime."""
        if self.start == start:
            self.proven = max(position, self.proven or "")

    def covers(self, position: str) -> bool:
        """Return whether every event after ``position`` is in the buffer or is yet to come."""
        return (
            self.start is not None
            and mark_of(self.start) == mark_of(position)
            and self.start <= position
        )

    def is_known(self, position: str) -> bool:
        """Return whether ``position`` is covered and known to exist, without asking MongoDB."""
        return self.covers(position) and position <= max(self.end or "", self.proven or "")

    def number_after(self, position: str) -> int:
        """Return the number of the first event after ``position``; the buffer must cover it."""
        return self.first + bisect_right(self._kept, position, key=_position)

    def encode(self, number: int) -> EncodedEvent:
        """Return the event with this number, ready to be sent."""
        return self._kept[number - self.first]

    def event(self, number: int) -> Event:
        """Return the feed's event with this number."""
        event = self.encode(number).event
        if event is None:
            raise ValueError(f"event {number} is none of the feed's")
        return event

    @property
    def room(self) -> int:
        """How many more events the buffer may hold."""
        return self._limit - len(self._kept)

    def extend(self, position: str, before: Sequence[EncodedEvent], start: str) -> bool:
        """Add the events between ``position`` and ``start`` in front; return whether that was done.

        It is not done if ``start`` has changed in the meantime, or if the events are too many or
        too large.
        """
        if self.start != start or len(before) > self.room:
            return False
        entries = list(before)
        size = sum(len(encoded.data) for encoded in entries)
        if self._held + size > self._size:
            return False
        if self._kept and entries and _position(self._kept[0]) == _position(entries[-1]):
            size -= len(entries.pop().data)  # the first event is in the buffer already
        self._kept.extendleft(reversed(entries))
        self._held += size
        self.first -= len(entries)
        self.start = position
        return True

    def clear(self) -> None:
        """Remove all events: the next event does not continue them."""
        self.first = self.next
        self._kept.clear()
        self._held = 0
        self.start = self.end = self.proven = None


def _position(encoded: EncodedEvent) -> str:
    if encoded.position is None or encoded.event is None:
        raise ValueError(f"only changes and gaps come again, not {encoded.name}")
    return encoded.position
