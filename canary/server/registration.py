"""Whether a path is registered: asked of MongoDB first, then of Canary's own board in ZooKeeper."""

import shlex
from typing import Protocol

from canary.server.problems import NotRegistered
from canary.stores.boards import BoardNow


class Registry(Protocol):
    """Canary's own board."""

    def is_registered(self, path: str) -> bool:
        """Tell whether somebody registered ``path``. Raises ZooKeeperUnavailable."""


def check_registered(path: str, board: BoardNow | None, registry: Registry) -> None:
    """Return if the board at ``path`` is registered; else raise NotRegistered.

    ``board`` is what MongoDB knows of it: nothing before a worker has taken it for the first time.
    """
    if (board is not None and board.registered) or registry.is_registered(path):
        return
    raise NotRegistered(
        f"Nobody registered {path}, so Canary does not watch it. To have it watched, run: "
        f"canary-producer add {shlex.quote(path)}"
    )
