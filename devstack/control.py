"""Kills, freezes and restarts single servers of the stack that this process runs under, for tests.

    from devstack import control

    control.stop("mongodb")        # SIGKILL; returns when it has ended
    control.start("mongodb")       # the same port, the same data
    control.wait_ready("mongodb")  # it answers again
    control.freeze("zookeeper"), control.thaw("zookeeper")

The names are those of the file DEVSTACK_PIDS. devstack itself does what is asked, so a restarted
server ends with the stack like any other. All calls block, work in any thread or greenlet, and
raise `DevstackError` if what was asked for can't be done.
"""

import json
import os
import signal as signals
import socket
from pathlib import Path

from devstack.errors import DevstackError
from devstack.folder import VARIABLE
from devstack.server import START_LIMIT

SOCKET = "control"
ANSWER_LIMIT = 30.0  # seconds; what takes longer says so itself


def start(name: str) -> int:
    """Start a server that does not run; its pid. It may not answer yet."""
    return _ask("start", name)


def stop(name: str, signal: int = signals.SIGKILL) -> None:
    """End a server with this signal, frozen or not; returns when it has ended."""
    _ask("stop", name, number=signal)


def freeze(name: str) -> None:
    """SIGSTOP a server; returns when it stands still."""
    _ask("freeze", name)


def thaw(name: str) -> None:
    """SIGCONT a server."""
    _ask("thaw", name)


def wait_ready(name: str, limit: float = START_LIMIT) -> None:
    """Return once a server can be used."""
    _ask("wait_ready", name, limit=limit)


def short(path: Path, descriptor: int) -> str:
    """A path for a socket in an open folder; the kernel takes no more than 107 bytes of a path."""
    return f"/proc/self/fd/{descriptor}/{path.name}"


def _ask(verb: str, name: str, *, number: int = 0, limit: float = 0) -> int:
    folder = os.environ.get(VARIABLE)
    if folder is None:
        raise DevstackError(
            f"{VARIABLE} is not set: run this under `python -m devstack run -- COMMAND`"
        )
    request = json.dumps({"verb": verb, "name": name, "signal": number, "limit": limit})
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit + ANSWER_LIMIT)
            connection.connect(short(Path(folder) / SOCKET, descriptor))
            with connection.makefile("rwb") as stream:
                stream.write(request.encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.readline() or b'{"error": "devstack is gone"}')
    except OSError as error:
        raise DevstackError(f"devstack, asked to {verb} {name}: {error}") from error
    finally:
        os.close(descriptor)
    if "error" in answer:
        raise DevstackError(answer["error"])
    return int(answer["pid"] or 0)
