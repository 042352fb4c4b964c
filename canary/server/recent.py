"""The last events of the feed, for clients that come back.

Promises: it holds every event after ``start`` and up to ``end``, in order, each once; no more than
``limit`` of them, and not much more than ``size`` bytes of JSON.

Knows no lock: who uses it from several threads has one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from canary.server.telling import Telling

LIMIT: Final = 10_000  # events; 100 seconds of a hundred changes a second, about 30 MB
SIZE: Final = 16 * 1024 * 1024  # bytes; a hundred seconds of names as long as they can be


class Recent:
    """Events by their positions. ``start`` and ``end`` are None before anything is known."""

    def __init__(self, limit: int = LIMIT, size: int = SIZE) -> None:
        self._limit, self._size = limit, size
        self._tellings: deque[Telling] = deque()
        self._held = 0  # bytes
        self.start: str | None = None
        self.end: str | None = None

    def add(self, telling: Telling) -> None:
        """Take an event that has a position."""
        position = telling.position
        if self.start is None:
            self.start = position  # what came just before it is not known
        else:
            self._tellings.append(telling)
            self._held += len(telling.data)
        self.end = position
        while self._tellings and (len(self._tellings) > self._limit or self._held > self._size):
            oldest = self._tellings.popleft()
            self._held -= len(oldest.data)
            self.start = oldest.position

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
        found: list[Telling] = []
        for telling in reversed(self._tellings):
            if telling.position is None or telling.position <= position:
                break
            found.append(telling)
        found.reverse()
        return found

    @property
    def room(self) -> int:
        """How many events more it may hold."""
        return self._limit - len(self._tellings)

    def extend(self, position: str, before: Sequence[Telling], start: str) -> bool:
        """Take what was between ``position`` and ``start``; return whether it was of use.

        It is not where ``start`` has moved meanwhile, or where it is too much.
        """
        held = sum(len(telling.data) for telling in before)
        if self.start != start or len(before) > self.room or self._held + held > self._size:
            return False
        self._tellings.extendleft(reversed(before))
        self._held += held
        self.start = position
        return True

    def clear(self) -> None:
        """Forget everything: what comes next does not follow what was."""
        self._tellings.clear()
        self._held = 0
        self.start = self.end = None
