"""The workers whose heartbeat is kept, as they are now by MongoDB's clock."""

from typing import Final

from pymongo.database import Database

from canary.stores.mongo.documents import Document

# A process that got the name of an earlier one watches none of its boards.
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

    Each also has ``age``, the milliseconds since its last heartbeat, and ``boards``, the number of
    registered boards that name it as their writer. Raises pymongo's errors.
    """
    now: Document = {
        "age": {
            "$cond": [
                {"$eq": [{"$type": "$beat"}, "date"]},
                {"$subtract": ["$$NOW", "$beat"]},
                None,
            ]
        },
        "boards": {"$ifNull": [{"$first": "$watched.boards"}, 0]},
    }
    pipeline: list[Document] = [_WATCHED, {"$set": now}, {"$sort": {"_id": 1}}]
    return list(database.workers.aggregate(pipeline))
