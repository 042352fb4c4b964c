"""How far what Canary shows of a board can be trusted right now."""

from enum import StrEnum
from typing import Final


class Freshness(StrEnum):
    """A board's freshness, one at a time."""

    LIVE = "live"  # what is shown is what ZooKeeper holds, but for milliseconds
    CATCHING_UP = "catching_up"  # a round is being read or written
    SUSPENDED = "suspended"  # the watcher has lost ZooKeeper for the moment
    MISSING = "missing"  # there is no such board now
    DENIED = "denied"  # the board's ACL does not let Canary read it
    UNWATCHED = "unwatched"  # nobody watches it


#: Of a board that is so shown, all that happened is known; otherwise nothing is sure.
SEEING: Final = frozenset({Freshness.LIVE, Freshness.MISSING})
