"""Boards that a command names but that are not registered, for example because of a typing error.

Without a message, such a board would look like an empty board.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from canary.cli.client import Client, Query


def unregistered(client: "Client", query: "Query") -> Sequence[str]:
    """Return a message for each board that ``query`` names and the server does not know.

    Raises Unanswered.
    """
    paths = [value for name, value in query if name == "path"]
    if not paths:
        return ()
    known = {row.get("path") for row in client.rows("boards", [("path", path) for path in paths])}
    return [
        f"{path} is not registered, so it is not watched; canary boards lists registered boards"
        for path in dict.fromkeys(paths)
        if path not in known
    ]
