"""The signals that shut a program down, and the signals that it ignores.

Promises: SIGTERM, SIGINT, SIGHUP and SIGQUIT all have the same effect. With `handle`, SIGUSR1 and
SIGUSR2 do not end the program. If SIGHUP was ignored when the program began, as by `nohup`, it
stays ignored.
"""

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

import gevent

LOG = logging.getLogger(__name__)

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
WITHOUT_MEANING: Final = (signal.SIGUSR1, signal.SIGUSR2)


def handle(stop: Callable[[], None]) -> None:
    """Call ``stop``, in a greenlet, for each signal that ends the program.

    ``stop`` may be called more than once.
    """
    for number in _ending():
        gevent.signal_handler(number, _end, number, stop)
    for number in WITHOUT_MEANING:
        gevent.signal_handler(number, _ignore, number)


def exit_at_once() -> None:
    """On a signal that ends the program, run the ``finally`` blocks and exit.

    The exit status is 128 plus the signal's number.
    """
    for number in _ending():
        signal.signal(number, _exit)


def _ending() -> list[signal.Signals]:
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [each for each in ENDING if not (is_nohup and each is signal.SIGHUP)]


def _end(number: signal.Signals, stop: Callable[[], None]) -> None:
    LOG.info("%s received, shutting down", number.name)
    stop()


def _ignore(number: signal.Signals) -> None:
    LOG.info("%s is ignored", number.name)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
