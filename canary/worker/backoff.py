"""When something that failed may be tried again: after one second, then two, and so on."""

from dataclasses import dataclass
from typing import Final

from canary.clock import CLOCK, Clock

RETRY_DELAY: Final = 1.0  # seconds until the next try; doubled each time
MAX_RETRY_DELAY: Final = 60.0  # seconds; whatever lasts this long starts again at one


@dataclass(frozen=True, slots=True)
class _Wait:
    due: float  # by the clock's elapsed()
    delay: float


class Backoffs:
    """The delays of many things, by name."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def left(self, name: str) -> float:
        """Return in how many seconds ``name`` may be tried again; 0.0 for now."""
        wait = self._waits.get(name)
        return 0.0 if wait is None else max(0.0, wait.due - self._clock.elapsed())

    def failed(self, name: str, lasted: float, *, is_its_fault: bool) -> float:
        """Record that ``name`` failed after ``lasted`` seconds; return the delay in seconds.

        The delay grows only if the failure was its own fault.
        """
        last = self._waits.get(name)
        delay = RETRY_DELAY
        if is_its_fault and last is not None and lasted < MAX_RETRY_DELAY:
            delay = min(last.delay * 2, MAX_RETRY_DELAY)
        self._waits[name] = _Wait(self._clock.elapsed() + delay, delay)
        return delay

    def forget_all_but(self, names: set[str]) -> None:
        """Forget all names but ``names``."""
        self._waits = {name: wait for name, wait in self._waits.items() if name in names}

    def forget(self) -> None:
        """Forget all names, so that everything is tried again at once."""
        self._waits.clear()
