"""The lists of ``/v2`` that are collections in MongoDB: jobs, changes and gaps.

Promises: a page costs what its entries cost, however long the list is, if an index serves the
filters. For the last page, everything that the filters find is searched once more, for damaged
documents (``canary.stores.queries.paging``). A whole list is read in batches. Raises
StoreUnavailable or StoreRefused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo.database import Database

from canary.model.filters import Field, Filters
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document
from canary.stores.mongo.shapes import CHANGE, GAP, JOB, Shape, Told, fitting
from canary.stores.queries import filtering
from canary.stores.queries.paging import BY_IDENTITY, Place, Sort

BATCH: Final = 500  # documents, when a whole list is read
MOST_NAMESAKES: Final = 100  # jobs with one uuid
STORY: Final = 1_000  # changes of a job
BEGINNING: Final = 10  # of a longer story, one change in so many is from its beginning


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to a job, without the ``left`` changes that follow the revision ``after``."""

    changes: list[Document]
    left: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A list that is a collection: its query, and the fields of its documents to read.

    If ``told`` is empty, all fields are read. Reading an unused field costs as much as a used one.
    ``shape`` describes the documents.
    """

    collection: str
    query: Callable[[Filters, datetime], Document]
    shape: Shape
    told: tuple[str, ...] = ()

    def place_of(self, sort: Sort, document: Mapping[str, Any]) -> Place:
        """Return where the list continues after ``document``."""
        return sort.place_of(document, self.type_of(sort))

    def type_of(self, sort: Sort) -> type:
        """Return the type of the field that the list is sorted by."""
        types = self.shape.held[sort.field]
        return types if isinstance(types, type) else types[0]


JOBS: Final = Kept(
    "jobs",
    filtering.jobs,
    JOB,
    (
        *("board", "name", "uuid", "job_name", "state", "outcome", "owner", "claims", "revision"),
        "in_trash",
        *("posted_at", "since", "claimed_at", "ended_at"),
        *("waiting_from", "waited", "running_from", "ran", "payload.malformed"),
        "payload.truncated",
    ),
)
CHANGES: Final = Kept("changes", filtering.changes, CHANGE)
GAPS: Final = Kept("gaps", filtering.gaps, GAP)


class Lists:
    """MongoDB's lists for ``/v2``."""

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
        """Return the first ``limit`` documents after ``after``, or from the start if None."""
        query, kind = kept.query(filters, now), kept.type_of(sort)
        behind = [] if after is None else [sort.behind(after)]
        found: list[Document] = []
        with errors_as_ours():
            if after is None or not after.is_aside:
                sorted_ = [query, sort.sorts(kind), *behind]
                found, behind = list(self._find(kept, _all(sorted_), sort, limit)), []
            if len(found) < limit:
                aside = _all([query, sort.leaves(kind), *behind])
                found += self._find(kept, aside, BY_IDENTITY, limit - len(found))
        return found

    def walk(
        self, kept: Kept, filters: Filters, now: datetime, sort: Sort, limit: int = 0
    ) -> Iterator[Document]:
        """Yield the documents of the list, at most ``limit`` unless it is 0."""
        with errors_as_ours():
            found = self._find(kept, kept.query(filters, now), sort, limit)
            with found.batch_size(BATCH):
                yield from found

    def _find(self, kept: Kept, query: Document, sort: Sort, limit: int) -> Any:
        collection = self._database[kept.collection]
        told = list(kept.told) or None
        # A list that no index sorts may be long: then MongoDB sorts it on its disk.
        return collection.find(query, told).sort(sort.keys).limit(limit).allow_disk_use(True)

    def jobs_of(
        self,
        name: str | None,
        path: str | None = None,
        znode: str | None = None,
        posted_at: datetime | None = None,
    ) -> list[Document]:
        """Return the jobs with the uuid ``name``, with payloads, the one posted last first.

        On the board at ``path``, ``name`` may also be the name of a job's znode: not every job has
        a uuid that could be read. If no job has that uuid, the jobs that had it until an edit are
        returned. ``znode`` is the name of a znode and nothing else. A board that was created again
        uses names again: ``posted_at`` distinguishes the jobs that had one.
        """
        then: Document = {} if posted_at is None else {"posted_at": posted_at}
        match: Document = {"uuid": name}
        if path and znode is not None:
            match = {"board": path, "name": znode}
        elif path:
            match = {"board": path, "$or": [match, {"name": name}]}
        with errors_as_ours():
            found = self._jobs(match | then)
            if found or name is None:
                return found
            return self._jobs(self._edited_from(name, path) | then)

    def _jobs(self, match: Document) -> list[Document]:
        found = self._database.jobs.find(match).sort([("posted_at", -1), ("_id", -1)])
        return [Told(job) for job in found.limit(MOST_NAMESAKES)]

    def _edited_from(self, uuid: str, path: str | None) -> Document:
        """Return the query for the jobs of which an edit has replaced that uuid."""
        match: Document = {filtering.UUID_BEFORE: uuid} | ({"board": path} if path else {})
        edits = self._database.changes.find(match, ["job"]).limit(MOST_NAMESAKES)
        return {"_id": {"$in": [edit["job"] for edit in edits]}}

    def story(self, job: Mapping[str, Any], limit: int = STORY, after: int | None = None) -> Story:
        """Return a job's changes, in order, at most ``limit``.

        If there are more, the story has its beginning and its end. With ``after``, a revision, it
        has the changes that follow that revision.
        """
        match: Document = {"board": job["board"], "job": job["_id"]}
        with errors_as_ours():
            if after is not None:
                match["revision"] = {"$gt": after}
                told = self._log(match, 1, limit)
                if len(told) < limit:
                    return Story(told)
                left = self._database.changes.count_documents(match) - len(told)
                return Story(told, max(0, left), _revision(told[-1]))
            ends = self._log(match, -1, limit)[::-1]
            if len(ends) < limit:
                return Story(ends)
            match["revision"] = {"$lte": _revision(ends[-1])}
            left = self._database.changes.count_documents(match) - limit
            if left <= 0:
                return Story(ends)
            first = limit // BEGINNING
            begins = self._log(match, 1, first) if first else []
            return Story(begins + ends[len(begins) :], left, _revision(begins[-1]) if begins else 0)

    def _log(self, match: Document, direction: int, limit: int) -> list[Document]:
        found = self._database.changes.find(match).sort("revision", direction).limit(limit)
        return [Told(change) for change in found]

    def boards_of(self, filters: Filters, now: datetime) -> set[str]:
        """Return the paths of the boards with at least one job that ``filters`` find."""
        with errors_as_ours():
            boards = self._database.jobs.distinct("board", filtering.jobs(filters, now))
            return {board for board in boards if isinstance(board, str)}

    def claimed(self, filters: Filters, now: datetime) -> list[Document]:
        """Return the jobs that are claimed now and that ``filters`` find, without payloads."""
        query = {"$and": [{"state": "CLAIMED"}, filtering.jobs(filters, now)]}
        fields = ["board", "name", "uuid", "job_name", "owner", "claimed_at", "lock"]
        with errors_as_ours():
            found = self._database.jobs.find(query, fields).sort("_id", 1)
            return [JOB.sound(job) for job in found]


#: Filters that apply to a board, or a conductor, itself; all others apply to its jobs.
OF_BOARDS: Final = (Field.PATH,)


def _all(queries: list[Document]) -> Document:
    return {"$and": [each for each in queries if each]}


def _revision(change: Mapping[str, Any]) -> int:
    return int(fitting(change.get("revision"), int, 0))
