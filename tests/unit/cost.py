"""What something costs of a processor, beside what the machine can do at that moment.

A processor that is shared, or slowed down to stay cool, takes three times as long for the same; the
system counts that as time of the program that runs. So a bound in seconds is meant for a machine
that is as quick as ``REFERENCE`` says, and grows where the machine is slower just then.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

TRIES: Final = 3  # what is long once and short the next time was the machine
#: Seconds that ``_reference`` takes on the machine that the bounds are meant for, with nothing
#: beside it: Python 3.11 on two cores of a virtual machine.
REFERENCE: Final = 0.0021
_END: Final = object()


def cost(work: Callable[[], object]) -> float:
    """Return how many seconds of a processor it takes."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def costs_less(work: Callable[[], object], limit: float) -> bool:
    """Return whether it takes less than ``limit`` seconds of a processor."""
    return _is_less(lambda: cost(work), limit)


def steps_are_shorter(steps: Callable[[], Iterator[object]], limit: float) -> bool:
    """Return whether each of these steps takes less than ``limit`` seconds of a processor."""
    return _is_less(lambda: _longest(steps()), limit)


def slowness() -> float:
    """Return how many times as long as there the same takes here and now; at least 1."""
    return max(1.0, cost(_reference) / REFERENCE)


def _is_less(measure: Callable[[], float], limit: float) -> bool:
    for _ in range(TRIES):
        before = slowness()
        found = measure()
        if found < limit * max(before, slowness()):
            return True
    return False


def _longest(steps: Iterator[object]) -> float:
    longest = 0.0
    is_done = False
    while not is_done:
        begun = time.thread_time()
        is_done = next(steps, _END) is _END
        longest = max(longest, time.thread_time() - begun)
    return longest


def _reference() -> object:
    """Do what decoding a payload does: look at characters, and make small objects."""
    found: list[tuple[int, str]] = []
    for number, character in enumerate("a-1 " * 12_500):
        if character.isalpha():
            found.append((number, character))
    return found
