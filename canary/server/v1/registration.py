"""Whether a path is registered: by MongoDB, or else by Canary's own board in ZooKeeper."""

import shlex
from typing import Protocol

from canary.server.problems import NotRegistered
from canary.stores.queries.board_status import BoardNow


class Registry(Protocol):
    """Canary's own board in ZooKeeper."""

    def is_registered(self, path: str) -> bool:
        """Return whether ``path`` is registered. Raises ZooKeeperUnavailable."""


def check_registered(path: str, board: BoardNow | None, registry: Registry) -> None:
    """Return if the board at ``path`` is registered, otherwise raise NotRegistered.

    ``board`` is the board as MongoDB has it, or None before a worker has taken it for the first
    time. Raises ZooKeeperUnavailable if ZooKeeper is needed and does not answer.
    """
    if (board is not None and board.registered) or registry.is_registered(path):
        return
    raise NotRegistered(
        f"{path} is not registered, so Canary does not watch it. To register it, run: "
        f"canary-producer add {shlex.quote(path)}"
    )
