"""The log of a program that runs until it is told to stop, written without blocking the program.

Everything that the program, its libraries or Python itself write to ``sys.stdout`` or
``sys.stderr`` becomes a line of the log, including tracebacks of greenlets and threads. The lines
go through a ``LogWriter``.
"""

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import Any, Final

from gevent.hub import Hub

from canary.logs import output
from canary.logs.writer import LogWriter

LOG = logging.getLogger(__name__)

DRAIN_LIMIT: Final = 1.0  # seconds to wait at the end of a program until the rest is written
STDERR: Final = 2
MAX_PART: Final = 8_000  # characters of an incomplete line; more are logged as a line


@contextlib.contextmanager
def kept(level: str, style: str) -> Iterator[LogWriter]:
    """Log through a writer, which is yielded. On exit, wait up to ``DRAIN_LIMIT`` for the rest."""
    _open_standard_files()
    writer = LogWriter(STDERR, partial(_dropped, style))
    output.setup(level, style, writer)
    logging.captureWarnings(capture=True)
    streams = sys.stdout, sys.stderr
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    print_exception = Hub.print_exception
    sys.stdout, sys.stderr = _Stray("stdout", 1), _Stray("stderr", STDERR)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _failed(
        f"thread {args.thread.name if args.thread else 'unknown'}", args.exc_type, args.exc_value
    )
    sys.unraisablehook = lambda args: _failed(
        args.err_msg or "a destructor or a callback", args.exc_type, args.exc_value
    )
    Hub.print_exception = _greenlet_failed  # type: ignore[method-assign,assignment]
    try:
        yield writer
    finally:
        writer.drain(DRAIN_LIMIT)
        sys.stdout, sys.stderr = streams
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        Hub.print_exception = print_exception  # type: ignore[method-assign]


def _open_standard_files() -> None:
    """Open closed standard files: otherwise another file gets their number, and the log with it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(number, True)
    os.close(number)


def _dropped(style: str, count: int) -> str:
    lines = "1 line of the log was" if count == 1 else f"{count} lines of the log were"
    return output.line(
        style,
        logging.WARNING,
        __name__,
        f"{lines} dropped here: the log could not be written fast enough",
    )


class _Stray(io.TextIOBase):
    """Standard output or error; each line that is written to it becomes a line of the log."""

    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__()
        self._log = logging.getLogger(name)
        self._descriptor = descriptor
        self._part = ""

    encoding = "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the real stream."""
        return self._descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Log all complete lines, and keep the rest until it is complete."""
        *lines, part = (self._part + text).split("\n")
        if len(part) > MAX_PART:
            lines, part = [*lines, part], ""
        self._part = part
        for line in lines:
            if line.strip():
                self._log.error("%s", line)
        return len(text)


def _failed(what: str, kind: type[BaseException], error: BaseException | None) -> None:
    if error is None:
        LOG.error("%s failed: %s", what, kind.__name__)
    elif not issubclass(kind, SystemExit):
        LOG.error("%s failed", what, exc_info=error)


def _uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    _failed("the program", kind, error)


def _greenlet_failed(hub: Any, context: Any, kind: Any, error: Any, trace: Any) -> None:
    kind, error, _ = hub._normalize_exception(kind, error, trace)  # noqa: SLF001 -- as gevent does
    what = f"greenlet {context.name}" if hasattr(context, "name") else type(context).__name__
    _failed(what, kind, error)
