"""The answers of ``/v2`` as ``/openapi.json`` describes them.

What is answered is made in ``canary.server.representation``, without these: a test holds that both
agree. Times are ISO 8601 in UTC, durations seconds.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from canary.server.v2.query import KindName, OutcomeName, State

FreshnessName = Literal["live", "catching_up", "suspended", "missing", "denied", "unwatched"]
ReasonName = Literal[
    "coalesced",
    "late",
    "suspended",
    "handover",
    "unregistered",
    "restart",
    "overflow",
    "denied",
    "board_deleted",
    "drift",
    "era",
]


class Answer(BaseModel):
    """Exactly these names, each always there."""

    model_config = ConfigDict(extra="forbid")


class PerMinute(Answer):
    """How often something happened, per minute of the window that was watched.

    Statistics of a name or an owner go by the board that is watched longest.
    """

    posted: float
    claimed: float
    ended: float


class Account(Answer):
    """What is known of a board's changes, over the window."""

    unseen_creates: int = Field(description="creates of children that were only counted")
    unseen_deletes: int = Field(description="deletes of children that were only counted")
    complete: bool = Field(description="whether all of the window was watched and nothing unseen")


class Board(Answer):
    """A watched board."""

    path: str
    registered: bool
    freshness: FreshnessName
    freshness_since: datetime | None
    watcher: str | None = Field(description="the worker that watches it")
    epoch: int | None = Field(description="the czxid of the watch job's lock")
    revision: int = Field(description="how many changes were ever told of it")
    watched_since: datetime | None
    live_until: datetime | None = Field(description="up to when all that happened is known")
    drift: int = Field(description="how many differences from ZooKeeper were ever found")
    unclaimed: int
    claimed: int
    ended: int = Field(description="jobs that ended within the window")
    oldest_unclaimed: float | None = Field(description="the longest that a job waits now, seconds")
    per_minute: PerMinute
    account: Account


class Job(Answer):
    """A job, in a list."""

    uuid: str | None = Field(description="null where it could not be read")
    name: str | None
    path: str = Field(description="the board's path")
    znode: str = Field(description="the name of the job's znode below it")
    state: State
    outcome: OutcomeName | None
    owner: str | None = Field(description="who claims it, or did at its end")
    posted_at: datetime
    since: datetime = Field(description="when its state began")
    claimed_at: datetime | None
    ended_at: datetime | None
    age: float = Field(description="seconds since it was posted")
    waiting: float | None = Field(description="seconds unclaimed, summed up; null if unknown")
    running: float | None = Field(description="seconds claimed, summed up; null if never")
    claims: int = Field(description="how many claims of it were seen")
    malformed: str | None = Field(description="why no conductor can take it")
    revision: int = Field(description="the board's when it changed last")


class JobInFull(Job):
    """A job with what its payload holds, masked and bounded."""

    priority: str | None
    details: dict[str, Any]
    book: dict[str, Any] | None
    excerpt: str | None = Field(description="the first bytes of a malformed payload, escaped")
    size: int | None = Field(description="bytes of the payload as it was")
    sha256: str | None
    truncated: bool


class Change(Answer):
    """One thing that happened on a board."""

    path: str
    revision: int
    kind: KindName
    state: State | None = Field(description="of the job, with this change; null if it is no job")
    state_before: State | None = Field(description="of the job, before it; null if it was none")
    uuid: str | None
    name: str = Field(description="the znode's")
    job_name: str | None
    owner: str | None
    session: str | None = Field(description="the ZooKeeper session of the claim that it is about")
    outcome: OutcomeName | None
    at: datetime | None = Field(description="ZooKeeper's time of it, where it tells one")
    seen_at: datetime
    posted_at: datetime | None
    waiting: float | None = Field(description="seconds the job had waited by then")
    running: float | None = Field(description="seconds the job had run by then")
    creates: int = Field(description="how many creates of the board's children it explains")
    deletes: int


class Other(Answer):
    """Another job with the same uuid."""

    path: str
    znode: str
    state: State
    posted_at: datetime


class JobAnswer(Answer):
    """One job and all that happened to it."""

    job: JobInFull
    changes: list[Change]
    others: list[Other]


class Gap(Answer):
    """An interval in which changes were not seen one by one, or only found afterwards."""

    path: str
    from_: datetime = Field(alias="from")
    to: datetime
    reason: ReasonName
    creates: int | None = Field(description="unseen ones; null: unknown, 0: all was found")
    deletes: int | None


class Held(Answer):
    """A job that a conductor holds."""

    uuid: str | None
    name: str | None
    znode: str
    claimed_at: datetime | None


class Conductor(Answer):
    """A conductor of a board, or a claim that no registered conductor has."""

    name: str | None = Field(description="as it registered; null if it did not")
    owner: str | None = Field(description="the name in its claims")
    path: str
    host: str | None
    pid: int | None
    session: str | None = Field(description="its ZooKeeper session")
    alive: bool = Field(description="whether a conductor is registered with that session")
    since: datetime | None
    seen_at: datetime | None
    freshness: FreshnessName = Field(description="the board's")
    holds: list[Held]


class Quantiles(Answer):
    """Seconds below which so many per cent lie, within 1 %; null where there are none."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


class Stats(Answer):
    """What happened within the window to the jobs of one board, name or owner."""

    group: str | None = Field(description="the board's path, the job's name or the owner")
    posted: int
    claimed: int
    ended: int
    per_minute: PerMinute
    waiting: Quantiles = Field(description="by the time of each claim, unclaimed time summed up")
    running: Quantiles = Field(description="by the time of each end, claimed time summed up")
    backlog: int = Field(description="jobs that are unclaimed now")
    oldest_unclaimed: float | None


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Page(Answer):
    """A page of a list; the whole of it as CSV or JSON lines."""

    model_config = ConfigDict(
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            }
        },
    )


class Boards(Page):
    """A page of boards."""

    boards: list[Board]
    next: str | None


class Jobs(Page):
    """A page of jobs."""

    jobs: list[Job]
    next: str | None


class Changes(Page):
    """A page of changes."""

    changes: list[Change]
    next: str | None


class Gaps(Page):
    """A page of gaps."""

    gaps: list[Gap]
    next: str | None


class Conductors(Page):
    """A page of conductors."""

    conductors: list[Conductor]
    next: str | None


class StatsPage(Page):
    """A page of statistics."""

    stats: list[Stats]
    next: str | None
