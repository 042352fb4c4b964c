"""Pydantic models of the answers of ``/v2``, for ``/openapi.json``.

The answers themselves are made in ``canary.server.representation``, without these models. A test
checks that both agree. Times are ISO 8601 in UTC; durations are in seconds.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from canary.server.v2.conductor_schemas import Conductor, FreshnessName
from canary.server.v2.edit_schemas import Answer, Edit
from canary.server.v2.payload_schemas import Cut
from canary.server.v2.query import KindName, OutcomeName, State

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


class PerMinute(Answer):
    """How often something happened, per minute of the part of the window that was watched.

    For statistics by name or by owner, the board that has been watched longest decides.
    """

    posted: float
    claimed: float
    ended: float


class Account(Answer):
    """Creates and deletes of a board's children within the window that were not seen one by one."""

    unseen_creates: int = Field(description="creates of children that were only counted")
    unseen_deletes: int = Field(description="deletes of children that were only counted")
    complete: bool = Field(
        description="whether the board was watched for the whole window and nothing is unseen"
    )


class Board(Answer):
    """A watched board."""

    path: str
    registered: bool
    freshness: FreshnessName
    freshness_since: datetime | None
    watcher: str | None = Field(description="the worker that watches it")
    epoch: int | None = Field(description="the czxid of the watch job's lock")
    revision: int = Field(description="how many changes of the board have been recorded so far")
    watched_since: datetime | None
    live_until: datetime | None = Field(
        description="everything that happened up to this moment is known"
    )
    drift: int = Field(description="how many differences from ZooKeeper have been found so far")
    clock_offset: float | None = Field(
        description="how many seconds ZooKeeper's clock is ahead of MongoDB's, negative if it is"
        " behind; null if not known yet"
    )
    clock_off: bool = Field(
        description="whether the clocks differ by more than 3 s: times then count by MongoDB's"
        " clock alone"
    )
    unclaimed: int
    claimed: int
    ended: int = Field(description="jobs that ended within the window")
    oldest_unclaimed: float | None = Field(
        description="how many seconds the longest-waiting unclaimed job has waited"
    )
    trash_collisions: int = Field(
        description="claimed jobs that TaskFlow can't trash, because a job with the same number"
        " but another uuid is in the trash"
    )
    oldest_claimed: float | None = Field(description="how many seconds the oldest claim has lasted")
    per_minute: PerMinute
    account: Account


class Job(Answer):
    """A job, in a list."""

    uuid: str | None = Field(description="null if it could not be read")
    name: str | None
    path: str = Field(description="the board's path")
    znode: str = Field(description="the name of the job's znode below the board")
    state: State
    outcome: OutcomeName | None
    owner: str | None = Field(description="who claims the job, or claimed it when it ended")
    posted_at: datetime
    since: datetime = Field(description="when the job entered its state")
    claimed_at: datetime | None
    ended_at: datetime | None
    age: float = Field(description="seconds since the job was posted")
    waiting: float | None = Field(description="total seconds unclaimed; null if unknown")
    running: float | None = Field(
        description="total seconds claimed; null if never claimed or unknown"
    )
    claims: int = Field(description="how many claims of the job were seen")
    in_trash: str | None = Field(
        description="if the job is claimed: the uuid of a job with the same number in the trash"
    )
    malformed: str | None = Field(
        description="why TaskFlow or Canary cannot read the payload; null if both can read it"
    )
    truncated: bool = Field(description="whether the payload was cut")
    revision: int = Field(description="the board's revision at the job's last change")


class JobInFull(Job):
    """A job with its payload, masked and bounded."""

    priority: str | None
    details: dict[str, Any]
    book: dict[str, Any] | None
    excerpt: str | None = Field(description="the first bytes of a malformed payload, escaped")
    size: int | None = Field(description="bytes of the payload, before Canary masked or cut it")
    sha256: str | None
    cuts: list[Cut] = Field(description="where the payload was cut: the first 20 places")
    cut_count: int = Field(description="in how many places the payload was cut")


class Change(Answer):
    """One thing that happened on a board."""

    path: str
    revision: int
    kind: KindName
    state: State | None = Field(
        description="the job's state after the change; null if it is not a job"
    )
    state_before: State | None = Field(
        description="the job's state before the change; null if there was no job"
    )
    uuid: str | None
    name: str = Field(description="the name of the znode")
    job_name: str | None
    owner: str | None
    session: str | None = Field(
        description="the ZooKeeper session of the claim that the change is about"
    )
    outcome: OutcomeName | None
    at: datetime | None = Field(
        description="when it happened by ZooKeeper's clock; null if no znode records it"
    )
    seen_at: datetime
    moment: datetime = Field(
        description="when it happened by Canary's clock: `at`, corrected if ZooKeeper's clock is"
        " off, or `seen_at` if there is no `at`. Durations are computed from it"
    )
    posted_at: datetime | None
    waiting: float | None = Field(description="seconds that the job had waited by then")
    running: float | None = Field(description="seconds that the job had run by then")
    creates: int = Field(
        description="how many creates of the board's children this change explains"
    )
    deletes: int
    edit: Edit | None = Field(description="what was edited; null for all other kinds")


class Other(Answer):
    """Another job with the uuid, or with the name of a znode, that the request names."""

    uuid: str | None
    path: str
    znode: str
    state: State
    posted_at: datetime


class LeftOut(Answer):
    """Changes of a job that the answer leaves out. A request with `after` returns them."""

    changes: int = Field(description="how many are left out")
    after: int = Field(description="the revision that they follow")


class JobAnswer(Answer):
    """One job and what happened to it."""

    job: JobInFull
    changes: list[Change] = Field(
        description="in order: all of them, or the first and the last ones, or those after `after`"
    )
    truncated: bool = Field(description="whether changes are left out")
    left_out: LeftOut | None
    others: list[Other]


class Gap(Answer):
    """An interval in which changes were not seen one by one, or only found afterwards."""

    path: str
    from_: datetime = Field(alias="from")
    to: datetime
    reason: ReasonName
    creates: int | None = Field(description="unseen creates; null if unknown, 0 if all were found")
    deletes: int | None


class Quantiles(Answer):
    """Quantiles in seconds, within 1 % of the exact ones; null if nothing was counted."""

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
    waiting: Quantiles = Field(description="total time unclaimed, counted at each claim")
    running: Quantiles = Field(description="total time claimed, counted at each end")
    backlog: int = Field(description="jobs that are unclaimed now")
    oldest_unclaimed: float | None


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Page(Answer):
    """A page of a list, or all of the list as CSV or JSON lines."""

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
