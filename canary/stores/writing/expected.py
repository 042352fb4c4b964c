"""What MongoDB should hold of a job on its board, and how that differs from what it holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import Change, Kind
from canary.model.durations import Durations
from canary.model.jobs import Job, JobState
from canary.model.names import job_id
from canary.stores.mongo.documents import Document, edition_document, moment_of
from canary.stores.writing.change_log import JobHistory, duration_fields, entries


def identity(path: str, incarnation: int, job: Job) -> str:
    """Return the ``_id`` of a job's document."""
    return job_id(path, job.czxid, incarnation, job.name, job.made_at)


def expected(path: str, incarnation: int, job: Job, history: JobHistory) -> Document:
    """Return the document of a job on its board, without its payload and its revision.

    The state does not contain when a claim was seen: ``seen_at`` of its lock is that of the job.
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
    document["edition"] = edition_document(job.edition)
    if job.lock:
        document["lock"]["edition"] = edition_document(job.lock.edition)
    spent = duration_fields(history.spent)
    return document | spent | {"job_name": job.job_name, "posted_at": history.posted_at}


def difference(document: Mapping[str, Any], right: Document) -> Document:
    """Return the fields to set in ``document`` so that it equals ``right``."""
    return {
        name: value
        for name, value in right.items()
        if (name not in document and value is not None)
        or _comparable(name, document.get(name)) != _comparable(name, value)
    }


def _comparable(name: str, value: Any) -> Any:
    if name == "lock" and isinstance(value, Mapping):
        return {each: value.get(each) for each in ("czxid", "owner", "session", "at", "edition")}
    if isinstance(value, datetime):  # MongoDB truncates to milliseconds
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def is_still(known: JobHistory, job: Job) -> bool:
    """Return whether the known history of a job can be that of ``job`` as it is now."""
    return known.spent.state is job.state and known.spent.is_plausible


def past_of(
    database: Database[Document],
    path: str,
    incarnation: int,
    job: Job,
    now: datetime,
    session: ClientSession,
) -> JobHistory:
    """Return the history of a job, from the log of changes.

    If the job is in another state than the log says, how it got there is unknown.
    """
    of_job: Document = {"board": path, "job": identity(path, incarnation, job)}
    of_job["kind"] = {"$ne": Kind.EDITED.value}  # an edit changes no state
    log = list(database.changes.find(of_job, session=session).sort("revision", 1))
    # ZooKeeper's clock may be ahead, and nothing is posted after it was seen.
    posted_at = log[-1]["posted_at"] if log else min(job.made_at, job.seen_at)
    claims = sum(change["kind"] == Kind.CLAIMED for change in log)
    if log and log[-1]["state"] == job.state.value:
        last = log[-1]
        since = moment_of(last)
        claimed_at = since if job.state is JobState.CLAIMED else None
        spent = Durations(job.state, since, last["waiting"], last["running"], claims, claimed_at)
        if spent.is_plausible:
            return JobHistory(job.job_name, posted_at, spent)
    if job.lock:
        return JobHistory(
            job.job_name, posted_at, Durations.unknown(job.state, job.lock.at or job.seen_at)
        )
    return JobHistory(
        job.job_name, posted_at, Durations.unknown(job.state, now if log else posted_at)
    )
