"""The differences between what MongoDB holds of a board and what it should hold, and their repair.

There are none unless Canary has a defect or somebody changed MongoDB by hand. The log of changes is
not touched, because it is what happened. Jobs and nodes are repaired.

Everything about the jobs on the board is compared, except the text of their payloads: of a payload
only its presence and the size of its source in bytes. An edit in ZooKeeper is no difference: either
the state contains it, or it is not seen yet, and then the size that was read is that of another
edition. How long a job waited and ran is compared with what the board's writer remembers.

If somebody removed a field that ``JobHistory.of`` reads from a job's document, the document is not
repaired: it ends the watch, and the log names the field.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import ENDINGS, Gap, Kind
from canary.model.jobs import Job, JobState, Outcome
from canary.model.payload.payload import Payload
from canary.model.state import BoardState
from canary.stores.mongo.documents import (
    Document,
    has,
    moment_of,
    node_document,
    payload_document,
    stat_document,
)
from canary.stores.writing.batches import BATCH_BYTES, BATCH_CHANGES, CHANGE_BYTES, missed
from canary.stores.writing.change_log import JobHistory, duration_fields
from canary.stores.writing.expected import difference, expected, identity, is_still, past_of
from canary.stores.writing.fence import added
from canary.stores.writing.stored import COLLECTION, of_one

JobKey = tuple[str, int]  # a job of one board: its name, and the zxid that wrote its data


def job_key(job: Job) -> JobKey:
    """Return the key of a job in ``Found``."""
    return job.name, job.written_at or 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison of a board's memory with ZooKeeper found in addition to the state.

    ``sizes`` are the data sizes of jobs in bytes. ``since`` is when everything was last known to be
    right. ``payloads`` are those that were read for a repair, None if a job's can't be read any
    more. ``stored`` is what MongoDB held of the board a moment ago, if that was read together with
    other boards.
    """

    sizes: Mapping[JobKey, int]
    since: datetime
    payloads: Mapping[JobKey, Payload | None] = field(default_factory=dict)
    stored: list[Document] | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was wrong and is repaired and counted, in words, and what is not repaired yet.

    ``unread`` are jobs whose payloads have to be read first and passed as ``Found.payloads``.
    """

    words: tuple[str, ...] = ()
    unread: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """The writes of one repair, in one transaction, and what was wrong, in words.

    ``board`` are fields to set in the board's document. ``histories`` are those of the repaired
    jobs, by their documents' ids. If it ``only_counts``, everything in it is repaired already.
    """

    words: list[str] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    board: Document = field(default_factory=dict)
    histories: dict[str, JobHistory] = field(default_factory=dict)
    only_counts: bool = False


def repair_update(repair: Repair, gaps: Sequence[Gap]) -> list[Document]:
    """Return the update of the board's document, as a pipeline."""
    fields: Document = {"drift": added("drift", len(repair.words)), **missed(gaps)}
    fields |= {name: {"$literal": value} for name, value in repair.board.items()}
    return [{"$set": fields}]


class _Unsure(Exception):  # noqa: N818 -- never leaves this module
    """More has to be read before the comparison can decide."""


