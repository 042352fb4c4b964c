"""``GET /v1.0/jobs``: a board's jobs, now or at a past moment, in one answer that is never paged.

Promises: the answer is complete, or an error. It is first written to a spool, which becomes a file
if it grows large. So MongoDB does not wait for a slow client, and memory does not hold all jobs.
MongoDB is read for at most ``READ_LIMIT`` seconds.
"""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Final

from flask import Blueprint, Response, request

from canary.clock import CLOCK, Clock
from canary.errors import StoreUnavailable
from canary.model.freshness import Freshness
from canary.server import representation
from canary.server.v1 import parameters
from canary.server.v1.registration import Registry, check_registered
from canary.stores.queries.jobs_at import BoardJobs, Queries

SPOOL_MEMORY: Final = 8 * 2**20  # bytes of one answer held in memory: about 10,000 jobs
CHUNK: Final = 64 * 2**10  # bytes sent at a time
READ_LIMIT: Final = 60.0  # seconds, after which a proxy would no longer wait for the answer


def blueprint(queries: Queries, registry: Registry, interval: int) -> Blueprint:
    """Return the blueprint; ``interval`` is the default interval in seconds."""
    jobs = Blueprint("jobs", __name__)

    @jobs.get("/v1.0/jobs")
    def answer() -> Response:
        path = parameters.path(request.args)
        seconds = parameters.interval(request.args, interval)
        at = parameters.at(request.args)
        spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 -- sent later
        try:
            with queries.jobs(path, seconds, at) as found:
                check_registered(path, found.board if found else None, registry)
                count = _write(spool, path, found) if found else 0
                head = _head(path, count, seconds, at, found)
        except BaseException:
            spool.close()
            raise
        return _response(head, spool)

    return jobs


def _write(spool: IO[bytes], path: str, found: BoardJobs, clock: Clock = CLOCK) -> int:
    """Write all jobs, separated by commas; return the number of jobs.

    Raises StoreUnavailable if reading takes longer than ``READ_LIMIT``.
    """
    count, begun = 0, clock.elapsed()
    for job in found.jobs:
        if clock.elapsed() - begun > READ_LIMIT:
            raise StoreUnavailable(
                f"Reading all jobs from MongoDB took more than {READ_LIMIT:g} s; use a shorter "
                "interval, or read them page by page from /v2/jobs"
            )
        spool.write(b"," if count else b"")
        spool.write(json.dumps(representation.job(path, job)).encode())
        count += 1
    return count


def _head(
    path: str, count: int, interval: timedelta, at: datetime | None, found: BoardJobs | None
) -> bytes:
    """Return the beginning of the answer, including the bracket that opens the list of jobs."""
    moment = found.at if found else at or datetime.now(UTC)
    head = {
        "job_count": count,
        "path": path,
        "at": representation.iso(moment),
        "interval": int(interval.total_seconds()),
        "freshness": (found.freshness if found else Freshness.UNWATCHED).value,
        "freshness_since": representation.optional_iso(found.freshness_since if found else None),
        "complete": found.complete if found else False,
    }
    return b"[" + json.dumps(head).encode()[:-1] + b', "jobs": ['


def _response(head: bytes, spool: IO[bytes]) -> Response:
    tail = b"]}]\n"
    size = len(head) + spool.tell() + len(tail)
    spool.seek(0)

    def body() -> Iterator[bytes]:
        yield head
        while chunk := spool.read(CHUNK):
            yield chunk
        yield tail

    response = Response(body(), content_type="application/json")
    response.headers["Content-Length"] = str(size)
    response.call_on_close(spool.close)
    return response
