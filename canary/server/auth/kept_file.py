"""A file that is read again when it changes, and whose last valid content stays in force.

Promises: `content` checks the file at most every ``LOOK`` seconds, never blocks on anything that is
not a regular file, and raises nothing. If the file is missing or invalid, an error is logged, once
per change of the file, and the last valid content is returned. No content of the file is logged.
"""

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from canary.clock import CLOCK, Clock
from canary.config.text_file import decoded
from canary.errors import ConfigError

LOG = logging.getLogger(__name__)

LOOK: Final = 1.0  # seconds between two checks
MAX_SIZE: Final = 4 * 2**20  # bytes: about 50,000 entries

T = TypeVar("T")
_Signature = tuple[int, ...]


class KeptFile(Generic[T]):
    """One file, and what ``parse`` returned for its text.

    ``option`` is the option that names the file, for error messages. ``parse`` raises ConfigError
    if the text is invalid. Making a KeptFile raises ConfigError if the file can't be used.
    """

    def __init__(
        self, path: str, option: str, parse: Callable[[str], T], clock: Clock = CLOCK
    ) -> None:
        self._path, self._option, self._parse, self._clock = Path(path), option, parse, clock
        self._looked = clock.elapsed()
        self._signature: _Signature | None = None
        self._complaint: str | None = None
        self._content = self._read()

    @property
    def content(self) -> T:
        """The content of the file, or its last valid content."""
        now = self._clock.elapsed()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look()
        return self._content

    def _look(self) -> None:
        complaint = self._read_again()
        if complaint is not None and complaint != self._complaint:
            LOG.error("the previous content of %s stays in force: %s", self._option, complaint)
        self._complaint = complaint

    def _read_again(self) -> str | None:
        """Read the file if it has changed; return why it can't be used, or None if it can."""
        try:
            if _signature(self._path.stat()) == self._signature:
                return self._complaint
            self._content = self._read()
        except ConfigError as error:
            return str(error)
        except OSError as error:
            return self._unreadable(error)
        LOG.info("%s: the file was read again", self._option)
        return None

    def _read(self) -> T:
        try:
            # Without O_NONBLOCK, opening a named pipe would wait for a writer.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise self._wrong("is not a regular file")
                # Taken before reading, so that a write in the meantime changes the signature.
                self._signature = _signature(status)
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise ConfigError(self._unreadable(error), option=self._option) from None
        if len(data) > MAX_SIZE:
            raise self._wrong(f"is larger than {MAX_SIZE // 2**20} MiB")
        try:
            return self._parse(decoded(data))
        except UnicodeDecodeError:
            raise self._wrong("is not a text file in UTF-8. Save it as UTF-8") from None

    def _unreadable(self, error: OSError) -> str:
        return f"{self._option}: the file {self._path} can't be read: {error.strerror}."

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"{self._option}: {self._path} {what}.", option=self._option)


def _signature(status: os.stat_result) -> _Signature:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
