"""What a look at one part of an installation comes to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody should look at it
    FAILED = "failed"  # it does not work
    SKIPPED = "skipped"  # nobody looked, and the finding says why


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: how it is, what was seen, and what to do about it."""

    status: Status
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A finding with the name of the check that it is of."""

    check: str
    finding: Finding


def ok(words: str) -> Finding:
    """Return the finding that something is well."""
    return Finding(Status.OK, words)


def warning(words: str, advice: str) -> Finding:
    """Return the finding that somebody should look at something."""
    return Finding(Status.WARNING, words, advice)


def failed(words: str, advice: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(Status.FAILED, words, advice)


def skipped(words: str, advice: str = "") -> Finding:
    """Return the finding that nobody looked."""
    return Finding(Status.SKIPPED, words, advice)


#: One check: given what its group has opened, yields its findings. May raise a CanaryError.
Check = Callable[[Any], Iterator[Finding]]
