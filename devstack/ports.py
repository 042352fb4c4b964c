"""Free loopback ports that stay one's own while servers on them come and go.

Each port is held by a bound socket that never listens. With SO_REUSEADDR, set after binding, a
server that sets it too (ZooKeeper, mongod and Cassandra do) may listen there all the same, while
another stack's reservation, made without it, is refused. So two stacks that start at once never
choose one port, and a killed server finds its own free.

Ports lie below the range from which the kernel takes those of outgoing connections.
"""

import random
import socket
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
LOWEST = 10_240  # well above what is privileged or commonly listened on
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
NARROWEST = 2_000  # ports; with fewer below the kernel's range, take any and accept the small risk
ATTEMPTS = 1_000


class Ports:
    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        highest = 65_536
        if EPHEMERAL.exists():
            ephemeral = int(EPHEMERAL.read_text().split()[0])
            if ephemeral - LOWEST >= NARROWEST:
                highest = ephemeral
        self._range = range(LOWEST, highest)

    def reserve(self) -> int:
        """A port that nobody else listens on or has reserved."""
        for port in random.sample(self._range, ATTEMPTS):
            reservation = socket.socket()
            try:
                reservation.bind((HOST, port))
            except OSError:
                reservation.close()
                continue
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.append(reservation)
            return port
        raise OSError(f"none of {ATTEMPTS} ports of {self._range} on {HOST} is free")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for reservation in self._held:
            reservation.close()
        self._held.clear()
