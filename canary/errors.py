"""The errors that Canary raises itself.

Each adapter converts its library's errors into these in one place, so code above an adapter catches
only these::

    CanaryError
    ├── ConfigError              an option, file or environment variable is wrong
    ├── UsageError               a command line or a request is wrong
    ├── BoardError               about one board, not about the connection
    │   ├── BoardMissing         its node does not exist
    │   └── BoardDenied          the ACL does not let Canary read it
    ├── ZooKeeperUnavailable     no answer: nothing can be concluded from it
    ├── StoreError               MongoDB or Cassandra
    │   ├── StoreUnavailable     may pass by itself: retry, with backoff
    │   ├── StoreRefused         does not pass until somebody changes something
    │   └── PlaceLost            MongoDB can't return what came after a position in its log
    └── Fenced                   another worker has this board now

A message says what is wrong and what the operator can do next. It never contains a secret. An error
that fits none of these is a defect, and is not raised as a CanaryError.
"""

# ruff: noqa: N818 -- a leaf's name says what happened; only the branches end in Error.

from __future__ import annotations

import re


def tidied(text: str) -> str:
    """Return `text` with long numbers rounded, and one full stop in place of two.

    Both occur where a sentence quotes the message of another program.
    """
    text = _LONG_NUMBER.sub(_rounded, text)
    return _STOPS.sub(".", text).replace(".; ", "; ")


def _rounded(match: re.Match[str]) -> str:
    number = float(match.group())
    return f"{number:.0f}" if number >= 1000 else f"{number:.3g}"


_LONG_NUMBER = re.compile(r"(?<![\w.])[0-9]{1,6}\.[0-9]{4,}(?![0-9.])")
_STOPS = re.compile(r"(?<=[^\s./'\"])\.\.(?=\s|[;,:)]|$)")


class CanaryError(Exception):
    """The base class. `str()` of an error is a message for the operator."""

    def __init__(self, message: str = "") -> None:
        super().__init__(tidied(message))


class ConfigError(CanaryError):
    """An option, a configuration file or an environment variable is wrong; Canary does not start.

    option: as `[group] name`, or None if the error is not about one option.
    value: the text that was found, or None if there is none or it is a secret.
    allowed: the valid values, in words.
    """

    def __init__(
        self,
        message: str,
        *,
        option: str | None = None,
        value: str | None = None,
        allowed: str | None = None,
    ) -> None:
        super().__init__(message)
        self.option = option
        self.value = value
        self.allowed = allowed


class UsageError(CanaryError):
    """The caller asked for something that is not possible; nothing was done."""


class BoardError(CanaryError):
    """An error about one board; `path` is the board's."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class BoardMissing(BoardError):
    """The board's node does not exist now."""


class BoardDenied(BoardError):
    """The ACL does not allow the read; this says nothing about the board's jobs."""


class ZooKeeperUnavailable(CanaryError):
    """Connection lost, call timed out, or session expired; whether the call was done is unknown."""


class StoreError(CanaryError):
    """MongoDB or Cassandra did not carry out an operation."""


class StoreUnavailable(StoreError):
    """A retry may succeed: unreachable, no primary, timed out, overloaded."""


class StoreRefused(StoreError):
    """A retry does not help: no rights, a standalone mongod, a schema that does not fit."""


class PlaceLost(StoreError):
    """MongoDB can't return what came after a position: it is too old, or never existed."""


class Fenced(CanaryError):
    """Another worker holds this board with its own epoch. Nothing was written; stop this watch."""
