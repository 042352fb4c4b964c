"""What a worker's watches tell of their work, to whoever counts it; nothing here counts.

An observer is called where the work is done, in the greenlet that does it: it must neither wait nor
raise, and what it is told is not its own to keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from canary.model.changes import Change, Gap


@dataclass(frozen=True, slots=True)
class Written:
    """What MongoDB has taken of a board, in one transaction that lasted ``seconds``.

    ``watched_since`` is when the board was looked at for the first time, None of what that look
    itself found, which was there before anybody watched. ``waited`` are the seconds for which
    the jobs that were claimed had waited in all, ``ran`` those for which the ones that ended had
    run, where they are known.
    """

    board: str
    changes: Sequence[Change]
    gaps: Sequence[Gap]
    watched_since: datetime | None
    seconds: float
    waited: Sequence[float]
    ran: Sequence[float]


class Observer(Protocol):
    """Whom the watches of one worker tell."""

    def looked(self, board: str, seconds: float) -> None:
        """Take notice of a round, which lasted ``seconds``."""

    def wrote(self, written: Written) -> None:
        """Take notice of what was written, once, when it is."""

    def failed(self, board: str) -> None:
        """Take notice of a write that did not succeed; it will be tried again."""


class _Nobody:
    def looked(self, board: str, seconds: float) -> None:
        """Ignore it."""

    def wrote(self, written: Written) -> None:
        """Ignore it."""

    def failed(self, board: str) -> None:
        """Ignore it."""


#: Counts nothing.
NOBODY: Final[Observer] = _Nobody()
