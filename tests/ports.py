"""Ports of loopback for the programs that tests start.

One that was free a moment ago may be a client's by the time a server wants it; these are held.
"""

import atexit
from typing import Final

from devstack.ports import Ports

_PORTS: Final = Ports()
atexit.register(_PORTS.close)


def free_port() -> int:
    """Return a port that is nobody else's until this process ends."""
    return _PORTS.reserve()
