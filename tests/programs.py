"""Starts Canary's programs, each forked from a process that has imported it already.

Imports take most of the processor time of a program's start, and the tests start hundreds. So one
process per program, the *nursery*, imports the program's module and does nothing else: it has no
thread and no hub of gevent's. For each start it forks, and the child becomes the program: with a
working directory, words, environment and files of its own, and with the interpreter's own end.

Promises: a program behaves as one that its console script starts. Where that can't be, because its
environment has a variable that something reads before the program's module is imported (a locale, a
library to preload), the console script is started. Programs and nurseries are children of the
test run's own nurseries, which end when the test run does.

    python -m tests.programs canary-server     (with a socket as standard input)
"""

import _socket
import atexit
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any, Final, Protocol

from gevent._hub_local import get_hub_if_exists
from gevent.monkey import get_original

COMMANDS: Final = Path(sys.executable).parent  # where the console scripts of this environment are
#: What the interpreter, the C library or an imported module reads once.
READ_EARLY: Final = re.compile(
    r"LD_\w+|MALLOC_\w+|PYTHON\w+|LANG|LC_\w+|LANGUAGE|TZ|GEVENT\w*|FAKETIME\w*|PROMETHEUS\w+",
    re.IGNORECASE,
)
PAUSE: Final = 0.01  # seconds between two looks whether a program has ended
MESSAGE: Final = 2**20  # bytes


class Process(Protocol):
    """A program that was started, as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit status. Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def terminate(self) -> None:
        """Send it SIGTERM."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def start(
    name: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes],
) -> Process:
    """Start a console script of Canary's, or a program given by its path, with no input."""
    if "/" in name or _early(environment) != _early(os.environ):
        return subprocess.Popen(
            [str(COMMANDS / name), *words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
    return _Nursery.of(name).start(words, environment, output, errors)


def run(
    name: str, words: Sequence[str], environment: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run a console script of Canary's to its end, and return what it wrote.

    Raises subprocess.TimeoutExpired after ``timeout`` seconds; the program is killed then.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(name, words, environment, output, errors)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        written = []
        for file in (output, errors):
            file.seek(0)
            written.append(file.read().decode())
        return subprocess.CompletedProcess([name, *words], status, *written)


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if READ_EARLY.fullmatch(name)}


class _Program:
    """A program that a nursery has forked."""

    def __init__(self, nursery: "_Nursery", pid: int, words: Sequence[str]) -> None:
        self._nursery, self.pid, self._words = nursery, pid, words
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self._words, timeout)
            time.sleep(PAUSE)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:  # until it has been asked for, no other process gets its pid
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Nursery:
    """The test run's end of the socket to a nursery."""

    _all: Final[dict[str, "_Nursery"]] = {}

    def __init__(self, name: str) -> None:
        self._name, self._lock = name, threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, name],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )

    @classmethod
    def of(cls, name: str) -> "_Nursery":
        """Return a program's nursery, of which there is one a test run."""
        if not cls._all:
            atexit.register(cls._end)
        if name not in cls._all:
            cls._all[name] = cls(name)
        return cls._all[name]

    @classmethod
    def _end(cls) -> None:
        for nursery in cls._all.values():
            nursery._socket.close()
        for nursery in cls._all.values():
            nursery._process.wait()

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        errors: IO[bytes],
    ) -> Process:
        """Fork a program."""
        told = {"words": words, "environment": dict(environment), "folder": str(Path.cwd())}
        pid = self.ask(told, [output.fileno(), errors.fileno()])
        assert pid is not None
        return _Program(self, pid, [self._name, *words])

    def ask(self, question: Mapping[str, Any], files: Sequence[int] = ()) -> int | None:
        """Return the answer to a question."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(question).encode()], files)
            answer = self._socket.recv(MESSAGE)
        if not answer:
            raise RuntimeError(f"the nursery of {self._name} has ended: {self._process.wait()}")
        number: int | None = json.loads(answer)
        return number


def serve(control: "_socket.socket") -> Sequence[str] | None:
    """Answer the test run's questions; return the words of a program, in a child, or None."""
    fork, waitpid = get_original("os", "fork"), get_original("os", "waitpid")
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE, 2)  # type: ignore[arg-type]
        if not message:
            return None
        question = json.loads(message)
        if "ended" in question:
            pid, status = waitpid(question["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif answer := fork():
            for file in files:
                os.close(file)
        else:
            control.close()
            _become(question, *files)
            words: Sequence[str] = question["words"]
            return words
        control.send(json.dumps(answer).encode())


def _become(program: Mapping[str, Any], output: int, errors: int) -> None:
    """Make this process such as the one that ``program`` tells of would be at its start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, errors)):
        os.dup2(file, number)
        if file > 2:
            os.close(file)
        else:
            os.set_inheritable(number, True)
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environment"])


def main(name: str) -> None:
    """Be the nursery of a console script."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the test run to handle
    [script] = entry_points(group="console_scripts", name=name)
    program = script.load()
    # What a child would lack, or share with the others, is not there before a program begins.
    assert get_hub_if_exists() is None
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    gc.freeze()
    words = serve(_socket.socket(fileno=0))
    if words is not None:
        sys.argv = [str(COMMANDS / name), *words]
        sys.exit(program())


if __name__ == "__main__":
    main(*sys.argv[1:])
