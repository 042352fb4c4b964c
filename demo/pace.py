"""A pace at which people work: no job on a board goes through two operations in one moment.

ZooKeeper's watches fire once for whatever happens until the next look. A stock conductor claims an
abandoned job again in the very moment, and trashes a job without a book in the next; a demo shows
Canary where it sees each change.
"""

import threading
import time

PACE = 0.15  # seconds; Canary's look at a small board takes a few milliseconds
_REMEMBERED = 500  # jobs; more than are ever on a demo's board


class Pace:
    """When something last happened to each job of a board, for all threads of a load."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._touched: dict[str, float] = {}

    def touch(self, job: str) -> None:
        """Note that something happens to a job now."""
        with self._lock:
            self._touched[job] = time.monotonic()
            if len(self._touched) > _REMEMBERED:
                del self._touched[next(iter(self._touched))]

    def left(self, job: str) -> float:
        """Return how many seconds are left of a job's pause; one that is seen first begins one."""
        with self._lock:
            now = time.monotonic()
            return max(0.0, self._touched.setdefault(job, now) + PACE - now)
