"""What tells a run to stop, and whether COMMAND has been told already.

devstack is two processes: the guardian, whose pid is devstack's, and its worker. The guardian
passes on each signal that it gets through a pipe. A signal that reaches both of them by itself was
sent to the whole process group, as a terminal does with Ctrl-C, and so COMMAND, which belongs to
the group, has got it too; one that reached the guardian alone has to be passed on to COMMAND. The
pipe's end says that the guardian is gone.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
TOGETHER = 0.1  # seconds in which one signal's two ways have both been gone


@dataclass(frozen=True)
class Stop:
    """One reason to stop. Without a signal the guardian is gone: stop at once."""

    signal: int | None
    command_has_it: bool = False


class Stops:
    """Stops as they come, for the worker: `await stops.next()`."""

    def __init__(self, relay: int, signals: Collection[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._relay, self._signals = relay, signals
        self._arrivals: dict[int, Counter[str]] = {}
        self._queue: asyncio.Queue[Stop] = asyncio.Queue()

    def __enter__(self) -> Self:
        """Handle the signals, which the guardian blocked, from now on."""
        for number in self._signals:
            self._loop.add_signal_handler(number, self._arrived, number, "directly")
        self._loop.add_reader(self._relay, self._relayed)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)
        return self

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._loop.remove_reader(self._relay)
        for number in self._signals:
            self._loop.remove_signal_handler(number)

    async def next(self) -> Stop:
        return await self._queue.get()

    def _relayed(self) -> None:
        received = os.read(self._relay, 64)
        for number in received:
            self._arrived(number, "by the guardian")
        if not received:
            self._loop.remove_reader(self._relay)
            self._queue.put_nowait(Stop(None))

    def _arrived(self, number: int, way: str) -> None:
        if number not in self._arrivals:
            self._arrivals[number] = Counter()
            self._loop.call_later(TOGETHER, self._settle, number)
        self._arrivals[number][way] += 1

    def _settle(self, number: int) -> None:
        ways = self._arrivals.pop(number)
        for _ in range(max(ways.values())):
            self._queue.put_nowait(Stop(number, command_has_it=len(ways) > 1))
