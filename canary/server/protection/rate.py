"""How many requests per minute each client may send.

Each process counts for itself, in memory, and forgets a client a minute or two after its last
request.
"""

import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from canary.server.problems import TooOften

HEALTH: Final = 10_000  # requests per minute for /livez and /readyz from one address


class Rate:
    """Counts requests. ``amount`` is how many a client may send per minute; 0 for no limit."""

    def __init__(self, amount: int, option: str) -> None:
        """``option`` is the name of the limit in error messages."""
        self._option = option
        self._item = RateLimitItemPerMinute(amount) if amount else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, client: str) -> None:
        """Count a request. Raises TooOften if there were too many; that request is not counted."""
        item = self._item
        if item is None or self._limiter.hit(item, client):
            return
        reset = self._limiter.get_window_stats(item, client).reset_time
        raise TooOften(
            f"This client sent more than {item.amount} requests within a minute, which is the "
            f"limit of {self._option}; send fewer",
            reset - time.time(),
        )