class Differences:
    """Compares what is stored of a board with ``state``; used for one comparison.

    ``path`` is the board's path. ``histories`` are what its writer remembers of its jobs.
    """

    def __init__(
        self,
        database: Database[Document],
        path: str,
        state: BoardState,
        histories: Mapping[str, JobHistory],
        found: Found,
        now: datetime,
    ) -> None:
        self._database, self._path, self._state = database, path, state
        self._histories, self._found, self._now = histories, found, now
        self._incarnation = state.incarnation or 0
        self._revision = 0  # as stored
        self._wrong: list[Repair] = []
        self._lost: dict[str, tuple[Job, JobHistory]] = {}  # jobs whose documents are lost
        self._bare: dict[str, Job] = {}  # jobs whose payloads may be lost

    def are_none(self, stored: Iterable[Document], mine: Mapping[str, Any]) -> bool:
        """Return whether ``stored`` is as it should be, and the board's document has ``mine``.

        Reads nothing more: if more would have to be read, or if anything differs, it returns False.
        """
        try:
            board = self._compare_all(stored, None)
        except _Unsure:
            return False
        return has(board, mine) and not (self._wrong or self._lost or self._bare)

    def find(self, session: ClientSession) -> Document | None:
        """Read everything that is stored, as ``session`` sees it, and compare.

        Returns the board's own document, or None if there is none.
        """
        return self._compare_all(of_one(self._database, self._path, session), session)

    def _compare_all(
        self, stored: Iterable[Document], session: ClientSession | None
    ) -> Document | None:
        board: Document | None = None
        missing = {self._identity(job): job for job in self._state.jobs.values()}
        nodes: dict[str, str | None] = {}  # names by id
        for document in stored:
            match document.pop(COLLECTION, None):
                case "jobs":
                    job = missing.pop(document["_id"], None)
                    if job is None:
                        self._wrong.append(self._ended(document, session))
                    else:
                        self._compare(document, job, session)
                case "nodes":
                    nodes[document["_id"]] = document.get("name")
                case _:
                    board = document
        if board is None:
            return None
        self._revision = board["revision"]
        stat = stat_document(self._state.stat)
        if board["stat"] != stat:
            self._wrong.append(Repair(["the board's stat"], board={"stat": stat}))
        for name, job in missing.items():
            self._lost[name] = job, self._history(job, session)
        self._wrong += self._nodes(nodes)
        return board

    def repairs(self) -> Iterator[Repair]:
        """Yield the repairs of everything except the jobs that are ``unread``."""
        part, size = Repair(), 0
        for one, weight in self._each():
            if part.words and (len(part.words) >= BATCH_CHANGES or size + weight > BATCH_BYTES):
                yield part
                part, size = Repair(), 0
            size += weight
            part.words.extend(one.words)
            part.jobs.extend(one.jobs)
            part.nodes.extend(one.nodes)
            part.board.update(one.board)
            part.histories.update(one.histories)
        if part.words:
            yield part

    def _each(self) -> Iterator[tuple[Repair, int]]:
        """Yield each difference, and about how many bytes its repair takes."""
        for one in self._wrong:
            yield one, CHANGE_BYTES
        payloads = self._found.payloads
        for name, (job, history) in self._lost.items():
            if job_key(job) not in payloads:
                continue
            payload = payloads[job_key(job)]
            whole = {
                **expected(self._path, self._incarnation, job, history),
                "revision": self._revision,
                "payload": payload_document(payload),
            }
            replacing = ReplaceOne({"_id": name}, whole, upsert=True)
            words = [f"{job.name} is not stored as a job on the board"]
            yield Repair(words, [replacing], histories={name: history}), _weight(payload)
        for name, job in self._bare.items():
            payload = payloads.get(job_key(job))
            if payload is not None:  # else it can't be read, or not yet
                setting = UpdateOne({"_id": name}, {"$set": {"payload": payload_document(payload)}})
                yield Repair([f"the payload of {job.name}"], [setting]), _weight(payload)

    @property
    def unread(self) -> tuple[Job, ...]:
        """The jobs that can't be repaired before their payloads are read."""
        jobs = [*(job for job, _ in self._lost.values()), *self._bare.values()]
        return tuple(job for job in jobs if job_key(job) not in self._found.payloads)

    def _compare(self, document: Document, job: Job, session: ClientSession | None) -> None:
        """Compare the document of a job that is on the board."""
        name, history = document["_id"], self._history(job, session)
        fields = difference(document, expected(self._path, self._incarnation, job, history))
        if fields:
            words = [
                f"{job.name}, which is {job.state.value}, differs in {', '.join(sorted(fields))}"
            ]
            setting = UpdateOne({"_id": name}, {"$set": fields})
            self._wrong.append(Repair(words, [setting], histories={name: history}))
        payload = document.get("payload")
        if payload is None:
            is_lost = job.uuid is not None  # only its payload contains the uuid
        else:
            size = self._found.sizes.get(job_key(job))
            is_lost = size is not None and size != payload.get("size")
        if is_lost:
            self._bare[name] = job

    def _identity(self, job: Job) -> str:
        return identity(self._path, self._incarnation, job)

    def _history(self, job: Job, session: ClientSession | None) -> JobHistory:
        known = self._histories.get(self._identity(job))
        if known is not None and is_still(known, job):
            return known
        if session is None:
            raise _Unsure
        return past_of(self._database, self._path, self._incarnation, job, self._now, session)

    def _nodes(self, stored: Mapping[str, str | None]) -> Iterator[Repair]:
        right = {each["_id"]: each for each in map(self._node, self._state.others)}
        for name, document in right.items():
            if stored.get(name) != document["name"]:
                write = ReplaceOne({"_id": name}, document, upsert=True)
                yield Repair([f"the node {document['name']}"], nodes=[write])
        for name in stored.keys() - right.keys():
            yield Repair([f"the node {name}"], nodes=[DeleteOne({"_id": name})])

    def _node(self, name: str) -> Document:
        return node_document(self._path, name)

    def _ended(self, job: Document, session: ClientSession | None) -> Repair:
        """Return the repair of the document of a job that is not on the board, by the log."""
        if session is None:
            raise _Unsure
        endings = {"$in": [kind.value for kind in ENDINGS]}
        told: Mapping[str, Any] | None = self._database.changes.find_one(
            {"board": job["board"], "job": job["_id"], "kind": endings}, session=session
        )
        ended_at = moment_of(told) if told else self._now
        spent = JobHistory.of(job).spent.after(Kind.ENDED, ended_at)
        waited, ran = (told["waiting"], told["running"]) if told else (None, None)
        fields = {
            **duration_fields(replace(spent, waited=waited, ran=ran)),
            "state": JobState.COMPLETE.value,
            "lock": None,
            "outcome": told["outcome"] if told else Outcome.UNKNOWN.value,
            "ended_at": ended_at,
            "ended_seen_at": told["seen_at"] if told else self._now,
        }
        setting = UpdateOne({"_id": job["_id"]}, {"$set": fields})
        return Repair([f"{job['name']} is not on the board"], [setting])


def _weight(payload: Payload | None) -> int:
    return CHANGE_BYTES + (payload.weight if payload else 0)
