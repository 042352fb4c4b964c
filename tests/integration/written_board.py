"""A board in MongoDB, written as a worker writes it, for the tests of who reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.freshness import Freshness
from canary.model.jobs import Outcome
from canary.model.payload.payload import decode
from canary.stores.mongo.documents import (
    Behind,
    Document,
    gap_document,
)
from canary.stores.writing.change_log import JobHistory, entries

INCARNATION = 7
STARTED = datetime(2026, 1, 1, tzinfo=UTC)  # the worker


def now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)


class WrittenBoard:
    """One board's documents, kept as ``canary.stores.mongo.documents`` says."""

    def __init__(
        self,
        database: Database[Document],
        path: str = "/lbaas/jobs",
        *,
        worker: str | None = "worker-1",
        freshness: Freshness = Freshness.LIVE,
        since: datetime | None = None,
        watched_since: datetime | None = None,
        registered: bool = True,
    ) -> None:
        self.database, self.path = database, path
        self.revision = 0
        self._pasts: dict[str, JobHistory] = {}
        since = since or ago(3600)
        database.boards.insert_one(
            {
                "_id": path,
                "path": path,
                "epoch": 42,
                "takes": 1,
                "writes": 0,
                "released": None,
                "revision": 0,
                "writer": {"worker": worker, "started_at": STARTED, "lsid": None}
                if worker
                else None,
                "registered": registered,
                "stat": None,
                "seen_at": watched_since,
                "watched_since": watched_since,
                "told": {"creates": 0, "deletes": 0},
                "freshness": freshness.value,
                "freshness_since": since,
                "drift": 0,
            }
        )

    def beat(
        self,
        *behind: Behind,
        lasting: float = 3600,
        until: datetime | None = None,
        worker: str = "worker-1",
    ) -> None:
        """Write a heartbeat, far ahead, so that no slow test calls its worker dead."""
        ahead = {"$add": ["$$NOW", int(lasting * 1000)]}
        entries = [each.document() for each in behind]
        about: Document = {
            "host": "host",
            "pid": 1,
            "reconciled": 0,
            "drift": 0,
            "checkpoints": None,
        }
        beat: Document = {"beat": ahead, "until": until or ahead, "behind": {"$literal": entries}}
        beat |= about | {"started_at": STARTED}
        self.database.workers.update_one({"_id": worker}, [{"$set": beat}], upsert=True)

    def update(self, **fields: Any) -> None:
        self.database.boards.update_one({"_id": self.path}, {"$set": fields})

    def write(self, *changes: Change, found: bool = False) -> list[Document]:
        """Write changes as one batch; return their documents."""
        first = self.revision + 1
        numbered = list(enumerate(changes, first))
        made = entries(self.path, 42, numbered, self._pasts, found=found)
        made.remember_in(self._pasts)
        self.revision += len(changes)
        jobs: list[Any] = [
            pymongo.ReplaceOne({"_id": identity}, document, upsert=True)
            for identity, document in made.whole.items()
        ]
        jobs += [
            pymongo.UpdateOne({"_id": identity}, {"$set": values})
            for identity, values in made.fields.items()
        ]

        def all_of_it(session: ClientSession) -> None:
            self.database.boards.update_one(
                {"_id": self.path}, {"$set": {"revision": self.revision}}, session=session
            )
            self.database.changes.insert_many(made.log, session=session)
            self.database.jobs.bulk_write(jobs, session=session)

        # Once more where it can't have a lock: a worker that begins makes indexes.
        with self.database.client.start_session() as session:
            session.with_transaction(all_of_it)
        return made.log

    def gap(
        self,
        start: datetime,
        end: datetime,
        creates: int | None = 1,
        deletes: int | None = 0,
        *,
        number: int = 0,
        reason: Reason = Reason.COALESCED,
    ) -> None:
        gap = Gap(start, end, reason, creates, deletes)
        self.database.gaps.insert_one(gap_document(self.path, self.revision, number, gap))


def name_of(number: int) -> str:
    return f"job{number:010d}"


def posted(number: int, at: datetime, payload: bytes | None = None) -> Change:
    """A job whose number is its czxid too."""
    if payload is None:
        payload = b'{"uuid": "uuid-%d", "name": "build %d", "details": {}}' % (number, number)
    decoded = decode(payload)
    kind = Kind.MALFORMED if decoded.malformed else Kind.POSTED
    return Change(
        kind, name_of(number), INCARNATION, number, decoded.uuid, at, at, 1, payload=decoded
    )


def claimed(number: int, at: datetime, owner: str | None = "ann") -> Change:
    return Change(
        Kind.CLAIMED,
        name_of(number),
        INCARNATION,
        number,
        f"uuid-{number}",
        at,
        at,
        1,
        owner=owner,
        session=0x7001,
        lock_czxid=number + 1000,
    )


def abandoned(number: int, at: datetime, owner: str | None = "ann") -> Change:
    """Nothing in ZooKeeper tells when a claim was given up: only Canary's own clock does."""
    return Change(
        Kind.ABANDONED,
        name_of(number),
        INCARNATION,
        number,
        f"uuid-{number}",
        None,
        at,
        0,
        1,
        owner=owner,
    )


def ended(
    number: int, at: datetime, outcome: Outcome = Outcome.CONSUMED, owner: str | None = "ann"
) -> Change:
    kinds = {Outcome.UNKNOWN: Kind.ENDED, Outcome.BOARD_DELETED: Kind.ENDED}
    return Change(
        kinds.get(outcome) or Kind(outcome),
        name_of(number),
        INCARNATION,
        number,
        f"uuid-{number}",
        None,
        at,
        0,
        2,
        owner=owner,
        outcome=outcome,
    )
