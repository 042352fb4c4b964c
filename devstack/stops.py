"""What tells a run to stop, and whether COMMAND has been told already.

What a terminal sends (Ctrl-C, Ctrl-\\, its own end) goes to the whole process group, to which
COMMAND belongs; what another process sends, as `kill` does, is meant for devstack, which passes it
on. Only `sigwaitinfo` tells the one from the other, so a thread waits by it. A process that sends a
signal to the whole group has COMMAND get it twice.
"""

import asyncio
import contextlib
import signal
import threading
from dataclasses import dataclass

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
SI_KERNEL = 0x80  # the kernel sent it, for a terminal; from asm-generic/siginfo.h


@dataclass(frozen=True)
class Stop:
    """One reason to stop."""

    signal: int
    command_has_it: bool


class Stops:
    """Stops as they come: `await stops.next()`.

    To be made in the main thread, before any other is started: from then on the signals are blocked
    in every thread. What was ignored stays ignored, as under nohup or a shell's `&`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Stop] = asyncio.Queue()
        signals = {each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        threading.Thread(target=self._wait, args=(signals,), daemon=True).start()

    async def next(self) -> Stop:
        return await self._queue.get()

    def _wait(self, signals: set[signal.Signals]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the run has ended
            while True:
                got = signal.sigwaitinfo(signals)
                stop = Stop(got.si_signo, command_has_it=got.si_code == SI_KERNEL)
                self._loop.call_soon_threadsafe(self._queue.put_nowait, stop)
