"""The server's queries: boards, their jobs now and at a past moment, and conductors.

Promises: a board's freshness is what ``canary.stores.queries.board_status`` says. The jobs of one
answer, the board, and the gaps that decide whether it is complete are read from one snapshot, so
that they agree. Memory is bounded by a batch of jobs, however many there are. Raises
StoreUnavailable or StoreRefused, and writes nothing.

Does not know which paths are registered in ZooKeeper but not watched yet: those have no document.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.errors import StoreError
from canary.model.changes import ENDINGS, Kind
from canary.model.freshness import Freshness
from canary.model.jobs import JobState, Outcome
from canary.model.timeline import JobThen, Move, fold, then
from canary.stores.mongo.client import check_kind, errors_as_ours
from canary.stores.mongo.documents import Document, moment_of
from canary.stores.mongo.edits import unedited
from canary.stores.mongo.shapes import JOB, Told, fitting
from canary.stores.queries.board_status import BoardNow, boards_now
from canary.stores.queries.counts import Tallies
from canary.stores.queries.lists import Lists
from canary.stores.queries.series import Series
from canary.stores.queries.workers import workers_now

JOBS_BATCH: Final = 1_000  # jobs read at a time, with one query for all their changes

_OF_MOVES: Final = ("job", "kind", "at", "seen_at", "moment", "owner", "outcome", "revision")
_MOVES: Final = sorted(kind.value for kind in {Kind.CLAIMED, Kind.ABANDONED, *ENDINGS})
_EDITED: Final = Kind.EDITED.value
_ARE_MOVES: Final[list[Document]] = [
    {"kind": {"$in": _MOVES}},
    {"kind": _EDITED, "edit.of": "lock"},
]


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job: its document, and what it was at the requested moment."""

    document: Mapping[str, Any]
    then: JobThen


@dataclass(frozen=True, slots=True)
class BoardJobs:
    """A board's jobs at the moment ``at``. ``jobs`` can be read once, while it is open."""

    board: BoardNow
    at: datetime
    complete: bool
    jobs: Iterator[JobSeen]

    @property
    def freshness(self) -> Freshness:
        """The board's freshness now; unwatched if the watch began only after ``at``."""
        return Freshness.UNWATCHED if self._is_before_watch else self.board.freshness

    @property
    def freshness_since(self) -> datetime | None:
        """Since when that holds; None if the watch began only after ``at``."""
        return None if self._is_before_watch else self.board.freshness_since

    @property
    def _is_before_watch(self) -> bool:
        first = self.board.watched_since
        return first is not None and self.at < first


#: MongoDB's NotAReplicaSet, which only a standalone mongod answers, and SnapshotUnavailable.
_NO_SNAPSHOT: Final = frozenset({123, 246})
T = TypeVar("T")

Snapshot = ClientSession  # whose reads all see MongoDB at one moment


