"""What MongoDB holds of a board beside what it should hold: the difference, and how to mend it.

There is none unless Canary has a defect or a hand was at work in MongoDB. The log of changes is not
touched: it is what happened; the jobs and nodes are what is mended after it.

Compared is all of the jobs on the board but the text of their payloads, of which only whether it is
there and of how many bytes it was made; that is written once, with the job, and never again. How
long a job waited and ran is compared with what its board's writer remembers.

Not mended is the document of a job out of which a hand took a field that ``Past.of`` reads: it ends
the watch, and the log names the field.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import ENDINGS, Kind
from canary.model.jobs import Job, JobState, Outcome
from canary.model.payload import Payload
from canary.model.state import BoardState
from canary.stores.documents import Document, has, node_document, payload_document, stat_document
from canary.stores.entries import Past, spent_fields
from canary.stores.expected import difference, expected, identity, is_still, past_of
from canary.stores.slices import CHANGE_BYTES, SLICE_BYTES, SLICE_CHANGES
from canary.stores.stored import COLLECTION, of_one

Fetch = Callable[[Job], Payload | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison of a board's memory with ZooKeeper found beside the state.

    ``fetch`` reads a job's payload; ``sizes`` are how many bytes of data jobs have, by name and
    czxid; ``since`` is from when on it is not known that all was right. ``stored`` is what MongoDB
    held of the board a moment ago, where that was read, together with other boards.
    """

    fetch: Fetch
    sizes: Mapping[tuple[str, int], int]
    since: datetime
    stored: list[Document] | None = None


@dataclass(frozen=True, slots=True)
class Mending:
    """What mends a part of it, in one transaction, and what that was, in words.

    ``board`` are fields to set in the board's document; ``pasts`` are those of the jobs that are
    mended, by their documents' ids.
    """

    words: list[str] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    board: Document = field(default_factory=dict)
    pasts: dict[str, Past] = field(default_factory=dict)


class _Unsure(Exception):  # noqa: N818 -- never leaves this module
    """More has to be read before it can be told."""


