"""``GET /v2/series``: job counts, rates and times per board over time, in equal steps, for charts.

Promises: steps begin at multiples of their length since 1970 (UTC), so a step that is over has the
same numbers in every answer. A step in which nobody watched the board has nulls. ``gaps`` has what
was not seen one by one; their number is bounded.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import Field

from canary.model.filters import Filters
from canary.model.quantiles import quantile
from canary.server import representation
from canary.server.representation import JSON, iso, seconds
from canary.server.v2.answers import JOBBOARDS, answered, by_pages, listed, names_of
from canary.server.v2.boards import WINDOW, asked_boards
from canary.server.v2.edit_schemas import Answer
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Gap, Page
from canary.server.v2.values import Seconds, Whole
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.paging import Place, Sort
from canary.stores.queries.series import Bucket, Course, Scale, Series

DEFAULT_STEPS: Final = 60
MAX_STEPS: Final = 600
SHORTEST_STEP: Final = 100  # milliseconds
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class SeriesQuery(ListQuery):
    """The boards that ``/v2/boards`` would list, step by step over the window."""

    window: Seconds | None = Field(None, description=WINDOW)
    steps: Whole = Field(
        DEFAULT_STEPS, ge=1, le=MAX_STEPS, description=f"the number of steps, 1 to {MAX_STEPS}"
    )
    sort: Literal["path"] = sorting("path")


class SeriesOfBoard(Answer):
    """Counts and times of a board, step by step. A step that was not watched has nulls."""

    path: str
    start: datetime = Field(
        description="when the first step begins: a multiple of `step` since 1970"
    )
    step: float = Field(description="the length of each step, in seconds")
    until: datetime = Field(
        description="the end of the data: a moment in the last step, which is not over yet"
    )
    posted: list[int | None]
    claimed: list[int | None]
    ended: list[int | None]
    jobs_unclaimed: list[int | None] = Field(
        description="unclaimed jobs at the end of each step; for the last step, at `until`"
    )
    jobs_claimed: list[int | None]
    waiting_p50: list[float | None] = Field(
        description="total time unclaimed in seconds, counted at each claim"
    )
    waiting_p95: list[float | None]
    running_p50: list[float | None] = Field(
        description="total time claimed in seconds, counted at each end"
    )
    running_p95: list[float | None]
    gaps: list[Gap] = Field(
        description="gaps with the same reason within one step are merged; `/v2/gaps` lists each"
    )


class SeriesPage(Page):
    """A page of series."""

    series: list[SeriesOfBoard]
    next: str | None


@dataclass(frozen=True, slots=True)
class SeriesList:
    """The list of series, which are counted for one page of boards at a time."""

    queries: Queries
    series: Series
    window: timedelta
    steps: int
    names: list[str]

    def page(
        self, filters: Filters, moment: datetime, _: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows that follow ``after``, each with its place."""
        behind = "" if after is None else after.identity
        boards = asked_boards(self.queries, filters, moment)
        boards = [board for board in boards if board.path > behind][:limit]
        scale = scale_at(moment, self.window, self.steps)
        courses = self.series.courses([board.path for board in boards], scale, moment)
        return [
            (Place(board.path, board.path), _row(board, courses[board.path], scale, moment))
            for board in boards
        ]

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        return by_pages(self, filters, moment, sort, limit)


def scale_at(moment: datetime, window: timedelta, steps: int) -> Scale:
    """Return the scale of ``steps`` steps; ``moment`` lies in the last of them.

    The length of a step is the window divided by ``steps``, rounded up to milliseconds, which is
    the precision of MongoDB's times.
    """
    step = max(math.ceil(window / _MILLISECOND / steps), SHORTEST_STEP) * _MILLISECOND
    last = _EPOCH + (moment - _EPOCH) // step * step
    return Scale(last - step * (steps - 1), step, steps)


def _row(board: BoardNow, course: Course, scale: Scale, moment: datetime) -> JSON:
    known = [
        board.watched_since is not None
        and board.live_until is not None
        and scale.start + scale.step * number >= board.watched_since
        and scale.start + scale.step * number < board.live_until
        for number in range(scale.count)
    ]

    def column(of: Callable[[Bucket], Any]) -> list[Any]:
        return [
            of(step) if is_known else None
            for step, is_known in zip(course.steps, known, strict=True)
        ]

    def times(name: str, part: float) -> list[Any]:
        return column(lambda step: seconds(quantile(getattr(step, name), part)))

    return {
        "path": board.path,
        "start": iso(scale.start),
        "step": scale.step.total_seconds(),
        "until": iso(moment),
        "posted": column(lambda step: step.posted),
        "claimed": column(lambda step: step.claimed),
        "ended": column(lambda step: step.ended),
        "jobs_unclaimed": column(lambda step: step.unclaimed_then),
        "jobs_claimed": column(lambda step: step.claimed_then),
        "waiting_p50": times("waiting", 0.5),
        "waiting_p95": times("waiting", 0.95),
        "running_p50": times("running", 0.5),
        "running_p95": times("running", 0.95),
        "gaps": [representation.gap(gap) for gap in course.gaps],
    }


def blueprint(queries: Queries, interval: int) -> APIBlueprint:
    """Return the blueprint; ``interval`` is the default window in seconds."""
    made = APIBlueprint("v2_series", __name__, abp_tags=[JOBBOARDS])

    @made.get("/v2/series", responses=answered(SeriesPage))
    def answer(query: SeriesQuery) -> Response:
        """List job counts, rates and times of each board, step by step, up to now."""
        window = timedelta(seconds=interval if query.window is None else query.window)
        names = names_of(SeriesOfBoard)
        return listed(
            "series", query, SeriesList(queries, queries.series, window, query.steps, names)
        )

    return made
