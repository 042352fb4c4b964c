"""Writes the log without ever waiting for its reader.

A program with one event loop stops completely while it waits to write a line, because nobody reads
the pipe, a terminal was stopped or a disk hangs. So lines go into a queue in memory, and a thread
writes them. It is a thread of the operating system that gevent does not know.

Promises: ``write`` never waits. Lines are written in order and whole, or counted as dropped. The
queue holds ``QUEUE_LIMIT`` bytes. Once full, it accepts no line until half of it is written. The
number of dropped lines is written in the place where they are missing, as soon as lines can be
written again. A forked process starts with an empty queue and a thread of its own.
"""

import contextlib
import os
import select
import signal
from _queue import Empty, SimpleQueue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gevent.monkey import get_original

QUEUE_LIMIT: Final = 1024 * 1024  # bytes
# A write to a pipe of at most this size is not mixed with writes of other processes.
PIECE: Final = select.PIPE_BUF
POLL: Final = 0.005  # seconds between two checks whether everything is written

# The originals, not gevent's: they block the calling thread in the operating system.
_new_lock: Final[Callable[[], Any]] = get_original("_thread", "RLock")
_start_thread: Final[Callable[..., int]] = get_original("_thread", "start_new_thread")
_select: Final[Callable[..., Any]] = get_original("select", "select")
_sleep: Final[Callable[[float], None]] = get_original("time", "sleep")
_monotonic: Final[Callable[[], float]] = get_original("time", "monotonic")


@dataclass(frozen=True, slots=True)
class _Entry:
    """Bytes to write: one line of the log, or the message that ``said`` lines were dropped."""

    data: bytes
    lines: int = 1
    said: int = 0


class LogWriter:
    """A text stream that queues what is written to it, one line of the log at a time.

    ``word`` returns the line that reports how many lines were dropped. It is also called in the
    writing thread, so it must not use gevent. ``limit`` is the queue's size in bytes.
    """

    def __init__(
        self, descriptor: int, word: Callable[[int], str], limit: int = QUEUE_LIMIT
    ) -> None:
        self._descriptor, self._word, self._limit = descriptor, word, limit
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._queue: SimpleQueue[_Entry] = SimpleQueue()
        self._lock = _new_lock()
        self._is_running = False
        self._is_full = False
        self._is_broken = False  # the last attempt to write failed
        self._is_cut = False  # it failed within a line
        self._held = 0  # bytes in the queue and being written
        self._unsaid = 0  # dropped lines that are not reported yet
        self.dropped = 0  # lines, in this process

    def write(self, text: str) -> int:
        """Queue ``text``, a line with its line break, or count it as dropped; return its length."""
        entry = _Entry(text.encode(errors="backslashreplace"))
        with self._lock:
            if self._held <= self._limit // 2:
                self._is_full = False
            # An empty queue accepts a line of any size.
            if self._is_full or (self._held and self._held + len(entry.data) > self._limit):
                self._is_full = True
                self._drop(1, 0)
                return len(text)
            if self._unsaid:
                self._put(self._told())
            self._put(entry)
            if not self._is_running:
                self._start()
        return len(text)

    def flush(self) -> None:
        """Do nothing. ``logging`` calls this after each line."""

    def drain(self, limit: float) -> bool:
        """Wait until everything is written or has failed, but at most ``limit`` seconds.

        Returns whether that is so. It blocks the whole program, so call it only at its end.
        """
        deadline = _monotonic() + limit
        while self._held or (self._unsaid and self._is_running and not self._is_broken):
            if _monotonic() >= deadline:
                return False
            _sleep(POLL)
        return True

    def _start(self) -> None:
        # If no thread can be started now, the next line tries again.
        with contextlib.suppress(RuntimeError):
            _start_thread(self._run, ())
            self._is_running = True

    def _put(self, entry: _Entry) -> None:
        self._held += len(entry.data)
        self._queue.put(entry)

    def _told(self) -> _Entry:
        count, self._unsaid = self._unsaid, 0
        return _Entry(self._word(count).encode(errors="backslashreplace"), 0, count)

    def _drop(self, lines: int, said: int) -> None:
        self.dropped += lines
        self._unsaid += lines + said

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the loop
        entry: _Entry | None = None
        while True:
            piece, entry = self._next_piece(entry or self._queue.get())
            self._write(piece)
            if entry is None and self._queue.empty() and not self._is_broken:
                with self._lock:
                    if self._unsaid and self._queue.empty():
                        self._put(self._told())

    def _next_piece(self, first: _Entry) -> tuple[list[_Entry], _Entry | None]:
        """Return entries to write together, and the next one if it is already off the queue."""
        piece, size = [first], len(first.data)
        while True:
            try:
                entry = self._queue.get_nowait()
            except Empty:
                return piece, None
            size += len(entry.data)
            if size > PIECE:
                return piece, entry
            piece.append(entry)

    def _write(self, piece: list[_Entry]) -> None:
        data = b"".join(entry.data for entry in piece)
        head = b"\n" if self._is_cut else b""  # ends a line that was cut
        written = self._write_bytes(head + data) - len(head)
        with self._lock:
            self._held -= len(data)
            self._is_broken = written < len(data)
            if written >= 0:
                self._is_cut = False
            end = 0
            for entry in piece:
                end += len(entry.data)
                if end > written:
                    self._drop(entry.lines, entry.said)
                    self._is_cut = self._is_cut or end - len(entry.data) < written

    def _write_bytes(self, data: bytes) -> int:
        """Write ``data``, however long that takes, and return how many bytes were written."""
        written = 0
        while written < len(data):
            try:
                written += os.write(self._descriptor, data[written:])
            except BlockingIOError:  # another process that shares the pipe made it non-blocking
                _select([], [self._descriptor], [])
            except OSError:
                break
        return written
