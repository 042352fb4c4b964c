"""What MongoDB should hold of a job that is on its board, and how it differs from what it holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import Change, Kind
from canary.model.jobs import Job, JobState
from canary.model.names import job_id
from canary.model.spent import Spent
from canary.stores.documents import Document
from canary.stores.entries import Past, entries, spent_fields


def identity(path: str, incarnation: int, job: Job) -> str:
    """Return the ``_id`` of a job's document."""
    return job_id(path, job.czxid, incarnation, job.name, job.made_at)


def expected(path: str, incarnation: int, job: Job, past: Past) -> Document:
    """Return the document of a job that is on its board, but for its payload and its revision.

    When a claim was seen is in no state: ``seen_at`` of its lock is that of the job.
    """
    about = (job.name, incarnation, job.czxid, job.uuid)
    posted = Change(Kind.POSTED, *about, job.at, job.seen_at, made_at=job.made_at)
    changes = [(0, posted)]
    if job.lock:
        claimed = Change(
            Kind.CLAIMED,
            *about,
            job.lock.at,
            job.seen_at,
            owner=job.lock.owner,
            session=job.lock.session,
            lock_czxid=job.lock.czxid,
            made_at=job.made_at,
        )
        changes.append((0, claimed))
    [document] = entries(path, 0, changes, {}).whole.values()
    del document["payload"], document["revision"]
    spent = spent_fields(past.spent)
    return document | spent | {"job_name": job.job_name, "posted_at": past.posted_at}


def difference(document: Mapping[str, Any], right: Document) -> Document:
    """Return what to set in ``document`` to make it what is ``right``."""
    return {
        name: value
        for name, value in right.items()
        if name not in document or _comparable(name, document[name]) != _comparable(name, value)
    }


def _comparable(name: str, value: Any) -> Any:
    if name == "lock" and isinstance(value, Mapping):
        return {each: value.get(each) for each in ("czxid", "owner", "session", "at")}
    if isinstance(value, datetime):  # MongoDB cuts to the millisecond
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def is_still(known: Past, job: Job) -> bool:
    """Tell whether the past that is known of a job can be that of ``job`` as it is now."""
    return known.spent.state is job.state and known.spent.is_plausible


def past_of(
    database: Database[Document],
    path: str,
    incarnation: int,
    job: Job,
    now: datetime,
    session: ClientSession,
) -> Past:
    """Return the past of a job as the log tells it.

    Where the log says that the job is in another state, how it came to its own is not known.
    """
    of_job = {"board": path, "job": identity(path, incarnation, job)}
    log = list(database.changes.find(of_job, session=session).sort("revision", 1))
    posted_at = log[-1]["posted_at"] if log else job.at or job.seen_at
    claims = sum(change["kind"] == Kind.CLAIMED for change in log)
    if log and log[-1]["state"] == job.state.value:
        last = log[-1]
        since = last["at"] or last["seen_at"]
        claimed_at = since if job.state is JobState.CLAIMED else None
        spent = Spent(job.state, since, last["waiting"], last["running"], claims, claimed_at)
        if spent.is_plausible:
            return Past(job.job_name, posted_at, spent)
    if job.lock:
        return Past(job.job_name, posted_at, Spent.unknown(job.state, job.lock.at or job.seen_at))
    return Past(job.job_name, posted_at, Spent.unknown(job.state, now if log else posted_at))
