"""``GET /v2/stats``: how many jobs, how often and how long, by board, by name or by owner."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import Field

from canary.model.filters import Filters
from canary.model.quantiles import quantile
from canary.server.representation import JSON, seconds
from canary.server.v2.answers import JOBBOARDS, answered, by_pages, listed, names_of
from canary.server.v2.boards import WINDOW, per_minute, waits
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Stats, StatsPage
from canary.server.v2.values import Seconds
from canary.stores.paging import Place, Sort
from canary.stores.tallies import Tallies, Tally


class StatsQuery(ListQuery):
    """Statistics of the jobs that the filters find."""

    group: Literal["path", "name", "owner"] = Field(
        "path", description="path, name or owner: what is counted together"
    )
    window: Seconds | None = Field(None, description=WINDOW)
    sort: Literal["group"] = sorting("group")


@dataclass(frozen=True, slots=True)
class Groups:
    """A list of statistics, counted a page at a time."""

    tallies: Tallies
    by: str
    window: timedelta
    names: list[str]

    def page(
        self, filters: Filters, moment: datetime, _: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows behind ``after``, each with its place."""
        since = moment - self.window
        behind = None if after is None else (None if after.value is None else str(after.value),)
        groups = self.tallies.groups(self.by, filters, moment, since, after=behind, limit=limit)
        told = self.tallies.tally(self.by, groups, filters, moment, since) if groups else {}
        return [
            (Place(group, group or ""), self._row(group, told.get(group, Tally()), moment))
            for group in groups
        ]

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        return by_pages(self, filters, moment, sort, limit)

    def _row(self, group: str | None, tally: Tally, moment: datetime) -> JSON:
        return {
            "group": group,
            "posted": tally.posted,
            "claimed": tally.claimed,
            "ended": tally.ended,
            "per_minute": per_minute(tally, self.window),
            "waiting": _quantiles(tally.waiting),
            "running": _quantiles(tally.running),
            "backlog": tally.backlog,
            "oldest_unclaimed": waits(tally.waits_from, moment),
        }


def blueprint(tallies: Tallies, interval: int) -> APIBlueprint:
    """Return the blueprint; ``interval`` is the window of a request that does not say."""
    stats = APIBlueprint("v2_stats", __name__, abp_tags=[JOBBOARDS])

    @stats.get("/v2/stats", responses=answered(StatsPage))
    def answer(query: StatsQuery) -> Response:
        """Count what happened within the window, and what waits now."""
        window = timedelta(seconds=interval if query.window is None else query.window)
        return listed("stats", query, Groups(tallies, query.group, window, names_of(Stats)))

    return stats


def _quantiles(buckets: Mapping[int | None, int]) -> JSON:
    return {"count": sum(buckets.values())} | {
        f"p{part}": seconds(quantile(buckets, part / 100)) for part in (50, 95, 99)
    }
