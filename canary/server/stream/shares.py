"""How many event streams one client may have: a share of those that the process serves.

Promises: one name, or one address, has at most ``limit`` streams at a time. A further stream is
refused before anything is done for it, and the client's other streams go on.

A client is the name that signed in, or else the address, as for ``[server] rate_limit``.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from canary.server.problems import TooOften
from canary.server.protection.gate import CALLER
from canary.server.protection.proxies import bucket

FEW: Final = 16  # streams that one client may have even if they are more than an eighth
RETRY_AFTER: Final = 10.0  # seconds; a stream ends when its client disconnects, not by itself


class Shares:
    """The streams of each client of this process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def take(self, client: str) -> Callable[[], None]:
        """Count one more stream of ``client``; return a function that gives it back.

        The function has an effect only once, however often it is called. Raises TooOften if the
        client has as many streams as it may have.
        """
        with self._lock:
            if self._held.get(client, 0) >= self._limit:
                raise TooOften(
                    f"This client already has {self._limit} event streams, the limit of [server] "
                    "streams_per_client; close one, or connect again later",
                    RETRY_AFTER,
                )
            self._held[client] += 1
        left = [client]

        def give_back() -> None:
            with self._lock:
                self._held.subtract(left)
                left.clear()
                self._held += Counter()  # remove clients without streams

        return give_back

    def __len__(self) -> int:
        """Return the number of clients that have a stream."""
        return len(self._held)


def client_of(environ: Mapping[str, Any]) -> str:
    """Return the client of a request, from its environment as the gate left it."""
    name = environ.get(CALLER)
    return f"name {name}" if name else f"address {bucket(environ.get('REMOTE_ADDR', ''))}"


def share_of(limit: int, streams: int) -> int:
    """Return how many of ``streams`` one client may have: ``limit``, or an eighth if that is 0.

    The eighth is raised to ``FEW`` if it is less, but not beyond three quarters of ``streams``.
    """
    return limit or max(1, min(streams * 3 // 4, max(FEW, streams // 8)))
