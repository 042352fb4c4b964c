"""Memory that a crowd of clients took, given back to the system once they have left.

What is freed in C's heap stays with the process until somebody trims it, and what refers to itself
until Python's collector comes by; both would come with the next crowd only.
"""

import ctypes
import gc
import logging
from typing import Final

LOG = logging.getLogger(__name__)

CROWD: Final = 100  # clients; collecting takes a tenth of a second, too much for each that leaves


class Crowd:
    """Notices how many there are, and that all of them have left."""

    def __init__(self) -> None:
        self._most = 0

    def is_now(self, size: int) -> None:
        """Take notice of how many there are now; where a crowd has left, give back its memory."""
        self._most = max(self._most, size)
        if size == 0 and self._most >= CROWD:
            self._most = 0
            give_back()


def give_back() -> None:
    """Give back what is not in use. Does nothing where C's library can't."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not glibc
        LOG.debug("memory is not given back on this system")
