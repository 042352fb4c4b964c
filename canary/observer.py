"""The interface through which a worker's watches report their work, for example to metrics.

An observer is called in the greenlet that does the work. It must not wait, must not raise, and must
not keep or change what it is passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from canary.model.changes import Change, Gap


@dataclass(frozen=True, slots=True)
class Written:
    """Changes and gaps of a board that were written to MongoDB, in a transaction of ``seconds``.

    ``watched_since`` is when the board was read for the first time. It is None if the changes were
    found by that first read: they happened before anybody watched. ``waited`` holds how many
    seconds each job that was claimed had waited in all, ``ran`` how many seconds each job that
    ended had run; jobs for which that is not known are left out.
    """

    board: str
    changes: Sequence[Change]
    gaps: Sequence[Gap]
    watched_since: datetime | None
    seconds: float
    waited: Sequence[float]
    ran: Sequence[float]


class Observer(Protocol):
    """What the watches of one worker report to."""

    def looked(self, board: str, seconds: float) -> None:
        """Record a round, a read of the board, that took ``seconds``."""

    def wrote(self, written: Written) -> None:
        """Record a write that succeeded. Called once for each."""

    def failed(self, board: str) -> None:
        """Record a write that failed and will be retried."""


class _Nobody:
    def looked(self, board: str, seconds: float) -> None:
        """Ignore it."""

    def wrote(self, written: Written) -> None:
        """Ignore it."""

    def failed(self, board: str) -> None:
        """Ignore it."""


#: Ignores everything.
NOBODY: Final[Observer] = _Nobody()
