"""Waiting for a condition, the only way in which these tests wait.

A fault may be that something lasts: ``throughout`` looks all that time.
"""

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PAUSE: Final = 0.02  # seconds between two looks at first
#: Seconds at most: looks that ask a program, a server and MongoDB take much of a small machine.
MAX_PAUSE: Final = 0.1
LONGER: Final = 0.05  # of the time that was waited so far
#: How many times as long as promised something may take on real servers: `make faults` has the
#: machine for itself, other tests have not. The promises themselves are tested in virtual time.
ALLOWED: Final = 1.5 if "FAULT_SEEDS" in os.environ else 4.0


def allowed(promised: float) -> float:
    """Return how many seconds to wait for what is promised within so many."""
    return ALLOWED * promised


def eventually(look: Callable[[], T], timeout: float = 60.0, why: str = "") -> T:
    """Call ``look`` until it returns something true, and return that.

    An AssertionError of ``look`` counts as not yet; the last one is raised when ``timeout`` seconds
    are over, and an AssertionError with the last value where there was none.
    """
    begun = time.monotonic()
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            value = look()
        except AssertionError as error:
            failure = error
        if value:
            return value
        waited = time.monotonic() - begun
        if waited >= timeout:
            if failure is not None:
                raise failure
            raise AssertionError(f"not within {timeout:g} s: {why or look} (last: {value!r})")
        time.sleep(min(MAX_PAUSE, max(PAUSE, LONGER * waited)))


def throughout(
    seconds: float, look: Callable[[], object], why: str = "", pause: float = 0.2
) -> None:
    """Call ``look`` again and again for so long; an AssertionError where it is not true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look(), why or look
        time.sleep(pause)
