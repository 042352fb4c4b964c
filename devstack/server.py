"""One server: started, probed until it can be used, signalled, started again with the same data.

A server has one command line, working folder and log for all its lives; what it stores stays
between them. It never sees Ctrl-C and dies with devstack. The end of a server that nobody asked
to end is reported, not mended.
"""

import asyncio
import os
import signal as signals
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError, NotReadyError
from devstack.reaper import Child, Reaper, how_it_ended
from devstack.report import say

TAIL = 15  # lines of a log in an error: enough for a Java exception's head and its cause
LONGEST_LINE = 300  # characters of each
PAUSE = 0.05  # seconds between two probes: fifty of them are nothing beside a start
PROBE_LIMIT = 5.0  # seconds for one probe; a server on loopback that takes longer is frozen
START_LIMIT = 90.0  # seconds; Cassandra needs 5 on two idle cores, a busy machine far more

Probe = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class Server:
    name: str
    argv: Sequence[str]
    cwd: Path
    log: Path
    probe: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    _child: Child | None = None
    _expected_to_end: bool = False

    @property
    def pid(self) -> int | None:
        """None unless it runs (frozen is running)."""
        child = self._child
        return child.pid if child is not None and child.status is None else None

    def start(self, reaper: Reaper, on_end: Callable[[], None]) -> None:
        """Start it; `on_end` is called when it has ended."""
        if self.pid is not None:
            raise DevstackError(f"{self.name} already runs, as pid {self.pid}")
        with self.log.open("ab") as log:
            child = reaper.spawn(
                self.argv,
                cwd=self.cwd,
                environment={**os.environ, **self.environment},
                output=log,
            )
        self._child, self._expected_to_end = child, False
        child.when_ended(lambda status: self._has_ended(child, status, on_end))

    def _has_ended(self, child: Child, status: int, on_end: Callable[[], None]) -> None:
        if not self._expected_to_end:
            say(f"{self.name} (pid {child.pid}) {how_it_ended(status)}; its log: {self.log}")
        on_end()

    async def wait_ready(self, limit: float = START_LIMIT) -> None:
        """Return once it answers; raise if it ended or did not answer within `limit` seconds."""
        deadline = time.monotonic() + limit
        lacks = "it was not started"
        while (child := self._child) is not None:
            if child.status is not None:
                raise self._failure(how_it_ended(child.status))
            try:
                async with asyncio.timeout(PROBE_LIMIT):
                    await self.probe()
            except (NotReadyError, OSError, EOFError) as error:
                lacks = str(error) or type(error).__name__
            else:
                return
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {limit:g} s ({lacks})")
            await asyncio.sleep(PAUSE)
        raise self._failure(lacks)

    def signal(self, number: int) -> None:
        if self._child is None or self.pid is None:
            raise DevstackError(f"{self.name} does not run")
        self._child.signal(number)

    async def stop(self, number: int = signals.SIGKILL) -> None:
        """End it with this signal and wait until it has ended, frozen or not."""
        if self._child is None or self.pid is None:
            return
        self._expected_to_end = True
        self._child.signal(number)
        self._child.signal(signals.SIGCONT)
        await self._child.wait()

    def _failure(self, why: str) -> DevstackError:
        lines = []
        if self.log.exists():
            text = self.log.read_text(encoding="utf-8", errors="replace")
            lines = [f"    {line[:LONGEST_LINE]}" for line in text.splitlines()[-TAIL:]]
        end = "\n".join(lines) or "    (empty)"
        return DevstackError(f"{self.name} {why}. The end of its log, {self.log}:\n{end}")
