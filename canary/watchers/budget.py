"""What all boards of one worker together may hold in memory of what they read.

Bytes of changes that wait for the store; and answers of ZooKeeper that are on their way, or there
and not decoded: nobody knows how large one is before it is there.
"""

from typing import Final

from gevent.event import Event
from gevent.lock import BoundedSemaphore

MAX_WORKER_BYTES: Final = 128 * 2**20
MAX_ANSWERS: Final = 64  # of at most 1 MB, unless ZooKeeper's jute.maxbuffer was raised


class Budget:
    """Counts bytes. ``room`` events of who waits for some are set whenever some come free.

    Who asks for an answer of any size holds one of ``answers`` until it is decoded.
    """

    def __init__(self, limit: int = MAX_WORKER_BYTES) -> None:
        self._limit = limit
        self.held = 0
        self.answers = BoundedSemaphore(MAX_ANSWERS)
        self._waiting: set[Event] = set()

    def is_spent(self) -> bool:
        """Tell whether nothing more may be held."""
        return self.held >= self._limit

    def charge(self, difference: int) -> None:
        """Count so many bytes more, or less."""
        self.held += difference
        if difference < 0 and not self.is_spent():
            for room in self._waiting:
                room.set()

    def tell(self, room: Event) -> None:
        """Set ``room`` whenever some come free."""
        self._waiting.add(room)

    def leave(self, room: Event) -> None:
        """Set ``room`` no more."""
        self._waiting.discard(room)
