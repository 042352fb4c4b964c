"""ZooKeeper's command ``srvr``: what one server reports about itself, without a session.

It is the only four-letter word that a server answers by default, unless its administrator removed
it from ``4lw.commands.whitelist``. It does not work if a server accepts only TLS.
"""

import re
import socket
from dataclasses import dataclass
from typing import Final

from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.zookeeper.fullness import is_full

MAX_ANSWER: Final = 65_536  # bytes


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server's version, and its mode: leader, follower, observer or standalone.

    Both are None if it serves nobody because it does not belong to a majority.
    """

    version: tuple[int, ...] | None
    mode: str | None


class NotAllowed(CanaryError):  # noqa: N818 -- as the leaves of CanaryError
    """The server answers, but does not allow this command."""


class Full(ZooKeeperUnavailable):
    """The server accepts no more connections from this machine."""


def ask(host: str, timeout: float) -> ServerState:
    """Return what the server at ``host`` (host:port) reports about itself.

    It may be silent for ``timeout`` seconds. Raises ZooKeeperUnavailable, Full, or NotAllowed.
    """
    name, _, port = host.rpartition(":")
    address = (name.strip("[]"), int(port))
    answer = b""
    try:
        with socket.create_connection(address, timeout) as connection:
            connection.sendall(b"srvr")
            while len(answer) < MAX_ANSWER and (data := connection.recv(4096)):
                answer += data
    except OSError as error:
        if isinstance(error, ConnectionResetError | BrokenPipeError) and is_full(*address):
            raise Full(f"{host} accepts no more connections from this machine") from error
        reason = error.strerror or str(error) or type(error).__name__
        raise ZooKeeperUnavailable(f"{host} does not answer: {reason}") from error
    if not answer:
        if is_full(*address):
            raise Full(f"{host} accepts no more connections from this machine")
        raise ZooKeeperUnavailable(
            f"{host} ended the connection without answering srvr: if it accepts TLS only, set"
            " [zookeeper] use_tls"
        )
    return _state(host, answer.decode("utf-8", "replace"))


def _state(host: str, answer: str) -> ServerState:
    if "not in the whitelist" in answer:
        raise NotAllowed(f"{host} does not allow srvr")
    if "not currently serving requests" in answer:
        return ServerState(None, None)
    version = re.search(r"^Zookeeper version: (\d+(?:\.\d+)*)", answer, re.MULTILINE)
    mode = re.search(r"^Mode: (\w+)", answer, re.MULTILINE)
    if version is None or mode is None:
        raise ZooKeeperUnavailable(f"{host} does not answer as a ZooKeeper server does")
    return ServerState(tuple(int(part) for part in version[1].split(".")), mode[1])
