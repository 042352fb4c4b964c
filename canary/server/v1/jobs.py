"""``GET /v1.0/jobs``: a board's jobs, now or at a past moment, in one answer that is never paged.

Promises: the answer is whole or an error. It is written to a spool first, which goes to a file
where it grows large, so that neither MongoDB waits for a slow client nor memory holds every job.
MongoDB is read for ``READ_LIMIT`` seconds at most.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Final

from flask import Blueprint, Response, request

from canary.errors import StoreUnavailable
from canary.model.freshness import Freshness
from canary.server import parameters, representation
from canary.server.registration import Registry, check_registered
from canary.stores.reading import BoardJobs, Reading

SPOOL_MEMORY: Final = 8 * 2**20  # bytes of one answer held in memory: some 10,000 jobs
CHUNK: Final = 64 * 2**10  # bytes sent at a time
READ_LIMIT: Final = 60.0  # seconds, after which a proxy would no longer wait for the answer


def blueprint(reading: Reading, registry: Registry, interval: int) -> Blueprint:
    """Return the blueprint; ``interval`` is that of a request that does not say."""
    jobs = Blueprint("jobs", __name__)

    @jobs.get("/v1.0/jobs")
    def answer() -> Response:
        path = parameters.path(request.args)
        seconds = parameters.interval(request.args, interval)
        at = parameters.at(request.args)
        spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 -- sent later
        try:
            with reading.jobs(path, seconds, at) as found:
                check_registered(path, found.board if found else None, registry)
                count = _write(spool, path, found) if found else 0
                head = _head(path, count, seconds, at, found)
        except BaseException:
            spool.close()
            raise
        return _response(head, spool)

    return jobs


def _write(spool: IO[bytes], path: str, found: BoardJobs) -> int:
    """Write all jobs, separated by commas; return how many they are."""
    count, begun = 0, time.monotonic()
    for job in found.jobs:
        if time.monotonic() - begun > READ_LIMIT:
            raise StoreUnavailable(
                f"MongoDB could not tell all jobs within {READ_LIMIT:g} s; ask for a shorter "
                "interval, or page by page from /v2/jobs"
            )
        spool.write(b"," if count else b"")
        spool.write(json.dumps(representation.job(path, job)).encode())
        count += 1
    return count


def _head(
    path: str, count: int, interval: timedelta, at: datetime | None, found: BoardJobs | None
) -> bytes:
    """Return the answer up to and with the bracket that opens the list of jobs."""
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
