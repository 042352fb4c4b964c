"""Everything that MongoDB holds of boards: of one in a session, or of several with one query.

Of a board that was just taken, it returns the state to continue from.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.state import BoardState
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import ON_BOARD, Document, job_from, stat_from
from canary.stores.writing.change_log import JobHistory

COLLECTION: Final = "collection"  # in a job's or node's document: its collection
BATCH: Final = 1_000  # documents; other greenlets wait while an answer of MongoDB is decoded
MOST_TOGETHER: Final = 2_000  # documents of several boards, held in memory


def of_one(database: Database[Document], path: str, session: ClientSession) -> Iterator[Document]:
    """Yield the documents of the board at ``path``, of its jobs, and of its other nodes."""
    yield from database.boards.aggregate(_all_of(path), session=session, batchSize=BATCH)


def of_several(
    database: Database[Document], paths: Collection[str]
) -> Mapping[str, list[Document]] | None:
    """Return the same for each of ``paths``, from one snapshot; None if that is too much.

    Raises StoreUnavailable or StoreRefused.
    """
    found: dict[str, list[Document]] = {path: [] for path in paths}
    several = _all_of({"$in": list(paths)})
    with errors_as_ours(), database.client.start_session(snapshot=True) as session:
        stored = database.boards.aggregate(several, session=session, batchSize=BATCH)
        for count, document in enumerate(stored):
            if count >= MOST_TOGETHER:
                stored.close()
                return None
            found[document["board" if COLLECTION in document else "_id"]].append(document)
    return found


def restored(
    database: Database[Document], board: Document
) -> tuple[BoardState, dict[str, JobHistory]]:
    """Return the state that belongs to a board's document, and the histories of its jobs.

    Call it when nobody else writes the board any more. Raises what pymongo does.
    """
    path, told = board["_id"], board["told"]
    documents = database.jobs.find(
        {"board": path, "state": {"$in": ON_BOARD}}, {"payload": 0}, batch_size=BATCH
    )
    jobs, histories = [], {}
    for document in documents:
        jobs.append(job_from(document))
        histories[document["_id"]] = JobHistory.of(document)
    nodes = database.nodes.find({"board": path}, {"name": 1})
    state = BoardState.restore(
        stat_from(board["stat"]),
        board["seen_at"],
        jobs,
        # If somebody removed a node's name, its id contains it.
        (document.get("name") or document["_id"].removeprefix(f"{path}/") for document in nodes),
        told=(told["creates"], told["deletes"]),
        told_incarnation=told["incarnation"],
    )
    return state, histories


def _all_of(path: Any) -> list[Document]:
    """Return the pipeline that finds them. ``path`` is what the board's path must match.

    It is one query: every board is read once a minute, and most are small.
    """
    jobs = [
        {"$match": {"board": path, "state": {"$in": ON_BOARD}}},
        {"$project": {"payload.text": 0, "payload.excerpt": 0}},
        {"$set": {COLLECTION: "jobs"}},
    ]
    nodes = [{"$match": {"board": path}}, {"$set": {COLLECTION: "nodes"}}]
    return [
        {"$match": {"_id": path}},
        {"$unionWith": {"coll": "jobs", "pipeline": jobs}},
        {"$unionWith": {"coll": "nodes", "pipeline": nodes}},
    ]
