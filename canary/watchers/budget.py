"""How much of what it reads one worker may hold in memory, for all of its boards together.

Two things are bounded: the bytes of changes that wait for the store, and the number of ZooKeeper's
answers that are on their way or not decoded yet. The size of an answer is not known before it is
there.
"""

from typing import Final

from gevent.event import Event
from gevent.lock import BoundedSemaphore

MAX_WORKER_BYTES: Final = 128 * 2**20
MAX_ANSWERS: Final = 64  # of at most 1 MB, unless ZooKeeper's jute.maxbuffer was raised


class Budget:
    """Counts bytes. Sets the ``room`` events of those that wait, whenever bytes come free.

    Whoever requests an answer of unknown size holds one of ``answers`` until the answer is decoded.
    """

    def __init__(self, limit: int = MAX_WORKER_BYTES) -> None:
        self._limit = limit
        self.held = 0
        self.answers = BoundedSemaphore(MAX_ANSWERS)
        self._waiting: set[Event] = set()

    def is_spent(self) -> bool:
        """Return whether nothing more may be held."""
        return self.held >= self._limit

    def charge(self, difference: int) -> None:
        """Add ``difference`` bytes to what is held; it may be negative."""
        self.held += difference
        if difference < 0 and not self.is_spent():
            for room in self._waiting:
                room.set()

    def tell(self, room: Event) -> None:
        """Set ``room`` whenever bytes come free."""
        self._waiting.add(room)

    def leave(self, room: Event) -> None:
        """Stop setting ``room``."""
        self._waiting.discard(room)
