"""A board in MongoDB for the tests of who reads it, written by the store that workers write with.

Only a heartbeat is altered once it is written: it is dated ahead, so that no slow test calls its
worker dead.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo.database import Database

from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.freshness import Freshness
from canary.model.jobs import Outcome
from canary.model.names import change_id
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.stores.mongo.documents import Behind, Document
from canary.stores.writing.reconcile import Found
from canary.stores.writing.take import LiveStore

INCARNATION: Final = 7
EPOCH: Final = 42
WORKER: Final = "worker-1"
STARTED: Final = datetime(2026, 1, 1, tzinfo=UTC)  # the worker


def now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)


class WrittenBoard:
    """A board that a worker has taken and read, at the moment ``watched_since``.

    The freshness holds since ``since``. Where the board is not ``registered`` it was once. Where it
    is ``new``, what is written first was found on it.
    """

    def __init__(
        self,
        database: Database[Document],
        path: str = "/lbaas/jobs",
        *,
        worker: str = WORKER,
        freshness: Freshness = Freshness.LIVE,
        since: datetime | None = None,
        watched_since: datetime | None = None,
        registered: bool = True,
        new: bool = False,
    ) -> None:
        self.database, self.path = database, path
        self._freshness, self._since = freshness, since or ago(3600)
        self._seen_at = watched_since or self._since
        self._board = self._store(worker).take(path, EPOCH, lambda: True, self._since)
        if new:
            self._board.mark(freshness, self._since)
        else:
            self._write()
        if not registered:
            self.unregister()

    def _store(self, worker: str) -> LiveStore:
        store = LiveStore(self.database, worker)
        store.started_at = STARTED  # one process has all boards of one worker
        return store

    @property
    def revision(self) -> int:
        """The number of the last change that was written."""
        return self._board.revision

    def beat(
        self,
        *behind: Behind,
        lasting: float = 3600,
        until: datetime | None = None,
        worker: str = WORKER,
    ) -> None:
        """Write a heartbeat, dated ahead by ``lasting`` seconds."""
        about = {"host": "host", "pid": 1, "reconciled": 0, "drift": 0, "checkpoints": None}
        self._store(worker).beat(about, until, behind)
        ahead = {"$add": ["$$NOW", int(lasting * 1000)]}
        fields: Document = {"beat": ahead} | ({} if until else {"until": ahead})
        self.database.workers.update_one({"_id": worker}, [{"$set": fields}])

    def mark(self, freshness: Freshness, since: datetime) -> None:
        """Write only the freshness."""
        self._freshness, self._since = freshness, since
        self._board.mark(freshness, since)

    def saw(self, until: datetime) -> None:
        """Write that everything up to then is written."""
        self._seen_at = max(self._seen_at, until)
        self._write()

    def mended(self, *words: str) -> None:
        """Count what was wrong in the worker's memory, and is mended."""
        state = BoardState(seen_at=self._seen_at)
        self._board.reconcile(state, Found({}, self._seen_at), now(), words)

    def release(self, now: datetime) -> None:
        """Write that everything up to ``now`` is written, and that nobody watches from then on."""
        self._board.release(now, now, Reason.HANDOVER)

    def unregister(self) -> None:
        """Write that the board is not to be watched any more."""
        others = [board["_id"] for board in self.database.boards.find({"_id": {"$ne": self.path}})]
        self._store(WORKER).forget_all_but(others, lambda: others, self._since)

    def write(self, *changes: Change) -> list[Document]:
        """Write changes as one batch; return their documents."""
        before = self.revision
        self._write(changes)
        names = [change_id(self.path, each) for each in range(before + 1, self.revision + 1)]
        return list(self.database.changes.find({"_id": {"$in": names}}).sort("revision"))

    def gap(
        self,
        start: datetime,
        end: datetime,
        creates: int | None = 1,
        deletes: int | None = 0,
        *,
        reason: Reason = Reason.COALESCED,
    ) -> None:
        """Write that so much was not seen."""
        self._write(gaps=(Gap(start, end, reason, creates, deletes),))

    def _write(self, changes: Sequence[Change] = (), gaps: Sequence[Gap] = ()) -> None:
        self._seen_at = max([self._seen_at, *(change.seen_at for change in changes)])
        step = Step(BoardState(seen_at=self._seen_at), tuple(changes), tuple(gaps))
        self._board.write([step], self._freshness, self._since)


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
