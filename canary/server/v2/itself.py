"""``GET /v2/canary``: Canary itself: its version, its own board, and its workers."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from canary.server.representation import JSON, iso, optional_iso
from canary.server.v2.answers import answered
from canary.server.v2.schemas import Answer
from canary.stores.boards import BEAT_LIMIT
from canary.stores.reading import Reading

ITSELF = Tag(name="canary", description="the monitor itself")


class Checkpoints(Answer):
    """What a worker says of the checkpoints of the boards that it watches."""

    written: int
    failed: int
    interval: float
    oldest: datetime | None = Field(description="of all boards' last ones the oldest")


class Worker(Answer):
    """A canary-worker, by its heartbeat."""

    name: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime = Field(description="its last heartbeat")
    alive: bool
    boards: int = Field(description="how many registered boards it watches")
    behind: int = Field(description="of how many something waits to be stored")
    until: datetime | None = Field(description="up to when all else is stored")
    reconciled: int = Field(description="how many boards it has compared with ZooKeeper")
    drift: int = Field(description="how many differences it found")
    checkpoints: Checkpoints | None = Field(description="null without Cassandra")


class Itself(Answer):
    """Canary itself."""

    version: str
    jobboard: str = Field(description="the path of its own board")
    interval: int = Field(description="the window of a request that does not say, seconds")
    workers: list[Worker]


def blueprint(reading: Reading, jobboard: str, interval: int) -> APIBlueprint:
    """Return the blueprint."""
    itself = APIBlueprint("v2_canary", __name__, abp_tags=[ITSELF])
    of = version("canary-monitor")

    @itself.get("/v2/canary", responses=answered(Itself))
    def answer() -> JSON:
        """Tell of Canary: every worker whose heartbeat is kept, alive or not."""
        workers = [_worker(document) for document in reading.workers()]
        return {"version": of, "jobboard": jobboard, "interval": interval, "workers": workers}

    return itself


def _worker(document: Mapping[str, Any]) -> JSON:
    checkpoints = document.get("checkpoints")
    return {
        "name": document["_id"],
        "host": document["host"],
        "pid": document["pid"],
        "started_at": iso(document["started_at"]),
        "seen_at": iso(document["beat"]),
        "alive": document["age"] < BEAT_LIMIT.total_seconds() * 1000,
        "boards": document["boards"],
        "behind": len(document["behind"]),
        "until": optional_iso(document["until"]),
        "reconciled": document["reconciled"],
        "drift": document["drift"],
        "checkpoints": checkpoints
        and {**checkpoints, "oldest": optional_iso(checkpoints["oldest"])},
    }
