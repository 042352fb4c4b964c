"""``GET /v2/stats``: counts, rates and times of jobs, by board, by name or by owner."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from canary.model.filters import Filters
from canary.model.quantiles import quantile
from canary.server.representation import JSON, seconds
from canary.server.v2.answers import JOBBOARDS, answered, by_pages, listed, names_of
from canary.server.v2.boards import WINDOW, is_asked, per_minute, waits, watched
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Stats, StatsPage
from canary.server.v2.values import Seconds
from canary.stores.queries.counts import Tally
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.paging import Place, Sort


class StatsQuery(ListQuery):
    """Statistics of the jobs that the filters find."""

    row: ClassVar[type[BaseModel]] = Stats
    group: Literal["path", "name", "owner"] = Field(
        "path", description="path, name or owner: what to group jobs by"
    )
    window: Seconds | None = Field(None, description=WINDOW)
    sort: Literal["group"] = sorting("group")


@dataclass(frozen=True, slots=True)
class Groups:
    """A list of statistics, which are counted for one page of groups at a time."""

    queries: Queries
    by: str
    window: timedelta
    names: list[str]

    def page(
        self, filters: Filters, moment: datetime, _: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows that follow ``after``, each with its place."""
        since = moment - self.window
        behind = None if after is None else (None if after.value is None else str(after.value),)
        tallies = self.queries.tallies
        groups = tallies.groups(self.by, filters, moment, since, after=behind, limit=limit)
        told = tallies.tally(self.by, groups, filters, moment, since) if groups else {}
        watched_since = self._watched_since(filters)
        return [
            (
                Place(group, group or ""),
                self._row(group, told.get(group, Tally()), moment, watched_since(group)),
            )
            for group in groups
        ]

    def _watched_since(self, filters: Filters) -> Callable[[str | None], datetime | None]:
        """Return a function from a group to when the first of its possible boards was watched."""
        boards = self.queries.boards(with_own=True)
        known = {
            board.path: board.watched_since for board in boards if is_asked(board.path, filters)
        }
        if self.by == "path":
            return lambda group: known.get(group or "")
        first = min(filter(None, known.values()), default=None)
        return lambda _: first

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        return by_pages(self, filters, moment, sort, limit)

    def _row(
        self, group: str | None, tally: Tally, moment: datetime, watched_since: datetime | None
    ) -> JSON:
        return {
            "group": group,
            "posted": tally.posted,
            "claimed": tally.claimed,
            "ended": tally.ended,
            "per_minute": per_minute(tally, watched(watched_since, moment, self.window)),
            "waiting": _quantiles(tally.waiting),
            "running": _quantiles(tally.running),
            "backlog": tally.backlog,
            "oldest_unclaimed": waits(tally.waits_from, moment),
        }


def blueprint(queries: Queries, interval: int) -> APIBlueprint:
    """Return the blueprint; ``interval`` is the default window in seconds."""
    stats = APIBlueprint("v2_stats", __name__, abp_tags=[JOBBOARDS])

    @stats.get("/v2/stats", responses=answered(StatsPage))
    def answer(query: StatsQuery) -> Response:
        """Count what happened to jobs within the window, and the jobs that wait now."""
        window = timedelta(seconds=interval if query.window is None else query.window)
        return listed("stats", query, Groups(queries, query.group, window, names_of(Stats)))

    return stats


def _quantiles(buckets: Mapping[int | None, int]) -> JSON:
    return {"count": sum(buckets.values())} | {
        f"p{part}": seconds(quantile(buckets, part / 100)) for part in (50, 95, 99)
    }
