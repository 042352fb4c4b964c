"""``GET /v2/jobs`` and ``GET /v2/jobs/{uuid}``: jobs on boards, and those that ended lately."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import Field

from canary.clock import now
from canary.server import representation
from canary.server.problems import NotFound
from canary.server.representation import JSON, iso, optional_iso, seconds
from canary.server.v2.answers import JOBBOARDS, Source, answered, listed
from canary.server.v2.query import Asked, ListQuery, sorting
from canary.server.v2.schemas import Job, JobAnswer, Jobs
from canary.server.v2.values import BoardPath, Text
from canary.stores.lists import JOBS, Lists


class JobsQuery(ListQuery):
    """A list of jobs."""

    sorted_by: ClassVar[dict[str, str]] = {"name": "job_name", "path": "board"}
    sort: Literal[
        "-posted_at", "posted_at", "-since", "since", "-ended_at", "ended_at", "name", "-name",
        "path", "-path", "owner", "-owner", "state", "-state", "uuid", "-uuid",
    ] = sorting("-posted_at", "since", "ended_at", "name", "path", "owner", "state",
                "uuid")  # fmt: skip


class JobPath(Asked):
    """Which job."""

    uuid: Text = Field(description="the job's uuid; with path, the name of its znode will do")


class JobQuery(Asked):
    """Which of several jobs with the same uuid."""

    path: BoardPath | None = Field(None, description="a board's path, such as /taskflow/jobs")


def blueprint(found: Lists) -> APIBlueprint:
    """Return the blueprint."""
    jobs = APIBlueprint("v2_jobs", __name__, abp_tags=[JOBBOARDS])

    @jobs.get("/v2/jobs", responses=answered(Jobs))
    def answer(query: JobsQuery) -> Response:
        """List jobs: those on boards, and those that ended within their time to live."""
        return listed("jobs", query, Source(found, JOBS, row, Job))

    @jobs.get("/v2/jobs/<path:uuid>", responses=answered(JobAnswer, 404))
    def one(path: JobPath, query: JobQuery) -> JSON:
        """Tell one job with its payload and all that happened to it.

        Where several jobs have the uuid it is the one posted last, and the others are named.
        """
        same = found.jobs_of(path.uuid, query.path)
        if not same:
            raise NotFound(
                f"No job with the uuid {path.uuid[:100]!a} is on a board or has ended lately. "
                "Ended ones are kept for [mongo] ended_job_ttl; /v2/jobs?q= finds others by a text."
            )
        job, *others = same
        return {
            "job": in_full(job, now()),
            "changes": [representation.change(change) for change in found.timeline(job)],
            "others": [_other(other) for other in others],
        }

    return jobs


def row(document: Mapping[str, Any], moment: datetime) -> JSON:
    """Return a document of ``jobs`` as one of ``/v2/jobs``, at ``moment``."""
    payload = document["payload"] or {}
    return {
        "uuid": document["uuid"],
        "name": document["job_name"],
        "path": document["board"],
        "znode": document["name"],
        "state": document["state"],
        "outcome": document["outcome"],
        "owner": document["owner"],
        "posted_at": iso(document["posted_at"]),
        "since": iso(document["since"]),
        "claimed_at": optional_iso(document["claimed_at"]),
        "ended_at": optional_iso(document["ended_at"]),
        "age": passed(document["posted_at"], moment),
        "waiting": _spent(document["waiting_from"], document["waited"], moment),
        "running": _spent(document["running_from"], document["ran"], moment),
        "claims": document["claims"],
        "malformed": payload.get("malformed"),
        "revision": int(document["revision"]),
    }


def in_full(document: Mapping[str, Any], moment: datetime) -> JSON:
    """Return the same with what the payload holds."""
    payload = document["payload"] or {}
    posted = representation.posting(payload)
    book = posted.get("book")
    return {
        **row(document, moment),
        "priority": representation.as_text(posted.get("priority")),
        "details": representation.as_object(posted.get("details")),
        "book": book if isinstance(book, dict) else None,
        "excerpt": payload.get("excerpt"),
        "size": payload.get("size"),
        "sha256": payload.get("sha256"),
        "truncated": payload.get("truncated", False),
    }


def passed(since: datetime, moment: datetime) -> float:
    """Return how many seconds lie between, never less than none: clocks may disagree."""
    return max(0.0, round((moment - since).total_seconds(), 3))


def _spent(counting_from: datetime | None, summed: float | None, moment: datetime) -> float | None:
    """Return the sum up to now: never less than up to the last move, which may lie ahead."""
    if counting_from is None or summed is None:
        return seconds(summed)
    return max(round(summed, 3), passed(counting_from, moment))


def _other(document: Mapping[str, Any]) -> JSON:
    return {
        "path": document["board"],
        "znode": document["name"],
        "state": document["state"],
        "posted_at": iso(document["posted_at"]),
    }
