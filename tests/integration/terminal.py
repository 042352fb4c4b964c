"""A terminal of a test's own, as a program finds one that a person sits before."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import eventually


class Terminal:
    """Runs a command with its output on a terminal; standard error goes elsewhere."""

    def __init__(
        self, words: Sequence[str | Path], environ: Mapping[str, str], columns: int = 200
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            [str(word) for word in words],
            env={**environ, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(slave)
        self._output = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        os.close(self._master)

    @property
    def output(self) -> str:
        """What it has shown so far, with all that steers a terminal, but for lines' returns."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # nobody has the other end any more
                break
            if not data:
                break
            self._output += data
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    def shows(self, text: str) -> str:
        """Wait until it shows ``text``; return all that it has shown."""
        eventually(lambda: text in self.output, why=f"the terminal shows {text!r}")
        return self.output

    def wait(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit status, what it showed, and its standard error."""
        eventually(lambda: self.output is not None and self.process.poll() is not None)
        errors = self.process.stderr.read() if self.process.stderr else b""
        return self.process.returncode, self.output, errors.decode()
