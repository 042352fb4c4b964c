"""Starts processes and collects how each one ended, in one thread.

A `Reaper` belongs to a running event loop and must be made in the process's main thread: the
leash of every process is tied to the thread that starts it. Descendants whose own parent ends
become children of this process. It collects every child, so nothing else here may wait for one.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from devstack.leash import adopt_orphans

LEASH = Path(__file__).with_name("leash.py")


@dataclass(eq=False)
class Child:
    """One process that was started here."""

    argv: tuple[str, ...]
    pid: int
    _ended: asyncio.Future[int] = field(repr=False)

    @property
    def status(self) -> int | None:
        """None while it runs, then its exit status, or -n if signal n ended it."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait until it has ended; the status. May be cancelled and called again."""
        return await asyncio.shield(self._ended)

    def when_ended(self, callback: Callable[[int], None]) -> None:
        """Have `callback` called with the status once it has ended."""
        self._ended.add_done_callback(lambda ended: callback(ended.result()))

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended. Its pid is its own until it is collected here."""
        if not self._ended.done():
            os.kill(self.pid, number)

    def kill_session(self) -> None:
        """End it and what it started, if it had a session of its own and still runs."""
        if not self._ended.done():
            os.killpg(self.pid, signal.SIGKILL)


class Reaper:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._children: dict[int, asyncio.Future[int]] = {}

    def __enter__(self) -> Self:
        adopt_orphans()
        self._loop.add_signal_handler(signal.SIGCHLD, self._collect)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | int | None = None,
        own_session: bool = True,
        leash: bool = True,
    ) -> Child:
        """Start a process, by default one that Ctrl-C does not reach and that dies with this one.

        `output` takes its stdout and stderr, and then its stdin is empty; None leaves it all three
        of this process's own.
        """
        prefix = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())] if leash else []
        process = subprocess.Popen(
            [*prefix, *argv],
            cwd=cwd,
            env=environment,
            stdin=None if output is None else subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=own_session,
        )
        process.returncode = 0  # it is collected here: Popen must never wait for it
        ended = self._children[process.pid] = self._loop.create_future()
        return Child(tuple(argv), process.pid, ended)

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._children.pop(pid, None)
            if ended is not None and not ended.done():
                ended.set_result(os.waitstatus_to_exitcode(status))


def how_it_ended(status: int) -> str:
    """A status in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
