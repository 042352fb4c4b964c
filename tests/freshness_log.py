"""Every freshness that was written of a board, from MongoDB's own log: none passes unseen."""

from typing import Any, Self

from pymongo.database import Database

AWAIT_MS = 20  # for MongoDB to answer that there is nothing new


class FreshnessLog:
    """Begins in its ``with``."""

    def __init__(self, database: Database[dict[str, Any]], board: str) -> None:
        of_board = [{"$match": {"documentKey._id": board}}]
        self._stream = database.boards.watch(of_board, max_await_time_ms=AWAIT_MS)
        self._written: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def written(self) -> list[str]:
        """Return what was written so far, in order."""
        while (event := self._stream.try_next()) is not None:
            fields = event.get("fullDocument") or event["updateDescription"]["updatedFields"]
            if "freshness" in fields:
                self._written.append(fields["freshness"])
        return self._written
