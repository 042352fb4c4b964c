"""COMMAND: run in the foreground, told to stop in steps, and ended with all that it started.

It has devstack's process group, terminal and stdin, so Ctrl-C reaches it without devstack. Each
further reason to stop is harsher than the one before:

    Ctrl-C                    wait for it as long as it takes
    a second one, or SIGTERM  SIGTERM, and SIGKILL after `GRACE`
    another                   SIGKILL

What it leaves running is ended when it has ended, even what has gone to a session of its own.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Collection, Mapping, Sequence

import psutil

from devstack.reaper import Child, Reaper
from devstack.report import say
from devstack.stops import Stop, Stops

GRACE = 10.0  # seconds between SIGTERM and SIGKILL: as long as a Canary worker may take to stop
LEFTOVER_GRACE = 5.0  # seconds for what COMMAND left running; its parent did not wait for it either
PAUSE = 0.02  # seconds between two looks at what is left

ASKED, TOLD, KILLED = 1, 2, 3  # the steps


class Command:
    def __init__(self, reaper: Reaper, argv: Sequence[str]) -> None:
        self._reaper, self._argv = reaper, argv
        self._step = 0
        self._deadline: float | None = None

    async def run(self, environment: Mapping[str, str], stops: Stops) -> int:
        """Its exit status, or 128 + n if signal n ended it."""
        child = self._reaper.spawn(self._argv, environment=environment, own_session=False)
        ended = asyncio.ensure_future(child.wait())
        stop = asyncio.ensure_future(stops.next())
        while not ended.done():
            left = None if self._deadline is None else max(0, self._deadline - time.monotonic())
            await asyncio.wait({ended, stop}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                self._obey(child, stop.result())
                stop = asyncio.ensure_future(stops.next())
            elif not ended.done():
                self._kill(child)
        stop.cancel()
        status = ended.result()
        return status if status >= 0 else 128 - status

    async def end_leftovers(self, spared: Collection[int], stops: Stops) -> None:
        """End every descendant of this process but those `spared`."""
        left = _descendants(spared)
        if not left:
            return
        if self._step < KILLED:
            names = ", ".join(f"{name} (pid {process.pid})" for process, name in left.items())
            say(f"ending what COMMAND left running: {names}")
            _signal(left, signal.SIGTERM)
        deadline = time.monotonic() + LEFTOVER_GRACE
        stop = asyncio.ensure_future(stops.next())
        while left := _descendants(spared):
            if self._step >= KILLED or stop.done() or time.monotonic() > deadline:
                _signal(left, signal.SIGKILL)
            await asyncio.sleep(PAUSE)
        stop.cancel()

    def _obey(self, child: Child, stop: Stop) -> None:
        self._step = max(self._step + 1, ASKED if stop.signal == signal.SIGINT else TOLD)
        if self._step >= KILLED:
            self._kill(child)
        elif self._step == TOLD and stop.signal == signal.SIGINT:
            say(f"telling COMMAND to end (SIGTERM, SIGKILL in {GRACE:g} s)")
            child.signal(signal.SIGTERM)
        else:
            if self._step == ASKED:
                say("waiting for COMMAND to end; interrupt again to send it SIGTERM")
            if not stop.command_has_it:
                child.signal(stop.signal)
        if self._step == TOLD:
            self._deadline = time.monotonic() + GRACE

    def _kill(self, child: Child) -> None:
        say("ending COMMAND with SIGKILL")
        self._step, self._deadline = KILLED, None
        child.signal(signal.SIGKILL)


def _descendants(spared: Collection[int]) -> dict[psutil.Process, str]:
    found = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.pid not in spared and process.status() != psutil.STATUS_ZOMBIE:
                found[process] = process.name()
    return found


def _signal(processes: Collection[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
