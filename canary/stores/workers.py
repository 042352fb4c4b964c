"""The workers whose heartbeat is kept, as they are now by MongoDB's clock."""

from typing import Final

from pymongo.database import Database

from canary.stores.documents import Document

# A process that has come to have another's name watches nothing of what that one did.
_WATCHED: Final[Document] = {
    "$lookup": {
        "from": "boards",
        "let": {"worker": "$_id", "started_at": "$started_at"},
        "pipeline": [
            {
                "$match": {
                    "registered": True,
                    "$expr": {
                        "$and": [
                            {"$eq": ["$writer.worker", "$$worker"]},
                            {"$eq": ["$writer.started_at", "$$started_at"]},
                        ]
                    },
                }
            },
            {"$count": "boards"},
        ],
        "as": "watched",
    }
}


def workers_now(database: Database[Document]) -> list[Document]:
    """Return the documents of ``workers`` by name.

    Beside what is stored each has ``age``, milliseconds since its last heartbeat, and ``boards``,
    how many registered boards name it as their writer. Raises what pymongo does.
    """
    now: Document = {
        "age": {"$subtract": ["$$NOW", "$beat"]},
        "boards": {"$ifNull": [{"$first": "$watched.boards"}, 0]},
    }
    pipeline: list[Document] = [_WATCHED, {"$set": now}, {"$sort": {"_id": 1}}]
    return list(database.workers.aggregate(pipeline))
