"""What ``canary doctor`` reads from MongoDB: what it is, and whether it can do what Canary needs.

Promises: reads only, and leaves no session or cursor open. Raises StoreUnavailable or StoreRefused.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson.codec_options import CodecOptions
from pymongo.database import Database

from canary.config import MongoOptions
from canary.stores.mongo.client import INDEX_KEYS, TTL_FIELDS, check_kind, errors_as_ours
from canary.stores.mongo.documents import Document
from canary.stores.queries.board_status import BoardNow, boards_now

LAST_CHANGES: Final = 200  # whose times by ZooKeeper's clock are compared with MongoDB's
FIRST_LOOK: Final = timedelta(seconds=5)  # what was seen then happened at any time before


@dataclass(frozen=True, slots=True)
class Deployment:
    """What MongoDB is.

    ``ahead`` is how far its clock is ahead of this machine's, give or take ``answer``.
    """

    version: tuple[int, ...]
    name: str | None  # of the replica set; None for a sharded cluster
    primary: str | None
    members: int
    answer: timedelta
    ahead: timedelta


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker's heartbeat and its age, by MongoDB's clock."""

    name: str
    age: timedelta
    boards_behind: int


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after their ZooKeeper time the last changes were seen, by MongoDB's clock."""

    changes: int
    least: timedelta


class Inspection:
    """Reads from one database."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def deployment(self) -> Deployment:
        """Return what MongoDB is. Raises StoreRefused if Canary can't use it."""
        admin = self._database.client.admin
        with errors_as_ours():
            admin.command("ping")  # so that connecting is not measured
            asked, begun = datetime.now(UTC), time.monotonic()
            hello: Mapping[str, Any] = admin.command(
                "hello", codec_options=CodecOptions(tz_aware=True)
            )
            took = timedelta(seconds=time.monotonic() - begun)
            check_kind(hello)
            build = admin.command("buildInfo")
        return Deployment(
            tuple(int(part) for part in build["versionArray"][:3]),
            hello.get("setName"),
            hello.get("primary"),
            len(hello.get("hosts", [])),
            took,
            hello["localTime"] - (asked + took / 2),
        )

    def try_transaction(self) -> None:
        """Read in a transaction, and in a snapshot as the server does."""
        with errors_as_ours():
            with self._database.client.start_session() as session, session.start_transaction():
                self._database.boards.find_one({}, {"_id": 1}, session=session)
            with self._database.client.start_session(snapshot=True) as session:
                self._database.boards.find_one({}, {"_id": 1}, session=session)

    def try_change_stream(self) -> None:
        """Open a change stream, and close it."""
        with errors_as_ours(), self._database.watch(max_await_time_ms=1) as stream:
            stream.try_next()

    def missing_indexes(self, options: MongoOptions) -> list[str]:
        """Return which of Canary's indexes are missing, or have another time to live."""
        missing = []
        lives = {"jobs": options.ended_job_ttl}
        with errors_as_ours():
            for name in sorted(INDEX_KEYS.keys() | TTL_FIELDS.keys()):
                known = self._database[name].index_information()
                keys = [[key for key, _ in index["key"]] for index in known.values()]
                missing += [
                    f"{name} ({', '.join(wanted)})"
                    for wanted in INDEX_KEYS.get(name, [])
                    if wanted not in keys
                ]
                field = TTL_FIELDS.get(name)
                seconds = lives.get(name, options.change_ttl)
                told = known.get(f"{field}_ttl", {}).get("expireAfterSeconds")
                if field and told != seconds:
                    missing.append(f"{name} (time to live by {field}: {seconds} s)")
        return missing

    def workers(self) -> list[WorkerSeen]:
        """Return every worker whose heartbeat is kept, by name."""
        age = {"$subtract": ["$$NOW", "$beat"]}
        pipeline: list[Document] = [{"$set": {"age": age}}, {"$sort": {"_id": 1}}]
        with errors_as_ours():
            return [
                WorkerSeen(
                    document["_id"],
                    timedelta(milliseconds=int(document["age"])),
                    len(document.get("behind") or []),
                )
                for document in self._database.workers.aggregate(pipeline)
            ]

    def boards(self) -> list[BoardNow]:
        """Return the registered boards."""
        with errors_as_ours():
            return boards_now(self._database, {"registered": True})

    def collisions(self) -> dict[str, list[str]]:
        """Return the names of claimed jobs that can't be trashed, by board."""
        found: dict[str, list[str]] = {}
        with errors_as_ours():
            for job in self._database.jobs.find(
                {"state": "CLAIMED", "in_trash": {"$ne": None}}, ["board", "name"]
            ).limit(LAST_CHANGES):
                found.setdefault(job["board"], []).append(job["name"])
        return found

    def lateness(self) -> Lateness | None:
        """Return how late the last changes were seen, or None if there are none to judge by.

        What the first rounds of a board found is left out.
        """
        since = {
            board.path: board.watched_since + FIRST_LOOK
            for board in self.boards()
            if board.watched_since
        }
        query = {"kind": {"$in": ["posted", "claimed"]}, "at": {"$ne": None}}
        with errors_as_ours():
            changes = list(
                self._database.changes.find(query, {"board": 1, "at": 1, "seen_at": 1})
                .sort("seen_at", -1)
                .limit(LAST_CHANGES)
            )
        late = [
            change["seen_at"] - change["at"]
            for change in changes
            if change["board"] in since and change["seen_at"] > since[change["board"]]
        ]
        return Lateness(len(late), min(late)) if late else None
