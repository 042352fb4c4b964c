"""The last events of the feed, for clients that come back.

Promises: it holds every event after ``start`` and up to ``end``, in order, each once; no more than
``limit`` of them, in not much more than ``size`` bytes.

Each is held in one piece of memory. As the objects that it is made of, ten thousand would be half a
million, scattered over all that the clients of the moment use, none of which could be given back to
the system when they leave.

Knows no lock: who uses it from several threads has one.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final
from weakref import WeakValueDictionary

from canary.server.telling import Telling
from canary.stores.events import packed, unpacked

LIMIT: Final = 10_000  # events; 100 seconds of a hundred changes a second, about 15 MB
SIZE: Final = 32 * 1024 * 1024  # bytes; a hundred seconds of names as long as they can be


class Recent:
    """Events by their positions. ``start`` and ``end`` are None before anything is known."""

    def __init__(self, limit: int = LIMIT, size: int = SIZE) -> None:
        self._limit, self._size = limit, size
        self._kept: deque[bytes] = deque()
        self._held = 0  # bytes
        # One for all of a crowd that comes back at once, for as long as it is on its way to them.
        self._on_the_way: WeakValueDictionary[bytes, Telling] = WeakValueDictionary()
        self.start: str | None = None
        self.end: str | None = None

    def add(self, telling: Telling) -> None:
        """Take a change or a gap, which has a position."""
        position = telling.position
        if self.start is None:
            self.start = position  # what came just before it is not known
        else:
            entry = _packed(telling)
            self._kept.append(entry)
            self._held += len(entry)
        self.end = position
        while self._kept and (len(self._kept) > self._limit or self._held > self._size):
            oldest = self._kept.popleft()
            self._held -= len(oldest)
            self.start = _position(oldest).decode()

    def reach(self, position: str) -> None:
        """Take notice that there is nothing else up to ``position``."""
        if self.start is None:
            self.start = position
        if self.end is None or self.end < position:
            self.end = position

    def covers(self, position: str) -> bool:
        """Tell whether everything after ``position`` is held, or is yet to come."""
        return self.start is not None and self.start <= position

    def after(self, position: str) -> list[Telling]:
        """Return what came after ``position``, which must be covered."""
        place = position.encode()
        found: list[Telling] = []
        for entry in reversed(self._kept):
            if _position(entry) <= place:
                break
            found.append(self._unpacked(entry))
        found.reverse()
        return found

    def _unpacked(self, entry: bytes) -> Telling:
        place = _position(entry)
        telling = self._on_the_way.get(place)
        if telling is None:
            _, data, raw = entry.split(b"\n", 2)
            event = unpacked(raw, place.decode())
            telling = Telling(event.name.value, data.decode(), event.position, event)
            self._on_the_way[place] = telling
        return telling

    @property
    def room(self) -> int:
        """How many events more it may hold."""
        return self._limit - len(self._kept)

    def extend(self, position: str, before: Sequence[Telling], start: str) -> bool:
        """Take what was between ``position`` and ``start``; return whether it was of use.

        It is not where ``start`` has moved meanwhile, or where it is too much.
        """
        if self.start != start or len(before) > self.room:
            return False
        entries = [_packed(telling) for telling in before]
        if self._held + _size(entries) > self._size:
            return False
        self._kept.extendleft(reversed(entries))
        self._held += _size(entries)
        self.start = position
        return True

    def clear(self) -> None:
        """Forget everything: what comes next does not follow what was."""
        self._kept.clear()
        self._on_the_way.clear()
        self._held = 0
        self.start = self.end = None


def _packed(telling: Telling) -> bytes:
    """Return the position, the data, which is JSON without a line break, and the event."""
    if telling.position is None or telling.event is None:
        raise ValueError(f"only changes and gaps come again, not {telling.name}")
    return b"\n".join(
        (telling.position.encode(), telling.data.encode("ascii"), packed(telling.event))
    )


def _position(entry: bytes) -> bytes:
    return entry[: entry.index(b"\n")]


def _size(entries: Iterable[bytes]) -> int:
    return sum(len(entry) for entry in entries)
