"""The demo's processes: each with a log of its own, on a leash, and ended with the demo.

Each has a session of its own, so Ctrl-C reaches the demo alone, which then tells them in its own
way. A demo that is killed takes them with it: the kernel ends them (devstack.leash).
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.progress import DemoError, say
from devstack.reaper import Child, Reaper, how_it_ended

TAIL = 20  # lines of a log that are shown
LONGEST_LINE = 300  # characters of each
PAUSE = 0.02  # seconds between two looks at whether all have ended
END_LIMIT = 8.0  # seconds to end in; devstack, told to stop, gives the demo ten


@dataclass
class _Process:
    child: Child
    log: Path
    stop: int  # the signal that ends it soonest
    may_end: bool = False


class Children:
    """All processes of one demo. Made in the main thread, within a running event loop."""

    def __init__(self, reaper: Reaper, folder: Path) -> None:
        self._reaper, self._folder = reaper, folder
        self._processes: dict[str, _Process] = {}
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        stop: int = signal.SIGTERM,
        may_end: bool = False,
    ) -> None:
        """Start one. `failure` tells if it ends unless it was told to, or `may_end` by itself."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            child = self._reaper.spawn(
                argv, environment={**os.environ, **(environment or {})}, output=output
            )
        self._processes[name] = _Process(child, log, stop, may_end)
        child.when_ended(lambda status: self._ended(name, status))

    def has_done(self, name: str) -> bool:
        """Tell whether one that is to end by itself has. Raises DemoError if it failed."""
        process = self._processes[name]
        if (status := process.child.status) is None:
            return False
        if status != 0:
            raise DemoError(self._last_words(name, status))
        return True

    def tell(self, names: Sequence[str], number: int) -> None:
        """Send a signal that asks these to end."""
        for name in names:
            self._processes[name].may_end = True
            self._processes[name].child.signal(number)

    async def end(self, hurry: asyncio.Event) -> None:
        """End all that still run, by SIGKILL what does not obey; all of it once `hurry` is set."""
        for process in self._processes.values():
            process.may_end = True
            process.child.signal(process.stop)
        deadline = time.monotonic() + END_LIMIT
        while self._running and time.monotonic() < deadline and not hurry.is_set():
            await asyncio.sleep(PAUSE)
        for name in self._running:
            say(f"ending {name} with SIGKILL")
            self._processes[name].child.kill_session()
        await asyncio.gather(*(process.child.wait() for process in self._processes.values()))

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(_tail(name, process.log) for name, process in self._processes.items())

    @property
    def _running(self) -> list[str]:
        return [name for name, each in self._processes.items() if each.child.status is None]

    def _ended(self, name: str, status: int) -> None:
        if not self._processes[name].may_end and not self.failure.done():
            self.failure.set_result(self._last_words(name, status))

    def _last_words(self, name: str, status: int) -> str:
        return f"{name} {how_it_ended(status)}.\n{_tail(name, self._processes[name].log)}"


def _tail(name: str, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    shown = "\n".join(f"    {line[:LONGEST_LINE]}" for line in lines) or "    (empty)"
    return f"The end of {name}'s log:\n{shown}"
