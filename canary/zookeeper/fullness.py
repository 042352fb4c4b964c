"""Whether a ZooKeeper server accepts no more connections from this machine.

A full server ends a connection as soon as it is made (``maxClientCnxns`` and ``maxCnxns`` of
zoo.cfg) and gives no reason. Any other server waits for what a client sends.
"""

import socket
from collections.abc import Callable
from typing import Final

from canary.clock import CLOCK, Clock

LOOK: Final = 0.5  # seconds
AGAIN: Final = 30.0  # seconds for which a result is used: each test is one more connection
ADVICE: Final = (
    "raise maxClientCnxns in its zoo.cfg, or end programs on this machine that hold connections;"
    " if it is behind a proxy or load balancer, check that this reaches a server"
)


def is_full(host: str, port: int) -> bool:
    """Return whether a connection to that server ends before anything is sent."""
    try:
        with socket.create_connection((host, port), LOOK) as connection:
            return not connection.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return True
    except OSError:  # the server waits, or there is none
        return False


class Fullness:
    """The same for a client that tries again and again."""

    def __init__(self, look: Callable[[str, int], bool] = is_full, clock: Clock = CLOCK) -> None:
        self._look, self._clock = look, clock
        self._known: dict[tuple[str, int], tuple[float, bool]] = {}

    def of(self, host: str, port: int) -> bool:
        """Return whether that server is full, or was so within the last ``AGAIN`` seconds."""
        now = self._clock.elapsed()
        until, is_known_full = self._known.get((host, port), (now, False))
        if now < until:
            return is_known_full
        found = self._look(host, port)
        self._known[host, port] = (now + AGAIN, found)
        return found
