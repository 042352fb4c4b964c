"""The process that a user starts and may kill: it outlives its worker or tells the worker to end.

The worker does everything; the guardian only passes on signals (`stops`) and, if the worker is
killed, ends what is left: servers and COMMAND are on the worker's leash, and COMMAND's own children
become the guardian's, whatever session they are in. If the guardian is killed, the worker finds the
pipe between them ended and cleans up. Both killed at the same moment leave no server and no
COMMAND, but maybe COMMAND's children.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

import psutil

from devstack import leash
from devstack.reaper import how_it_ended
from devstack.report import say
from devstack.stops import SIGNALS

CRASHED = 70  # the worker's exit status after an error of its own, EX_SOFTWARE of sysexits.h
PAUSE = 0.01  # seconds between two looks for what is left

Work = Callable[[int, Collection[int]], int]


def guard(work: Work) -> int:
    """Run `work(pipe, signals)` in a guarded process; its status, with 128 + n for signal n."""
    ignored = {number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN}
    signals = SIGNALS - ignored  # what was ignored stays ignored: nohup, a shell's `&`
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    leash.adopt_orphans()
    relay, told = os.pipe()
    sys.stdout.flush()
    worker = os.fork()
    if worker == 0:
        os.close(told)
        leash.adopt_orphans()
        _work(work, relay, signals)
    os.close(relay)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while (status := _collect(worker)) is None:
        number = signal.sigwait({*signals, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            with contextlib.suppress(BrokenPipeError):
                os.write(told, bytes([number]))
    if status < 0:
        say(f"its worker (pid {worker}) {how_it_ended(status)}")
    _end_descendants()
    return status if status >= 0 else 128 - status


def _work(work: Work, relay: int, signals: Collection[int]) -> None:
    status = CRASHED
    try:
        status = work(relay, signals)
    except BaseException:  # noqa: BLE001 - printed; whatever it is, this process must not go on
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def _collect(worker: int) -> int | None:
    """Collect every child that has ended; the worker's status if it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == worker:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def _end_descendants() -> None:
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(PAUSE)
        _collect(0)
