"""What a fault is to the suite, and how much of it a run takes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults.scene import Scene

#: `make faults` takes every fault, as long as it lasts; `make test` three, and they are short.
IS_LONG: Final = "FAULT_SEEDS" in os.environ
SEEDS: Final = tuple(range(1, 1 + int(os.environ.get("FAULT_SEEDS", "1"))))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks: its name in the table, and what happens, for a seed.

    ``always``: also in `make test`.
    """

    name: str
    happen: Callable[[Scene, int], None]
    always: bool = False

    def __str__(self) -> str:
        return self.name


def lasting(short: float, long: float) -> float:
    """Return how long something lasts in this run, or how often it happens."""
    return long if IS_LONG else short
