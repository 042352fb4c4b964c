"""How changes are written to ``changes`` and ``jobs``: entries of the log, and updates of jobs.

A change contains how long its job had waited and run by then, and so does the job's document, so
that no later reader needs the log for it. For this the writer remembers the ``JobHistory`` of each
job on the board, and restores it from the documents when it takes the board.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bson import Int64

from canary.model.changes import BEGINNINGS, ENDINGS, Change, Kind
from canary.model.durations import Durations
from canary.model.jobs import JobState
from canary.model.names import change_id, job_id
from canary.stores.mongo.documents import Document, edition_document, long, payload_document
from canary.stores.mongo.edits import edit_document

NODE_KINDS = frozenset({Kind.NODE_CREATED, Kind.NODE_DELETED})


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What a change's document says of its job beyond the change itself."""

    job_name: str | None
    posted_at: datetime
    spent: Durations

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "JobHistory":
        """Return the history in a document of ``jobs``."""
        spent = Durations(
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
    """What is written for one part of a board's log.

    ``log`` are documents of ``changes``. ``whole`` are documents of ``jobs`` to insert, ``fields``
    those to set in others, both by job id. ``posted`` are the payloads of posted jobs, by the
    change's id. ``histories`` are those of the jobs afterwards, None for a job that has ended.
    """

    log: list[Document] = field(default_factory=list)
    whole: dict[str, Document] = field(default_factory=dict)
    fields: dict[str, Document] = field(default_factory=dict)
    posted: dict[str, Document | None] = field(default_factory=dict)
    histories: dict[str, JobHistory | None] = field(default_factory=dict)

    @property
    def waited(self) -> list[float]:
        """Seconds that the jobs claimed in it had waited, where known."""
        claims = (change for change in self.log if change["kind"] == Kind.CLAIMED)
        return [change["waiting"] for change in claims if change["waiting"] is not None]

    @property
    def ran(self) -> list[float]:
        """Seconds that the jobs that end in it had run, where known."""
        endings = (change for change in self.log if change["kind"] in ENDINGS)
        return [change["running"] for change in endings if change["running"] is not None]

    def remember_in(self, histories: dict[str, JobHistory]) -> None:
        """Update a board's ``histories`` to what they are once this is written."""
        for identity, history in self.histories.items():
            if history is None:
                histories.pop(identity, None)
            else:
                histories[identity] = history


def entries(
    board: str,
    epoch: int,
    numbered: Iterable[tuple[int, Change]],
    histories: Mapping[str, JobHistory],
    *,
    found: bool = False,
) -> Entries:
    """Return what to write for ``numbered``, changes with their revisions.

    ``histories`` are those of the jobs on the board; they are not changed. ``found`` is whether the
    changes say what was there when Canary first read the board.
    """
    made = Entries()
    for revision, change in numbered:
        if change.kind in NODE_KINDS:
            made.log.append(_change(board, epoch, revision, change, None, None, None, found))
            continue
        identity = job_id(board, change.czxid, change.incarnation, change.name, change.made_at)
        known = made.histories if identity in made.histories else histories
        before = _before(known.get(identity), change)
        history = _after(before, change)
        made.log.append(_change(board, epoch, revision, change, identity, before, history, found))
        if change.kind in BEGINNINGS:
            document = made.whole[identity] = {"_id": identity, **_new_job(board, change)}
            made.posted[made.log[-1]["_id"]] = document["payload"]
        else:
            document = made.whole.get(identity) or made.fields.setdefault(identity, {})
            _set(document, _changed_fields(change, history.job_name))
        document |= duration_fields(history.spent) | {"revision": Int64(revision)}
        made.histories[identity] = None if change.kind in ENDINGS else history
    return made


def _set(document: Document, values: Document) -> None:
    """Set values in a document to insert, or among those to set in another."""
    for name, value in values.items():
        outer, _, inner = name.partition(".")
        if inner and isinstance(document.get(outer), dict):
            document[outer] |= {inner: value}
        elif inner or name != "lock":
            document[name] = value
        else:  # MongoDB sets no part of what it sets as a whole
            for part in [each for each in document if each.startswith("lock.")]:
                del document[part]
            document[name] = value


def duration_fields(spent: Durations) -> Document:
    """Return the fields of a document of ``jobs`` about the time its job has spent."""
    return {
        "since": spent.since,
        "claimed_at": spent.claimed_at,
        "claims": spent.claims,
        "waited": spent.waited,
        "ran": spent.ran,
        "waiting_from": spent.waiting_from,
        "running_from": spent.running_from,
    }


def _before(history: JobHistory | None, change: Change) -> JobHistory | None:
    """Return a job's history before a change, unknown if need be; None if there was no job."""
    if change.kind in BEGINNINGS:
        return None
    if history is None:
        moment = change.happened_at
        is_unclaimed = change.kind is Kind.CLAIMED or (change.edit and not change.lock_czxid)
        state = JobState.UNCLAIMED if is_unclaimed else JobState.CLAIMED
        return JobHistory(None, moment, Durations.unknown(state, moment))
    return history


def _after(before: JobHistory | None, change: Change) -> JobHistory:
    """Return a job's history after a change; ``before`` is the one before it."""
    moment = change.happened_at
    if before is None:
        name = change.payload.name if change.payload else None
        return JobHistory(name, moment, Durations.posted(moment))
    if change.kind is Kind.EDITED:
        name = change.payload.name if change.payload else None
        return replace(before, job_name=name or before.job_name)
    spent = before.spent.after(change.kind, moment, change.outcome)
    return JobHistory(before.job_name, before.posted_at, spent)


def _change(
    board: str,
    epoch: int,
    revision: int,
    change: Change,
    job: str | None,
    before: JobHistory | None,
    history: JobHistory | None,
    found: bool,
) -> Document:
    spent = history.spent if history else None
    waited, ran = (spent.waited, spent.ran) if spent else (None, None)
    if spent and change.edit:  # an edit ends no state
        moment = change.happened_at
        waited, ran = spent.waiting(moment), spent.running(moment)
    return {
        "_id": change_id(board, revision),
        "board": board,
        "epoch": Int64(epoch),
        "revision": Int64(revision),
        "kind": change.kind.value,
        "name": change.name,
        "job": job,
        "uuid": change.uuid,
        "job_name": history.job_name if history else None,
        "state": spent.state.value if spent else None,
        "state_before": before.spent.state.value if before else None,
        "owner": change.owner,
        "session": long(change.session),
        "outcome": change.outcome.value if change.outcome else None,
        "at": change.at,
        "seen_at": change.seen_at,
        "moment": change.happened_at,
        "posted_at": history.posted_at if history else None,
        "waiting": waited,
        "running": ran,
        "claims": spent.claims if spent else None,
        "creates": change.creates,
        "deletes": change.deletes,
        "found": found,
        "edit": _edit(change, before, history),
    }


def _edit(change: Change, before: JobHistory | None, history: JobHistory | None) -> Document | None:
    names = (each.job_name if each else None for each in (before, history))
    return edit_document(change.edit, change, *names) if change.edit else None


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
        "posted_at": change.happened_at,
        "state": JobState.UNCLAIMED.value,
        "lock": None,
        "owner": None,
        "outcome": None,
        "ended_at": None,
        "ended_seen_at": None,
        "edition": None,
        "payload": payload_document(change.payload),
    }


