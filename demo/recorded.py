"""What Canary recorded of the demo's boards, read where it writes it: MongoDB.

Only what came after `mark` counts, so that a demo may be run twice on the same servers.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from pymongo.database import Database

from demo.doings import Doing, Unseen

Document = dict[str, Any]


class Recorded:
    """Canary's record of some boards."""

    def __init__(self, database: Database[Document], paths: Collection[str]) -> None:
        self._database, self._paths = database, sorted(paths)
        self._revisions: Mapping[str, int] = {}
        self._gaps: Collection[str] = ()

    def mark(self) -> None:
        """Leave out from now on what is there already."""
        boards = self._database.boards.find({"_id": {"$in": self._paths}}, {"revision": 1})
        self._revisions = {board["_id"]: int(board["revision"]) for board in boards}
        gaps = self._database.gaps.find({"board": {"$in": self._paths}}, {"_id": 1})
        self._gaps = [gap["_id"] for gap in gaps]

    def doings(self, path: str) -> Counter[Doing]:
        """Return what was recorded on a board."""
        since = self._revisions.get(path, 0)
        changes = self._database.changes.find(
            {"board": path, "revision": {"$gt": since}}, {"kind": 1, "uuid": 1, "owner": 1}
        )
        return Counter(
            Doing(
                change["kind"],
                change["uuid"],
                change["owner"] if change["kind"] == "claimed" else None,
            )
            for change in changes
        )

    def unseen(self, path: str) -> Unseen:
        """Return what the gaps of a board add up to."""
        gaps = list(self._database.gaps.find({"board": path, "_id": {"$nin": list(self._gaps)}}))
        return Unseen(len(gaps), _sum(gaps, "creates"), _sum(gaps, "deletes"))


def _sum(gaps: list[Document], field: str) -> int | None:
    counts = [gap[field] for gap in gaps]
    return None if None in counts else sum(counts)
