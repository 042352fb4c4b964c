"""What changes are in ``changes`` and ``jobs``: a part of a board's log, and what it makes of jobs.

A change says for how long its job had waited and run by then, and so does the job's document: who
asks later need not read the log again. For that the writer remembers the ``Past`` of each job that
is on the board, and gets it back from the documents when it takes the board.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import Int64

from canary.model.changes import BEGINNINGS, ENDINGS, Change, Kind
from canary.model.jobs import JobState
from canary.model.names import change_id, job_id
from canary.model.spent import Spent
from canary.stores.documents import Document, long, payload_document

NODE_KINDS = frozenset({Kind.NODE_CREATED, Kind.NODE_DELETED})


@dataclass(frozen=True, slots=True)
class Past:
    """What a change says of its job beside what the change itself tells."""

    job_name: str | None
    posted_at: datetime
    spent: Spent

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "Past":
        """Return what a document of ``jobs`` tells of it."""
        spent = Spent(
            JobState(job["state"]),
            job["since"],
            job["waited"],
            job["ran"],
            job["claims"],
            job["claimed_at"],
        )
        return cls(job["job_name"], job["posted_at"], spent)


@dataclass(frozen=True, slots=True)
class Entries:
    """What is written of one part of a board's log.

    ``log`` are documents of ``changes``; ``whole`` are documents of ``jobs`` to put in, ``fields``
    those to set in others, both by job id; ``pasts`` is what the jobs that they are about then are,
    None for one that has ended.
    """

    log: list[Document] = field(default_factory=list)
    whole: dict[str, Document] = field(default_factory=dict)
    fields: dict[str, Document] = field(default_factory=dict)
    pasts: dict[str, Past | None] = field(default_factory=dict)

    @property
    def waited(self) -> list[float]:
        """For how many seconds the jobs had waited that are claimed in it, where that is known."""
        claims = (change for change in self.log if change["kind"] == Kind.CLAIMED)
        return [change["waiting"] for change in claims if change["waiting"] is not None]

    @property
    def ran(self) -> list[float]:
        """For how many seconds the jobs had run that end in it, where that is known."""
        endings = (change for change in self.log if change["kind"] in ENDINGS)
        return [change["running"] for change in endings if change["running"] is not None]

    def remember_in(self, pasts: dict[str, Past]) -> None:
        """Bring ``pasts`` of a board to what they are once this is written."""
        for identity, past in self.pasts.items():
            if past is None:
                pasts.pop(identity, None)
            else:
                pasts[identity] = past


def entries(
    board: str,
    epoch: int,
    numbered: Iterable[tuple[int, Change]],
    pasts: Mapping[str, Past],
    *,
    found: bool = False,
) -> Entries:
    """Return what ``numbered``, changes with their revisions, are in MongoDB.

    ``pasts`` is what is known of the jobs on the board; it is not changed. ``found`` is whether
    they tell what was there when Canary first looked at the board.
    """
    made = Entries()
    for revision, change in numbered:
        if change.kind in NODE_KINDS:
            made.log.append(_change(board, epoch, revision, change, None, None, None, found))
            continue
        identity = job_id(board, change.czxid, change.incarnation, change.name, change.made_at)
        known = made.pasts if identity in made.pasts else pasts
        before = _before(known.get(identity), change)
        past = _after(before, change)
        made.log.append(_change(board, epoch, revision, change, identity, before, past, found))
        if change.kind in BEGINNINGS:
            document = made.whole[identity] = {"_id": identity, **_new_job(board, change)}
        else:
            document = made.whole.get(identity) or made.fields.setdefault(identity, {})
            document |= _changed_fields(change)
        document |= spent_fields(past.spent) | {"revision": Int64(revision)}
        made.pasts[identity] = None if change.kind in ENDINGS else past
    return made


def spent_fields(spent: Spent) -> Document:
    """Return what a document of ``jobs`` says of what its job has spent."""
    return {
        "since": spent.since,
        "claimed_at": spent.claimed_at,
        "claims": spent.claims,
        "waited": spent.waited,
        "ran": spent.ran,
        "waiting_from": spent.waiting_from,
        "running_from": spent.running_from,
    }


def _before(past: Past | None, change: Change) -> Past | None:
    """Return what a job was before a change, of whose past there may be nothing; None: no job."""
    if change.kind in BEGINNINGS:
        return None
    if past is None:
        moment = change.at or change.seen_at
        state = JobState.UNCLAIMED if change.kind is Kind.CLAIMED else JobState.CLAIMED
        return Past(None, moment, Spent.unknown(state, moment))
    return past


def _after(before: Past | None, change: Change) -> Past:
    """Return what a job is after a change, that ``before`` was before it."""
    moment = change.at or change.seen_at
    if before is None:
        name = change.payload.name if change.payload else None
        return Past(name, moment, Spent.posted(moment))
    spent = before.spent.after(change.kind, moment, change.outcome)
    return Past(before.job_name, before.posted_at, spent)


def _change(
    board: str,
    epoch: int,
    revision: int,
    change: Change,
    job: str | None,
    before: Past | None,
    past: Past | None,
    found: bool,
) -> Document:
    spent = past.spent if past else None
    return {
        "_id": change_id(board, revision),
        "board": board,
        "epoch": Int64(epoch),
        "revision": Int64(revision),
        "kind": change.kind.value,
        "name": change.name,
        "job": job,
        "uuid": change.uuid,
        "job_name": past.job_name if past else None,
        "state": spent.state.value if spent else None,
        "state_before": before.spent.state.value if before else None,
        "owner": change.owner,
        "session": long(change.session),
        "outcome": change.outcome.value if change.outcome else None,
        "at": change.at,
        "seen_at": change.seen_at,
        "posted_at": past.posted_at if past else None,
        "waiting": spent.waited if spent else None,
        "running": spent.ran if spent else None,
        "creates": change.creates,
        "deletes": change.deletes,
        "found": found,
    }


def _new_job(board: str, change: Change) -> Document:
    return {
        "board": board,
        "name": change.name,
        "czxid": long(change.czxid),
        "incarnation": Int64(change.incarnation),
        "uuid": change.uuid,
        "job_name": change.payload.name if change.payload else None,
        "at": change.at,
        "seen_at": change.seen_at,
        "posted_at": change.at or change.seen_at,
        "state": JobState.UNCLAIMED.value,
        "lock": None,
        "owner": None,
        "outcome": None,
        "ended_at": None,
        "ended_seen_at": None,
        "payload": payload_document(change.payload),
    }


def _changed_fields(change: Change) -> Document:
    """Return what a change after the first sets in its job's document."""
    if change.kind is Kind.CLAIMED:
        lock = {
            "czxid": long(change.lock_czxid),
            "owner": change.owner,
            "session": long(change.session),
            "at": change.at,
            "seen_at": change.seen_at,
        }
        return {"state": JobState.CLAIMED.value, "lock": lock, "owner": change.owner}
    if change.kind is Kind.ABANDONED:
        return {"state": JobState.UNCLAIMED.value, "lock": None, "owner": None}
    if change.kind in ENDINGS:
        fields = {
            "state": JobState.COMPLETE.value,
            "lock": None,
            "owner": change.owner,
            "outcome": change.outcome.value if change.outcome else None,
            "ended_at": change.at or change.seen_at,
            "ended_seen_at": change.seen_at,
        }
        return fields if change.uuid is None else fields | {"uuid": change.uuid}
    raise ValueError(f"{change.kind} is about no job")