def _changed_fields(change: Change, job_name: str | None) -> Document:
    """Return what a change after the first sets in its job's document.

    An edit of a lock sets only a part of it, in MongoDB's notation: ``lock.owner``.
    """
    if change.kind is Kind.CLAIMED:
        lock = {
            "czxid": long(change.lock_czxid),
            "owner": change.owner,
            "session": long(change.session),
            "at": change.at,
            "seen_at": change.seen_at,
            "edition": None,
        }
        return {"state": JobState.CLAIMED.value, "lock": lock, "owner": change.owner}
    if change.kind is Kind.ABANDONED:
        return {"state": JobState.UNCLAIMED.value, "lock": None, "owner": None}
    if change.edit is not None:
        edition = edition_document(change.edit.edition)
        if change.edit.of_lock:
            return {"owner": change.owner, "lock.owner": change.owner, "lock.edition": edition}
        who: Document = {"uuid": change.uuid, "job_name": job_name, "edition": edition}
        return who | {"payload": payload_document(change.payload)}
    if change.kind in ENDINGS:
        fields = {
            "state": JobState.COMPLETE.value,
            "lock": None,
            "owner": change.owner,
            "outcome": change.outcome.value if change.outcome else None,
            "ended_at": change.happened_at,
            "ended_seen_at": change.seen_at,
        }
        return fields if change.uuid is None else fields | {"uuid": change.uuid}
    raise ValueError(f"{change.kind} is about no job")
