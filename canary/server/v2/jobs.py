"""``/v2/jobs``, ``/v2/jobs/{uuid}`` and ``/v2/job``: jobs on boards, and jobs that ended lately."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, BeforeValidator, Field

from canary.clock import now
from canary.errors import UsageError
from canary.model.jobs import JobState
from canary.server import representation
from canary.server.problems import NotFound
from canary.server.representation import JSON, iso, optional_iso, seconds
from canary.server.rows import told
from canary.server.v2.answers import JOBBOARDS, Source, answered, listed
from canary.server.v2.query import Asked, ListQuery, sorting
from canary.server.v2.schemas import Job, JobAnswer, Jobs
from canary.server.v2.values import BoardPath, Moment, Text
from canary.stores.mongo.shapes import fitting
from canary.stores.queries.lists import CHANGES, JOBS, STORY, Lists
from canary.values import whole

MAX_REVISION: Final = 10**15 - 1  # the most digits that a JSON number always holds exactly
MAX_STORY: Final = 10_000  # changes of one job in one answer: about 5 MB


class JobsQuery(ListQuery):
    """A list of jobs."""

    row: ClassVar[type[BaseModel]] = Job
    sorted_by: ClassVar[dict[str, str]] = {"name": "job_name", "path": "board"}
    sort: Literal[
        "-posted_at", "posted_at", "-since", "since", "-ended_at", "ended_at", "name", "-name",
        "path", "-path", "owner", "-owner", "state", "-state", "uuid", "-uuid",
        "claims", "-claims",
    ] = sorting("-posted_at", "since", "ended_at", "name", "path", "owner", "state",
                "uuid", "claims")  # fmt: skip


class JobPath(Asked):
    """The uuid in the path of a request for one job."""

    uuid: Text = Field(description="the job's uuid; with path, the name of its znode works as well")


class JobQuery(Asked):
    """Which of several jobs with the same uuid, and which of its changes."""

    path: BoardPath | None = Field(None, description="a board's path, such as /taskflow/jobs")
    posted_at: Moment | None = Field(
        None,
        description="when the job was posted, as in `others`: a board that was deleted and created "
        "again reuses the names of its znodes",
    )
    limit: Annotated[int, Field(ge=1, le=MAX_STORY), BeforeValidator(whole)] = Field(
        STORY,
        description=f"a whole number from 1 to {MAX_STORY}: how many changes at most, by default "
        f"{STORY}",
    )
    after: Annotated[int, Field(ge=0, le=MAX_REVISION), BeforeValidator(whole)] | None = Field(
        None, description="a revision, as in `left_out` of another answer: only changes after it"
    )


class OneJobQuery(JobQuery):
    """Which job, by ``uuid`` or by ``path`` and ``znode``.

    Any name works in a query, because proxies do not change it.
    """

    uuid: Text | None = Field(
        None, description="the job's uuid; with path, the name of its znode works as well"
    )
    znode: Text | None = Field(None, description="with path, the exact name of the job's znode")


def blueprint(found: Lists) -> APIBlueprint:
    """Return the blueprint."""
    jobs = APIBlueprint("v2_jobs", __name__, abp_tags=[JOBBOARDS])

    @jobs.get("/v2/jobs", responses=answered(Jobs))
    def answer(query: JobsQuery) -> Response:
        """List the jobs on boards, and ended jobs that are still kept."""
        return listed("jobs", query, Source(found, JOBS, row, Job))

    # A uuid may have two slashes in a row.
    @jobs.get("/v2/jobs/<whatever:uuid>", responses=answered(JobAnswer, 404), merge_slashes=False)
    def one(path: JobPath, query: JobQuery) -> JSON:
        """Return one job with its payload and its changes.

        If several jobs match, this is the one that was posted last, and `others` names the rest.
        """
        return _story(found, query, path.uuid)

    @jobs.get("/v2/job", responses=answered(JobAnswer, 404))
    def this_one(query: OneJobQuery) -> JSON:
        """Return one job as /v2/jobs/{uuid} does, by its uuid or by its board and znode.

        Use it for uuids with slashes, dots or a question mark, which some proxies change in paths.
        """
        if (query.uuid is None) == (query.znode is None):
            raise UsageError("Which job? Give either uuid, or path and znode, not both.")
        if query.znode is not None and query.path is None:
            raise UsageError("path is missing: the name of a znode is unique on one board only.")
        return _story(found, query, query.uuid, query.znode)

    return jobs


def _story(found: Lists, query: JobQuery, uuid: str | None, znode: str | None = None) -> JSON:
    same = found.jobs_of(uuid, query.path, znode)
    meant = same
    if query.posted_at is not None:
        meant = found.jobs_of(uuid, query.path, znode, query.posted_at)
    if not meant:
        what = f"uuid {(uuid or '')[:100]!a}" if znode is None else f"znode {znode[:100]!a}"
        if query.posted_at is not None:
            what += f" that was posted at {iso(query.posted_at)}"
        raise NotFound(
            f"No job with the {what} was found. Ended jobs are kept for [mongo] ended_job_ttl. "
            "To search by text, use /v2/jobs?q="
        )
    job = meant[0]
    others = [other for other in same if other["_id"] != job["_id"]]
    moment = now()
    story = found.story(job, query.limit, query.after)
    return {
        "job": told(lambda each: in_full(each, moment), job, JOBS.shape),
        "changes": [told(representation.change, change, CHANGES.shape) for change in story.changes],
        "truncated": story.left > 0,
        "left_out": {"changes": story.left, "after": story.after} if story.left else None,
        "others": [told(_other, other, JOBS.shape) for other in others],
    }


def row(document: Mapping[str, Any], moment: datetime) -> JSON:
    """Return the row of ``/v2/jobs`` for a document of ``jobs``; durations count to ``moment``."""
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
        "in_trash": document["in_trash"] if document["state"] == JobState.CLAIMED else None,
        "malformed": representation.as_text(payload.get("malformed")),
        "truncated": payload.get("truncated") is True,
        "revision": int(document["revision"]),
    }


def in_full(document: Mapping[str, Any], moment: datetime) -> JSON:
    """Return the row of a job with the fields of its payload."""
    payload = document["payload"] or {}
    posted = representation.posting(payload)
    book = posted.get("book")
    return {
        **row(document, moment),
        "priority": representation.as_text(posted.get("priority")),
        "details": representation.as_object(posted.get("details")),
        "book": book if isinstance(book, dict) else None,
        "excerpt": representation.as_text(payload.get("excerpt")),
        "size": fitting(payload.get("size"), int),
        "sha256": representation.as_text(payload.get("sha256")),
        "cuts": representation.cuts(payload),
        "cut_count": representation.as_number(payload.get("cut_count")),
    }


def passed(since: datetime, moment: datetime) -> float:
    """Return the seconds from ``since`` to ``moment``; at least 0, because clocks may disagree."""
    return max(0.0, round((moment - since).total_seconds(), 3))


def _spent(counting_from: datetime | None, summed: float | None, moment: datetime) -> float | None:
    """Return the seconds up to ``moment``, but at least ``summed``.

    ``summed`` counts up to the last change, which may be later than ``moment``.
    """
    if counting_from is None or summed is None:
        return seconds(summed)
    return max(round(summed, 3), passed(counting_from, moment))


def _other(document: Mapping[str, Any]) -> JSON:
    return {
        "uuid": document["uuid"],
        "path": document["board"],
        "znode": document["name"],
        "state": document["state"],
        "posted_at": iso(document["posted_at"]),
    }
