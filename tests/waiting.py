"""Waiting for a condition, the only way in which these tests wait.

A fault may be that something lasts: ``throughout`` looks all that time.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PAUSE: Final = 0.02  # seconds between two looks


def eventually(look: Callable[[], T], timeout: float = 60.0, why: str = "") -> T:
    """Call ``look`` until it returns something true, and return that.

    An AssertionError of ``look`` counts as not yet; the last one is raised when ``timeout`` seconds
    are over, and an AssertionError with the last value where there was none.
    """
    deadline = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            value = look()
        except AssertionError as error:
            failure = error
        if value:
            return value
        if time.monotonic() >= deadline:
            if failure is not None:
                raise failure
            raise AssertionError(f"not within {timeout:g} s: {why or look} (last: {value!r})")
        time.sleep(PAUSE)


def throughout(
    seconds: float, look: Callable[[], object], why: str = "", pause: float = 0.2
) -> None:
    """Call ``look`` again and again for so long; an AssertionError where it is not true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look(), why or look
        time.sleep(pause)
