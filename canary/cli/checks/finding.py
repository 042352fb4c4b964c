"""The result of a check of one part of an installation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from canary.errors import tidied


class Status(StrEnum):
    """The state of what was checked."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody should look at it
    FAILED = "failed"  # it does not work
    SKIPPED = "skipped"  # it was not checked, and the finding says why


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the status, what was found, and what to do about it."""

    status: Status
    words: str
    advice: str = ""

    def __post_init__(self) -> None:
        """Tidy messages of other programs in the texts."""
        object.__setattr__(self, "words", tidied(self.words))
        object.__setattr__(self, "advice", tidied(self.advice))


@dataclass(frozen=True, slots=True)
class Row:
    """A finding, and the name of the check that it comes from."""

    check: str
    finding: Finding


def ok(words: str) -> Finding:
    """Return the finding that something works."""
    return Finding(Status.OK, words)


def warning(words: str, advice: str) -> Finding:
    """Return the finding that something works, but somebody should look at it."""
    return Finding(Status.WARNING, words, advice)


def failed(words: str, advice: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(Status.FAILED, words, advice)


def skipped(words: str, advice: str = "") -> Finding:
    """Return the finding that something was not checked."""
    return Finding(Status.SKIPPED, words, advice)


#: One check: takes what its group has opened, and yields findings. May raise a CanaryError.
Check = Callable[[Any], Iterator[Finding]]
