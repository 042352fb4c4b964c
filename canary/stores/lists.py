"""The lists of ``/v2`` that are in MongoDB as they are told: jobs, changes and gaps.

Promises: a page costs what its entries cost, however long the list is, where an index serves the
filters; a list that is walked is read a batch at a time. Raises StoreUnavailable or StoreRefused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo.database import Database

from canary.model.filters import Field, Filters
from canary.stores import filtering
from canary.stores.documents import Document
from canary.stores.mongo import errors_as_ours
from canary.stores.paging import Place, Sort

BATCH: Final = 500  # documents of a list that is walked


@dataclass(frozen=True, slots=True)
class Kept:
    """A list that is a collection: its query, and which fields of its documents are told.

    All are where ``told`` is empty. What is not told costs as much to read as what is.
    """

    collection: str
    query: Callable[[Filters, datetime], Document]
    told: tuple[str, ...] = ()


JOBS: Final = Kept(
    "jobs",
    filtering.jobs,
    (
        *("board", "name", "uuid", "job_name", "state", "outcome", "owner", "claims", "revision"),
        *("posted_at", "since", "claimed_at", "ended_at"),
        *("waiting_from", "waited", "running_from", "ran", "payload.malformed"),
    ),
)
CHANGES: Final = Kept("changes", filtering.changes)
GAPS: Final = Kept("gaps", filtering.gaps)


class Lists:
    """MongoDB as ``/v2`` lists it."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def page(
        self,
        kept: Kept,
        filters: Filters,
        now: datetime,
        sort: Sort,
        after: Place | None,
        limit: int,
    ) -> list[Document]:
        """Return the first ``limit`` documents behind ``after``, of all from the start if None."""
        query = kept.query(filters, now)
        if after is not None:
            query = {"$and": [query, sort.behind(after)]} if query else sort.behind(after)
        with errors_as_ours():
            return list(self._find(kept, query, sort, limit))

    def walk(
        self, kept: Kept, filters: Filters, now: datetime, sort: Sort, limit: int = 0
    ) -> Iterator[Document]:
        """Yield the documents of the list, ``limit`` at most unless it is 0."""
        with errors_as_ours():
            found = self._find(kept, kept.query(filters, now), sort, limit)
            with found.batch_size(BATCH):
                yield from found

    def _find(self, kept: Kept, query: Document, sort: Sort, limit: int) -> Any:
        collection = self._database[kept.collection]
        told = list(kept.told) or None
        # A list that no index sorts may be long: then MongoDB sorts it on its disk.
        return collection.find(query, told).sort(sort.keys).limit(limit).allow_disk_use(True)

    def jobs_of(self, name: str, path: str | None = None) -> list[Document]:
        """Return the jobs with that uuid, payloads and all, the one posted last first.

        On the board at ``path`` the name of a job's znode will do as well: not every job has a
        uuid that could be read.
        """
        match: Document = {"uuid": name}
        if path:
            match = {"board": path, "$or": [match, {"name": name}]}
        with errors_as_ours():
            found = self._database.jobs.find(match).sort([("posted_at", -1), ("_id", -1)])
            return list(found.limit(100))

    def timeline(self, job: Mapping[str, Any]) -> list[Document]:
        """Return what the log says of a job, in order."""
        with errors_as_ours():
            match = {"board": job["board"], "job": job["_id"]}
            return list(self._database.changes.find(match).sort("revision", 1).limit(1_000))

    def boards_of(self, filters: Filters, now: datetime) -> set[str]:
        """Return the paths of the boards with at least one job that ``filters`` find."""
        with errors_as_ours():
            return set(self._database.jobs.distinct("board", filtering.jobs(filters, now)))

    def claimed(self, filters: Filters, now: datetime) -> list[Document]:
        """Return the jobs that are claimed now and that ``filters`` find, without payloads."""
        query = {"$and": [{"state": "CLAIMED"}, filtering.jobs(filters, now)]}
        fields = ["board", "name", "uuid", "job_name", "owner", "claimed_at", "lock"]
        with errors_as_ours():
            return list(self._database.jobs.find(query, fields).sort("_id", 1))


#: Filters that a board, or a conductor, answers by itself; all others are about its jobs.
OF_BOARDS: Final = (Field.PATH,)
