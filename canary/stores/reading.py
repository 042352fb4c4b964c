"""What the server asks of MongoDB: boards, their jobs now and at a past moment, conductors.

Promises: a board's freshness is what ``canary.stores.boards`` says; the jobs of one answer, the
board and the gaps that say whether it is complete are read from one snapshot, so that they agree;
memory is bounded by a batch of jobs, however many there are. Raises StoreUnavailable or
StoreRefused, and writes nothing.

Does not know which paths are registered in ZooKeeper but not watched yet: those have no document.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import ENDINGS, Kind
from canary.model.freshness import Freshness
from canary.model.jobs import JobState, Outcome
from canary.model.timeline import JobThen, Move, fold, then
from canary.stores.boards import BoardNow, boards_now
from canary.stores.documents import Document
from canary.stores.lists import Lists
from canary.stores.mongo import errors_as_ours
from canary.stores.series import Series
from canary.stores.tallies import Tallies
from canary.stores.workers import workers_now

JOBS_BATCH: Final = 1_000  # jobs read at a time, with one query for all their changes

_MOVES: Final = sorted(kind.value for kind in {Kind.CLAIMED, Kind.ABANDONED, *ENDINGS})


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job: its document, and what it was at the moment that was asked about."""

    document: Mapping[str, Any]
    then: JobThen


@dataclass(frozen=True, slots=True)
class BoardJobs:
    """A board's jobs at the moment ``at``. ``jobs`` can be walked once, while it is open."""

    board: BoardNow
    at: datetime
    complete: bool
    jobs: Iterator[JobSeen]

    @property
    def freshness(self) -> Freshness:
        """The board's, as of now; unwatched where nobody had looked at it yet at ``at``."""
        return Freshness.UNWATCHED if self._is_before_watch else self.board.freshness

    @property
    def freshness_since(self) -> datetime | None:
        """Since when it is that; None where nobody had looked at it yet."""
        return None if self._is_before_watch else self.board.freshness_since

    @property
    def _is_before_watch(self) -> bool:
        first = self.board.watched_since
        return first is not None and self.at < first


class Reading:
    """The server's questions; what ``/v2`` lists and counts is in ``lists`` and ``tallies``.

    ``keeps`` is how long ended jobs and changes are kept, ``own`` the path of Canary's own board,
    which is watched too and registered by nobody.
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

    def boards(self, *, with_own: bool = False, timeout: float | None = None) -> list[BoardNow]:
        """Return the registered boards in the order of their paths, ``with_own`` Canary's too."""
        match: Document = {"registered": True}
        if with_own:
            match = {"$or": [match, {"_id": self._own}]}
        with errors_as_ours(), nullcontext() if timeout is None else pymongo.timeout(timeout):
            return boards_now(self._database, match)

    def board(self, path: str) -> BoardNow | None:
        """Return the board at ``path``, registered or not; None if it was never watched."""
        with errors_as_ours():
            return next(iter(boards_now(self._database, {"_id": path})), None)

    def workers(self) -> list[Document]:
        """Return what ``canary.stores.workers`` tells of every worker."""
        with errors_as_ours():
            return workers_now(self._database)

    def conductors(self, path: str | None = None) -> list[Document]:
        """Return the documents of ``conductors`` of one board, or of all boards there are."""
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

        Without ``at`` it is MongoDB's now. Gives None for a board that was never watched.
        """
        with errors_as_ours(), self._database.client.start_session(snapshot=True) as session:
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
        """Return the paths of those boards on which all from ``start`` to ``end`` is known."""
        watched = {
            board.path
            for board in boards
            if board.watched_since is not None
            and board.live_until is not None
            and start >= max(board.watched_since, board.now - self._keeps)
            and end <= board.live_until
        }
        # Whatever it counts: where nothing was unseen in it, nobody knows when it happened.
        gap = {"board": {"$in": sorted(watched)}, "to": {"$gte": start}, "from": {"$lte": end}}
        with errors_as_ours():
            return watched.difference(self._database.gaps.distinct("board", gap, session=session))

    def _jobs(
        self, path: str, since: datetime, at: datetime, is_past: bool, session: ClientSession
    ) -> Iterator[JobSeen]:
        match: Document = {
            "board": path,
            "$or": [{"ended_at": None}, {"ended_at": {"$gte": since}}],
        }
        if is_past:
            posted = [{"at": {"$lte": at}}, {"at": None, "seen_at": {"$lte": at}}]
            match = {"$and": [match, {"$or": posted}]}
        # Sorted by a copy of _id: for _id itself MongoDB may walk that index, past all the jobs
        # of other boards and of long ago.
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
                for document in batch:
                    look = then if is_past else fold
                    posted_at = document["at"] or document["seen_at"]
                    seen = look(posted_at, _completed(document, moves[document["_id"]]), at)
                    if seen is not None:
                        yield JobSeen(document, seen)

    def _moves(
        self, path: str, jobs: Iterable[Document], session: ClientSession
    ) -> dict[str, list[Move]]:
        """Return what the log says of each of ``jobs``, in order."""
        names = [job["_id"] for job in jobs]
        changes = self._database.changes.find(
            {"board": path, "job": {"$in": names}, "kind": {"$in": _MOVES}},
            {"job": 1, "kind": 1, "at": 1, "seen_at": 1, "owner": 1, "outcome": 1, "revision": 1},
            session=session,
            batch_size=10 * JOBS_BATCH,
        )
        found: dict[str, list[Move]] = defaultdict(list)
        for change in sorted(changes, key=lambda change: int(change["revision"])):
            found[change["job"]].append(
                Move(
                    Kind(change["kind"]),
                    change["at"] or change["seen_at"],
                    change["owner"],
                    Outcome(change["outcome"]) if change["outcome"] else None,
                )
            )
        return found


def _completed(job: Mapping[str, Any], moves: list[Move]) -> list[Move]:
    """Make of a job's moves those that lead to what its document says.

    The log may have forgotten some; and what was mended after ZooKeeper is in the document alone.
    """
    if job["state"] != JobState.COMPLETE:  # the board knows best which jobs are on it
        while moves and moves[-1].kind in ENDINGS:
            moves = moves[:-1]
    last = moves[-1].kind if moves else None
    if job["state"] == JobState.CLAIMED and last is not Kind.CLAIMED:
        lock = job["lock"]
        return [*moves, Move(Kind.CLAIMED, lock["at"] or lock["seen_at"], lock["owner"])]
    if job["state"] == JobState.UNCLAIMED and last is Kind.CLAIMED:
        return [*moves, Move(Kind.ABANDONED, job["since"], moves[-1].owner)]
    if job["state"] == JobState.COMPLETE and last not in ENDINGS:
        outcome = Outcome(job["outcome"]) if job["outcome"] else None
        kinds = {Outcome.CONSUMED: Kind.CONSUMED, Outcome.TRASHED: Kind.TRASHED}
        kind = kinds.get(outcome, Kind.ENDED) if outcome else Kind.ENDED
        return [*moves, Move(kind, job["ended_at"], job["owner"], outcome)]
    return moves
