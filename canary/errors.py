"""Every error that Canary raises itself.

Each library's own errors are turned into these in one place beside the library, so code above an
adapter catches these alone::

    CanaryError
    ├── ConfigError              an option holds what it must not
    ├── UsageError               wrong words on the command line or in a request
    ├── BoardError               one board, not the connection
    │   ├── BoardMissing         its node does not exist
    │   └── BoardDenied          the ACL does not let Canary read it
    ├── ZooKeeperUnavailable     no answer: nothing can be concluded from it
    ├── StoreError               MongoDB or Cassandra
    │   ├── StoreUnavailable     may pass by itself: try again, with backoff
    │   ├── StoreRefused         will not pass until somebody changes something
    │   └── PlaceLost            its log no longer tells what came after that place
    └── Fenced                   another worker has this board now

A message says what is wrong and what the operator can do next; it never holds a secret. What no
entry here describes is a defect and is not caught as a CanaryError.
"""

# ruff: noqa: N818 -- the leaves read as what happened; only the branches end in Error.

from __future__ import annotations


class CanaryError(Exception):
    """Base of all of them; `str()` of it is for the operator."""


class ConfigError(CanaryError):
    """An option, a configuration file or an environment variable is wrong; Canary does not start.

    option: as `[group] name`, or None if the error is not about one option.
    value: the text that was found, or None if there is none or it is a secret.
    allowed: in words, what would be right.
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
    """The caller asked for something that makes no sense; nothing was done."""


class BoardError(CanaryError):
    """Something about one board; `path` is the board's."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class BoardMissing(BoardError):
    """The board's node does not exist now."""


class BoardDenied(BoardError):
    """The ACL does not allow the read; this says nothing about the board's jobs."""


class ZooKeeperUnavailable(CanaryError):
    """Connection lost, call timed out, or session expired; a call may or may not have been done."""


class StoreError(CanaryError):
    """A store did not do what it was asked."""


class StoreUnavailable(StoreError):
    """It may work later: unreachable, no primary, timed out, overloaded."""


class StoreRefused(StoreError):
    """It will not work by itself: no rights, a standalone mongod, a schema that does not fit."""


class PlaceLost(StoreError):
    """MongoDB can't tell what came after a place in its log: it is too long ago, or never was."""


class Fenced(CanaryError):
    """Another worker holds this board with its own epoch; nothing was written, stop this watch."""