class Differences:
    """Compares what is stored of a board with ``state``; lives for one comparison.

    ``path`` is the board's, ``pasts`` are what its writer remembers of its jobs.
    """

    def __init__(
        self,
        database: Database[Document],
        path: str,
        state: BoardState,
        pasts: Mapping[str, Past],
        found: Found,
        now: datetime,
    ) -> None:
        self._database, self._path, self._state = database, path, state
        self._pasts, self._found, self._now = pasts, found, now
        self._incarnation = state.incarnation or 0
        self._revision = 0  # as it is stored
        self._wrong: list[Mending] = []
        self._lost: dict[str, tuple[Job, Past]] = {}  # jobs whose documents are
        self._bare: dict[str, Job] = {}  # jobs whose payloads may be lost

    def are_none(self, stored: Iterable[Document], mine: Mapping[str, Any]) -> bool:
        """Tell whether ``stored`` is all that should be, and the board's document has ``mine``.

        Nothing more is read: where that would be needed, or anything is otherwise, it is False.
        """
        try:
            board = self._compare_all(stored, None)
        except _Unsure:
            return False
        return has(board, mine) and not (self._wrong or self._lost or self._bare)

    def find(self, session: ClientSession) -> Document | None:
        """Read all that is stored, as ``session`` sees it, and compare.

        Returns the board's own document, None where there is none.
        """
        return self._compare_all(of_one(self._database, self._path, session), session)

    def _compare_all(
        self, stored: Iterable[Document], session: ClientSession | None
    ) -> Document | None:
        board: Document | None = None
        missing = {self._identity(job): job for job in self._state.jobs.values()}
        nodes: dict[str, str | None] = {}  # names by identity
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
            self._wrong.append(Mending(["the board's stat"], board={"stat": stat}))
        for name, job in missing.items():
            self._lost[name] = job, self._past(job, session)
        self._wrong += self._nodes(nodes)
        return board

    def mendings(self) -> Iterator[Mending]:
        """Yield what is to be written; payloads are read in between, as they are needed."""
        part, size = Mending(), 0
        for one, weight in self._each():
            if part.words and (len(part.words) >= SLICE_CHANGES or size + weight > SLICE_BYTES):
                yield part
                part, size = Mending(), 0
            size += weight
            part.words.extend(one.words)
            part.jobs.extend(one.jobs)
            part.nodes.extend(one.nodes)
            part.board.update(one.board)
            part.pasts.update(one.pasts)
        if part.words:
            yield part

    def _each(self) -> Iterator[tuple[Mending, int]]:
        """Yield each difference, and about how many bytes it takes to write what mends it."""
        for one in self._wrong:
            yield one, CHANGE_BYTES
        for name, (job, past) in self._lost.items():
            payload = self._found.fetch(job)
            whole = {
                **expected(self._path, self._incarnation, job, past),
                "revision": self._revision,
                "payload": payload_document(payload),
            }
            replacing = ReplaceOne({"_id": name}, whole, upsert=True)
            words = [f"{job.name} is not stored as on the board"]
            yield Mending(words, [replacing], pasts={name: past}), _weight(payload)
        for name, job in self._bare.items():
            payload = self._found.fetch(job)
            if payload is not None:  # else it can't be told
                setting = UpdateOne({"_id": name}, {"$set": {"payload": payload_document(payload)}})
                yield Mending([f"the payload of {job.name}"], [setting]), _weight(payload)

    def _compare(self, document: Document, job: Job, session: ClientSession | None) -> None:
        """Compare the document of a job that is on the board."""
        name, past = document["_id"], self._past(job, session)
        fields = difference(document, expected(self._path, self._incarnation, job, past))
        if fields:
            words = [f"{job.name} is {job.state.value} otherwise: {', '.join(sorted(fields))}"]
            setting = UpdateOne({"_id": name}, {"$set": fields})
            self._wrong.append(Mending(words, [setting], pasts={name: past}))
        payload = document.get("payload")
        if payload is None:
            is_lost = job.uuid is not None  # which nothing but its payload tells
        else:
            size = self._found.sizes.get((job.name, job.czxid or 0))
            is_lost = size is not None and size != payload.get("size")
        if is_lost:
            self._bare[name] = job

    def _identity(self, job: Job) -> str:
        return identity(self._path, self._incarnation, job)

    def _past(self, job: Job, session: ClientSession | None) -> Past:
        known = self._pasts.get(self._identity(job))
        if known is not None and is_still(known, job):
            return known
        if session is None:
            raise _Unsure
        return past_of(self._database, self._path, self._incarnation, job, self._now, session)

    def _nodes(self, stored: Mapping[str, str | None]) -> Iterator[Mending]:
        right = {each["_id"]: each for each in map(self._node, self._state.others)}
        for name, document in right.items():
            if stored.get(name) != document["name"]:
                write = ReplaceOne({"_id": name}, document, upsert=True)
                yield Mending([f"the node {document['name']}"], nodes=[write])
        for name in stored.keys() - right.keys():
            yield Mending([f"the node {name}"], nodes=[DeleteOne({"_id": name})])

    def _node(self, name: str) -> Document:
        return node_document(self._path, name)

    def _ended(self, job: Document, session: ClientSession | None) -> Mending:
        """Return what mends the document of a job that is not on the board: what the log says."""
        if session is None:
            raise _Unsure
        endings = {"$in": [kind.value for kind in ENDINGS]}
        told: Mapping[str, Any] | None = self._database.changes.find_one(
            {"board": job["board"], "job": job["_id"], "kind": endings}, session=session
        )
        ended_at = (told["at"] or told["seen_at"]) if told else self._now
        spent = Past.of(job).spent.after(Kind.ENDED, ended_at)
        waited, ran = (told["waiting"], told["running"]) if told else (None, None)
        fields = {
            **spent_fields(replace(spent, waited=waited, ran=ran)),
            "state": JobState.COMPLETE.value,
            "lock": None,
            "outcome": told["outcome"] if told else Outcome.UNKNOWN.value,
            "ended_at": ended_at,
            "ended_seen_at": told["seen_at"] if told else self._now,
        }
        setting = UpdateOne({"_id": job["_id"]}, {"$set": fields})
        return Mending([f"{job['name']} is not on the board"], [setting])


def _weight(payload: Payload | None) -> int:
    return CHANGE_BYTES + (payload.weight if payload else 0)
