"""How far what Canary shows of a board can be trusted now."""

from enum import StrEnum
from typing import Final


class Freshness(StrEnum):
    """A board's freshness, one value at a time."""

    LIVE = "live"  # what is shown is what ZooKeeper holds, give or take milliseconds
    CATCHING_UP = "catching_up"  # a round is being read or written
    SUSPENDED = "suspended"  # ZooKeeper does not answer the watcher at the moment
    MISSING = "missing"  # there is no such board now
    DENIED = "denied"  # the board's ACL does not let Canary read it
    UNWATCHED = "unwatched"  # nobody watches it


#: With these, everything that happened on the board is known; with others, nothing is certain.
SEEING: Final = frozenset({Freshness.LIVE, Freshness.MISSING})
