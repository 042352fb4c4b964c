"""When something that failed may be tried again: one second later, then two, and so on."""

import time
from dataclasses import dataclass
from typing import Final

RETRY_DELAY: Final = 1.0  # seconds until what failed is tried again; doubled each time
MAX_RETRY_DELAY: Final = 60.0  # seconds; also how long something has to last to begin anew


@dataclass(frozen=True, slots=True)
class _Wait:
    due: float  # by the monotonic clock
    delay: float


class Backoffs:
    """How long each of many, by its name, is to be left alone."""

    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}

    def left(self, name: str) -> float:
        """Return in how many seconds ``name`` may be tried again; 0.0 for now."""
        wait = self._waits.get(name)
        return 0.0 if wait is None else max(0.0, wait.due - time.monotonic())

    def failed(self, name: str, lasted: float, *, is_its_fault: bool) -> float:
        """Note that ``name`` failed after ``lasted`` seconds; return how long to leave it alone.

        The delay grows only where that was ``name``'s own fault.
        """
        last = self._waits.get(name)
        delay = RETRY_DELAY
        if is_its_fault and last is not None and lasted < MAX_RETRY_DELAY:
            delay = min(last.delay * 2, MAX_RETRY_DELAY)
        self._waits[name] = _Wait(time.monotonic() + delay, delay)
        return delay

    def forget_all_but(self, names: set[str]) -> None:
        """Drop what is remembered of others."""
        self._waits = {name: wait for name, wait in self._waits.items() if name in names}

    def forget(self) -> None:
        """Have everything tried again at once."""
        self._waits.clear()
