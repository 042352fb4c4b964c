"""What MongoDB holds of a board beside what it should hold: the difference, and how to mend it.

There is none unless Canary has a defect or a hand was at work in MongoDB. The log of changes is not
touched: it is what happened; the jobs and nodes are what is mended after it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bson import Int64
from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import ENDINGS, Change, Kind
from canary.model.jobs import Job, JobState, Outcome
from canary.model.names import job_id
from canary.model.payload import Payload
from canary.model.spent import Spent
from canary.model.state import BoardState
from canary.stores.documents import (
    ON_BOARD,
    Document,
    job_from,
    node_document,
    payload_document,
    stat_document,
)
from canary.stores.entries import Past, entries, spent_fields

BATCH: Final = 1_000

Fetch = Callable[[str], Payload | None]


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be written, a list a collection, and what is wrong, in words.

    ``pasts`` are those of the jobs that are mended.
    """

    jobs: list[Any]
    nodes: list[Any]
    board: Document
    found: list[str]
    pasts: dict[str, Past]


def differences(
    database: Database[Document],
    board: Document,
    state: BoardState,
    fetch: Fetch,
    session: ClientSession,
    now: datetime,
) -> Mending:
    """Compare what is stored of a board with ``state``.

    ``board`` is its document, ``fetch`` reads the payload of a job whose document is lost.
    """
    mending = Mending([], [], {}, [], {})
    if board["stat"] != stat_document(state.stat):
        mending.board["stat"] = stat_document(state.stat)
        mending.found.append("the board's stat")
    path, revision = board["_id"], board["revision"]
    expected = {_identity(path, state, job): job for job in state.jobs.values()}
    on_board = {"board": path, "state": {"$in": ON_BOARD}}
    stored = database.jobs.find(on_board, {"payload": 0}, session=session, batch_size=BATCH)
    for document in stored:
        job = expected.pop(document["_id"], None)
        if job is None:
            mending.found.append(f"{document['name']} is not on the board")
            fields = _ended(database, document, session, now)
        elif _essence(job_from(document)) != _essence(job):
            mending.found.append(f"{document['name']} is {job.state.value} otherwise")
            fields = _fields(path, state, job, revision)
            fields |= _told(database, path, document["_id"], job, session)
            mending.pasts[document["_id"]] = Past.of(fields)
        else:
            continue
        mending.jobs.append(UpdateOne({"_id": document["_id"]}, {"$set": fields}))
    for identity, job in expected.items():
        mending.found.append(f"{job.name} is not stored as on the board")
        payload = payload_document(fetch(job.name))
        whole = {"_id": identity, **_fields(path, state, job, revision), "payload": payload}
        whole |= _told(database, path, identity, job, session)
        mending.pasts[identity] = Past.of(whole)
        mending.jobs.append(ReplaceOne({"_id": identity}, whole, upsert=True))
    mending.nodes.extend(_nodes(database, path, state, session, mending.found))
    return mending


def _nodes(
    database: Database[Document],
    path: str,
    state: BoardState,
    session: ClientSession,
    found: list[str],
) -> Iterator[Any]:
    stored = {
        node["_id"]: node["name"] for node in database.nodes.find({"board": path}, session=session)
    }
    for name in sorted(set(stored.values()) ^ state.others):
        found.append(f"the node {name}")
        document = node_document(path, name)
        identity = {"_id": document["_id"]}
        is_there = name in state.others
        yield ReplaceOne(identity, document, upsert=True) if is_there else DeleteOne(identity)


def _identity(path: str, state: BoardState, job: Job) -> str:
    return job_id(path, job.czxid, state.incarnation or 0, job.name)


def _essence(job: Job) -> tuple[Any, ...]:
    lock = job.lock and (job.lock.czxid, job.lock.owner, job.lock.session)
    return (job.name, job.czxid, job.uuid, job.job_name, lock)


def _fields(path: str, state: BoardState, job: Job, revision: int) -> Document:
    """Return what a document says of a job that is on its board, but for its payload."""
    incarnation = state.incarnation or 0
    posted = Change(Kind.POSTED, job.name, incarnation, job.czxid, job.uuid, job.at, job.seen_at)
    changes = [(revision, posted)]
    if job.lock:
        claimed = Change(
            Kind.CLAIMED,
            job.name,
            incarnation,
            job.czxid,
            job.uuid,
            job.lock.at,
            job.seen_at,
            owner=job.lock.owner,
            session=job.lock.session,
            lock_czxid=job.lock.czxid,
        )
        changes.append((revision, claimed))
    [document] = entries(path, 0, changes, {}).whole.values()
    del document["payload"], document["_id"]
    spent = Spent.unknown(job.state, document["since"])
    return document | spent_fields(spent) | {"job_name": job.job_name, "revision": Int64(revision)}


def _told(
    database: Database[Document], path: str, identity: str, job: Job, session: ClientSession
) -> Document:
    """Return what the log says of how long a job waited and ran, unless it says another state."""
    told = list(
        database.changes.find({"board": path, "job": identity}, session=session).sort("revision", 1)
    )
    if not told or told[-1]["state"] != job.state.value:
        return {}
    last = told[-1]
    since = last["at"] or last["seen_at"]
    spent = Spent(
        job.state,
        since,
        last["waiting"],
        last["running"],
        sum(change["kind"] == Kind.CLAIMED for change in told),
        since if job.state is JobState.CLAIMED else None,
    )
    return spent_fields(spent) | {"posted_at": last["posted_at"]}


def _ended(
    database: Database[Document], job: Document, session: ClientSession, now: datetime
) -> Document:
    """Return what to set in the document of a job that is not on the board: what the log says."""
    endings = {"$in": [kind.value for kind in ENDINGS]}
    told: Mapping[str, Any] | None = database.changes.find_one(
        {"board": job["board"], "job": job["_id"], "kind": endings}, session=session
    )
    ended_at = (told["at"] or told["seen_at"]) if told else now
    spent = Past.of(job).spent.after(Kind.ENDED, ended_at)
    waited, ran = (told["waiting"], told["running"]) if told else (None, None)
    return {
        **spent_fields(replace(spent, waited=waited, ran=ran)),
        "state": JobState.COMPLETE.value,
        "lock": None,
        "outcome": told["outcome"] if told else Outcome.UNKNOWN.value,
        "ended_at": ended_at,
        "ended_seen_at": told["seen_at"] if told else now,
    }
