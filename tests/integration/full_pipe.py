"""A program whose standard output and error nobody reads, until somebody does."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gevent.monkey import get_original

from tests.integration.conftest import STOP_TIMEOUT

_DROPPED: Final = re.compile(r"(\d+) lines? of the log (?:was|were) dropped here")
_close = get_original("os", "close")  # gevent's closes a moment later


class Unread:
    """The program, and the end of the pipe that the test has."""

    def __init__(self, process: subprocess.Popen[bytes], reading: int) -> None:
        self.process, self._reading = process, reading
        self._text = b""
        os.set_blocking(reading, False)

    def read(self) -> str:
        """Read what is there, and return all that was read so far."""
        while True:
            try:
                piece = os.read(self._reading, 1 << 16)
            except BlockingIOError:
                break
            if not piece:
                break
            self._text += piece
        return self._text.decode()

    def dropped(self) -> int:
        """Return how many lines are said to have been dropped, in what was read so far."""
        return sum(map(int, _DROPPED.findall(self._text.decode())))

    def close(self) -> None:
        """Read nothing any more, as a reader that ends."""
        if self._reading >= 0:
            _close(self._reading)
            self._reading = -1

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal, and return the exit status and how many seconds the end took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT), time.monotonic() - begun


@contextmanager
def unread(program: Path, environment: Mapping[str, str]) -> Iterator[Unread]:
    """Run a program whose output goes into a pipe that nobody reads."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [program], env=environment, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing
    )
    _close(writing)
    running = Unread(process, reading)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        running.close()
