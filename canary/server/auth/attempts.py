"""How many wrong passwords came from each address, to stop clients that guess passwords.

Promises: at most ``ADDRESSES`` addresses are kept in memory. If there are more, those with the
oldest last attempt are forgotten.
"""

from collections import OrderedDict
from typing import Final

from canary.clock import CLOCK, Clock
from canary.server.problems import TooOften

WRONG: Final = 30  # passwords that may be wrong within a window
WINDOW: Final = 60.0  # seconds
ADDRESSES: Final = 10_000


class Attempts:
    """Counts the attempts of each address, in windows that begin with an attempt."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begun, how many

    def begin(self, address: str) -> None:
        """Count an attempt before it is checked. Raises TooOften if there were too many."""
        now = self._clock.elapsed()
        begun, count = self._counts.pop(address, (now, 0))
        if now - begun >= WINDOW:
            begun, count = now, 0
        self._counts[address] = begun, min(count + 1, WRONG)
        if len(self._counts) > ADDRESSES:
            self._counts.popitem(last=False)
        if count >= WRONG:
            raise TooOften(
                f"{WRONG} wrong passwords came from this address within {WINDOW:g} s; try again "
                "later with the right password",
                begun + WINDOW - now,
            )

    def take_back(self, address: str) -> None:
        """Uncount an attempt that was not a wrong password after all."""
        begun, count = self._counts.get(address, (0.0, 0))
        if count > 0:
            self._counts[address] = begun, count - 1
