"""ZooKeeper's command ``srvr``: what one server says of itself, without a session.

It is the one of the four-letter words that a server answers unless its administrator took it out of
``4lw.commands.whitelist``. Does not work where a server takes TLS alone.
"""

import re
import socket
from dataclasses import dataclass
from typing import Final

from canary.errors import CanaryError, ZooKeeperUnavailable

MAX_ANSWER: Final = 65_536  # bytes


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server is: its version, and its mode: leader, follower, observer or standalone.

    Both are None where it serves nobody, for it does not belong to a majority.
    """

    version: tuple[int, ...] | None
    mode: str | None


class NotAllowed(CanaryError):  # noqa: N818 -- as the leaves of CanaryError
    """The server answers, and does not let itself be asked that."""


def ask(host: str, timeout: float) -> ServerState:
    """Return what the server at ``host`` (host:port) says of itself.

    It may be silent for ``timeout`` seconds. Raises ZooKeeperUnavailable, or NotAllowed.
    """
    name, _, port = host.rpartition(":")
    answer = b""
    try:
        with socket.create_connection((name.strip("[]"), int(port)), timeout) as connection:
            connection.sendall(b"srvr")
            while len(answer) < MAX_ANSWER and (data := connection.recv(4096)):
                answer += data
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ZooKeeperUnavailable(f"{host} does not answer: {reason}") from error
    return _state(host, answer.decode("utf-8", "replace"))


def _state(host: str, answer: str) -> ServerState:
    if "not in the whitelist" in answer:
        raise NotAllowed(f"{host} does not allow srvr")
    if "not currently serving requests" in answer:
        return ServerState(None, None)
    version = re.search(r"^Zookeeper version: (\d+(?:\.\d+)*)", answer, re.MULTILINE)
    mode = re.search(r"^Mode: (\w+)", answer, re.MULTILINE)
    if version is None or mode is None:
        raise ZooKeeperUnavailable(f"{host} answers with what is not ZooKeeper's")
    return ServerState(tuple(int(part) for part in version[1].split(".")), mode[1])