class Queries:
    """The server's queries; those that ``/v2`` lists and counts are in ``lists`` and ``tallies``.

    ``keeps`` is how long ended jobs and changes are kept. ``own`` is the path of Canary's own
    board, which is watched too but never registered.
    """

    def __init__(
        self, database: Database[Document], keeps: timedelta, own: str | None = None
    ) -> None:
        self._database = database
        self._keeps, self._own = keeps, own
        self.lists, self.tallies, self.series = Lists(database), Tallies(database), Series(database)

    def ping(self, timeout: float) -> None:
        """Return if MongoDB answers within ``timeout`` seconds."""
        with errors_as_ours(), pymongo.timeout(timeout):
            self._database.command("ping")

    def check(self, timeout: float) -> None:
        """Return if MongoDB answers within ``timeout`` seconds and Canary can use it."""
        with errors_as_ours(), pymongo.timeout(timeout):
            check_kind(self._database.client.admin.command("hello"))

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a snapshot of MongoDB, as of the first read from it."""
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
            yield session

    def at_one_moment(self, read: Callable[[Snapshot | None], T]) -> T:
        """Return what ``read`` returns, all of it read from one snapshot.

        While collections or indexes are being made, MongoDB has no snapshot of them, and a
        standalone mongod has none at all. Then ``read`` is called without one.
        """
        try:
            with self.snapshot() as session:
                return read(session)
        except StoreError as error:
            if getattr(error.__cause__, "code", None) not in _NO_SNAPSHOT:
                raise
        return read(None)

    def boards(
        self,
        *,
        with_own: bool = False,
        timeout: float | None = None,
        session: Snapshot | None = None,
    ) -> list[BoardNow]:
        """Return the registered boards in the order of their paths, ``with_own`` Canary's too."""
        match: Document = {"registered": True}
        if with_own:
            match = {"$or": [match, {"_id": self._own}]}
        with errors_as_ours(), nullcontext() if timeout is None else pymongo.timeout(timeout):
            return boards_now(self._database, match, session)

    def board(self, path: str) -> BoardNow | None:
        """Return the board at ``path``, registered or not; None if it was never watched."""
        with errors_as_ours():
            return next(iter(boards_now(self._database, {"_id": path})), None)

    def workers(self) -> list[Document]:
        """Return the workers, as in ``canary.stores.queries.workers``."""
        with errors_as_ours():
            return workers_now(self._database)

    def conductors(self, path: str | None = None) -> list[Document]:
        """Return the documents of ``conductors`` of one board, or of all boards."""
        pipeline: list[Document] = [
            {"$match": {"_id": path} if path else {}},
            {"$lookup": {"from": "boards", "localField": "_id", "foreignField": "_id", "as": "on"}},
            {"$match": {"$or": [{"on.registered": True}, {"_id": self._own}]}},
            {"$sort": {"_id": 1}},
        ]
        with errors_as_ours():
            return list(self._database.conductors.aggregate(pipeline))

    @contextmanager
    def jobs(
        self, path: str, interval: timedelta, at: datetime | None = None
    ) -> Iterator[BoardJobs | None]:
        """Open the jobs that were on a board at ``at`` or ended within ``interval`` before.

        Without ``at``, it is MongoDB's now. Yields None for a board that was never watched.
        """
        with self.snapshot() as session:
            board = next(iter(boards_now(self._database, {"_id": path}, session)), None)
            if board is None:
                yield None
                return
            moment = board.now if at is None else at
            complete = path in self.complete([board], moment - interval, moment, session)
            jobs = self._jobs(path, moment - interval, moment, at is not None, session)
            yield BoardJobs(board, moment, complete, jobs)

    def complete(
        self,
        boards: Iterable[BoardNow],
        start: datetime,
        end: datetime,
        session: ClientSession | None = None,
    ) -> set[str]:
        """Return the boards' paths on which everything from ``start`` to ``end`` is known."""
        watched = {
            board.path
            for board in boards
            if board.watched_since is not None
            and board.live_until is not None
            and start >= max(board.watched_since, board.now - self._keeps)
            and end <= board.live_until
        }
        # Any gap counts: even if nothing was unseen in it, nobody knows when it happened.
        gap = {"board": {"$in": sorted(watched)}, "to": {"$gte": start}, "from": {"$lte": end}}
        with errors_as_ours():
            boards = self._database.gaps.distinct("board", gap, session=session)
        return watched.difference(each for each in boards if isinstance(each, str))

    def _jobs(
        self, path: str, since: datetime, at: datetime, is_past: bool, session: ClientSession
    ) -> Iterator[JobSeen]:
        match: Document = {
            "board": path,
            "$or": [{"ended_at": None}, {"ended_at": {"$gte": since}}],
        }
        if is_past:
            match = {"$and": [match, {"posted_at": {"$lte": at}}]}
        # Sorted by a copy of _id: for _id itself MongoDB may scan that index, past all the jobs of
        # other boards and of long ago.
        pipeline: list[Document] = [
            {"$match": match},
            {"$set": {"order": "$_id"}},
            {"$sort": {"order": 1}},
        ]
        documents = self._database.jobs.aggregate(
            pipeline, session=session, allowDiskUse=True, batchSize=JOBS_BATCH
        )
        with documents:
            while batch := list(islice(documents, JOBS_BATCH)):
                moves = self._moves(path, batch, session)
                if is_past:
                    batch = unedited(self._database, path, batch, at, session)
                for document in batch:
                    is_sound = JOB.is_as_written(document) and document.get("seen_at") is not None
                    job = Told(document) if is_sound else JOB.whole(document)
                    look = then if is_past else fold
                    seen = look(job["posted_at"], _completed(job, moves[job["_id"]]), at)
                    if seen is not None:
                        yield JobSeen(job, seen)

    def _moves(
        self, path: str, jobs: Iterable[Document], session: ClientSession
    ) -> dict[str, list[Move]]:
        """Return the log's moves of each of ``jobs``, in order."""
        names = [job["_id"] for job in jobs if isinstance(job["_id"], str)]
        changes = self._database.changes.find(
            {"board": path, "job": {"$in": names}, "$or": _ARE_MOVES},
            _OF_MOVES,
            session=session,
            batch_size=10 * JOBS_BATCH,
        )
        found: dict[str, list[Move]] = defaultdict(list)
        for change in sorted(changes, key=lambda change: fitting(change.get("revision"), int, 0)):
            if isinstance(change["job"], str) and isinstance(change["kind"], str):
                found[change["job"]].append(_move(change))
        return found


def _move(change: Document) -> Move:
    owner, outcome = (fitting(change.get(name), str) for name in ("owner", "outcome"))
    return Move(Kind(change["kind"]), moment_of(change), owner, _outcome(outcome))


def _completed(job: Mapping[str, Any], moves: list[Move]) -> list[Move]:
    """Return the moves that lead to what a job's document says, given those in the log.

    The log may have forgotten some; and what was repaired by ZooKeeper's data is only in the
    document.
    """
    if job["state"] != JobState.COMPLETE:  # the board knows best which jobs are on it
        while moves and moves[-1].kind in ENDINGS:
            moves = moves[:-1]
    last = next((move.kind for move in reversed(moves) if move.kind is not Kind.EDITED), None)
    if job["state"] == JobState.CLAIMED and last is not Kind.CLAIMED:
        claimed_at = job["claimed_at"] or job["since"]
        return [*moves, Move(Kind.CLAIMED, claimed_at, job["owner"])]
    if job["state"] == JobState.UNCLAIMED and last is Kind.CLAIMED:
        return [*moves, Move(Kind.ABANDONED, job["since"], moves[-1].owner)]
    if job["state"] == JobState.COMPLETE and last not in ENDINGS:
        outcome = _outcome(job["outcome"])
        kinds = {Outcome.CONSUMED: Kind.CONSUMED, Outcome.TRASHED: Kind.TRASHED}
        kind = kinds.get(outcome, Kind.ENDED) if outcome else Kind.ENDED
        return [*moves, Move(kind, job["ended_at"] or job["since"], job["owner"], outcome)]
    return moves


def _outcome(name: str | None) -> Outcome | None:
    """Return the outcome of that name; None for one that only another version knows."""
    return Outcome(name) if name in set(Outcome) else None
