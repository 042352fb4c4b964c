"""``GET /v2/canary``: Canary's version, its own board and its workers."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from canary.server.representation import JSON, iso, optional_iso
from canary.server.v2.answers import answered
from canary.server.v2.edit_schemas import Answer
from canary.stores.mongo.shapes import NO_MOMENT, fitting
from canary.stores.queries.board_status import BEAT_LIMIT
from canary.stores.queries.jobs_at import Queries

ITSELF = Tag(name="canary", description="Canary itself")


class Checkpoints(Answer):
    """The checkpoints that a worker writes of the boards that it watches, by its heartbeat."""

    written: int
    failed: int
    interval: float
    oldest: datetime | None = Field(
        description="when the oldest of the boards' last checkpoints was written"
    )


class Worker(Answer):
    """A canary-worker, as its heartbeat describes it."""

    name: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime = Field(description="when its last heartbeat was received")
    alive: bool
    boards: int = Field(description="how many registered boards it watches")
    behind: int = Field(description="for how many boards changes wait to be read or stored")
    until: datetime | None = Field(
        description="everything that happened on its other boards up to this moment is stored"
    )
    reconciled: int = Field(description="how often it has reconciled a board with ZooKeeper")
    drift: int = Field(description="how many differences these comparisons found")
    checkpoints: Checkpoints | None = Field(description="null without Cassandra")


class Itself(Answer):
    """Canary itself."""

    version: str
    jobboard: str = Field(description="the path of Canary's own board")
    interval: int = Field(description="the default window, in seconds")
    workers: list[Worker]


def blueprint(queries: Queries, jobboard: str, interval: int) -> APIBlueprint:
    """Return the blueprint."""
    itself = APIBlueprint("v2_canary", __name__, abp_tags=[ITSELF])
    of = version("canary-monitor")

    @itself.get("/v2/canary", responses=answered(Itself))
    def answer() -> JSON:
        """Describe Canary itself, with every worker whose heartbeat is kept, alive or not."""
        workers = [_worker(document) for document in queries.workers()]
        return {"version": of, "jobboard": jobboard, "interval": interval, "workers": workers}

    return itself


def _worker(document: Mapping[str, Any]) -> JSON:
    def told(name: str, of: type, otherwise: Any = None) -> Any:
        return fitting(document.get(name), of, otherwise)

    age, beat = document.get("age"), told("beat", datetime, NO_MOMENT)
    checkpoints = told("checkpoints", dict)
    return {
        "name": str(document["_id"]),
        "host": told("host", str, ""),
        "pid": told("pid", int, 0),
        "started_at": iso(told("started_at", datetime, beat)),
        "seen_at": iso(beat),
        "alive": age is not None and age < BEAT_LIMIT.total_seconds() * 1000,
        "boards": document["boards"],
        "behind": len(told("behind", list, [])),
        "until": optional_iso(told("until", datetime)),
        "reconciled": told("reconciled", int, 0),
        "drift": told("drift", int, 0),
        "checkpoints": checkpoints and _checkpoints(checkpoints),
    }


def _checkpoints(told: Mapping[str, Any]) -> JSON:
    counts = {name: fitting(told.get(name), int, 0) for name in ("written", "failed")}
    counts["interval"] = fitting(told.get("interval"), (int, float), 0)
    return {**counts, "oldest": optional_iso(fitting(told.get("oldest"), datetime))}
