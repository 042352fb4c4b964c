"""Memory that a crowd of clients took, given back to the system once they have left.

What is freed in C's heap stays with the process until somebody trims it, and what refers to itself
until Python's collector comes by. Names of attributes that C code looked up stay in a cache of
Python's, up to four thousand of them, scattered over all that the crowd used.
"""

import ctypes
import gc
import logging
import sys
import threading
from typing import Final

LOG = logging.getLogger(__name__)

SETTLING: Final = 1.0  # seconds until the last one's greenlet, and those beside it, have ended
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
            timer = threading.Timer(SETTLING, give_back)
            timer.daemon = True
            timer.start()


def give_back() -> None:
    """Give back what is not in use. Does nothing where C's library can't."""
    clear = getattr(sys, "_clear_internal_caches", None)  # from Python 3.13 on
    clear = clear or sys._clear_type_cache  # type: ignore[attr-defined,unused-ignore]  # noqa: SLF001
    clear()
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not glibc
        LOG.debug("memory is not given back on this system")
