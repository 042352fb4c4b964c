"""``GET /v2/conductors``: who is registered, who holds what, and claims that nobody alive has.

A claim belongs to the conductor that is registered with the same ZooKeeper session: a lock names
only a part of the conductor's name. One whose session expired may go on claiming without being
registered: its claims are told as those of a conductor that is not alive.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flask import Response
from flask_openapi3 import APIBlueprint

from canary.model import filters
from canary.model.filters import Field, Filters
from canary.model.freshness import Freshness
from canary.server.representation import JSON, conductors, hexadecimal, iso, optional_iso
from canary.server.v2.answers import JOBBOARDS, Made, answered, listed, names_of
from canary.server.v2.boards import is_asked
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Conductor, Conductors
from canary.stores.lists import Lists
from canary.stores.reading import Reading


class ConductorsQuery(ListQuery):
    """A list of conductors: a filter about jobs finds those that hold such a job."""

    sort: Literal[
        "path", "-path", "name", "-name", "owner", "-owner", "since", "-since", "alive", "-alive"
    ] = sorting("path", "name", "owner", "since", "alive")


@dataclass(frozen=True, slots=True)
class ConductorList:
    """Makes the list of conductors."""

    reading: Reading
    found: Lists

    def make(self, asked: Filters, moment: datetime) -> list[tuple[str, JSON]]:
        """Return the conductors that ``asked`` finds, each with an identity of its own."""
        freshness = {
            board.path: board.freshness
            for board in self.reading.boards(with_own=True)
            if is_asked(board.path, asked)
        }
        of_conductors = filters.only(asked, Field.OWNER)
        about_jobs = filters.without(asked, Field.PATH, Field.OWNER)
        holds: dict[tuple[str, str | None], list[Mapping[str, Any]]] = defaultdict(list)
        for job in self.found.claimed(about_jobs, moment):
            holds[job["board"], _session(job)].append(job)
        rows = [*self._registered(freshness, holds), *_orphans(freshness, holds)]
        return [
            (f"{row['path']}#{row['session']}#{row['name'] or row['owner']}", row)
            for row in rows
            if (row["holds"] or not about_jobs)
            and all((row["owner"] in each.values) is not each.negated for each in of_conductors)
        ]

    def _registered(
        self,
        freshness: Mapping[str, Freshness],
        holds: dict[tuple[str, str | None], list[Mapping[str, Any]]],
    ) -> Iterator[JSON]:
        """Yield who is registered; what they hold is taken out of ``holds``."""
        for document in self.reading.conductors():
            path = document["board"]
            if path not in freshness:
                continue
            for conductor in conductors(document, freshness[path]):
                held = holds.pop((path, conductor["session"]), [])
                yield {
                    "name": conductor["name"],
                    "owner": conductor["name"].rpartition("@")[0] or conductor["name"],
                    "path": path,
                    "host": conductor["host"],
                    "pid": conductor["pid"],
                    "session": conductor["session"],
                    "alive": True,
                    "since": conductor["since"],
                    "seen_at": conductor["seen_at"],
                    "freshness": conductor["freshness"],
                    "holds": [_held(job) for job in held],
                }


def _orphans(
    freshness: Mapping[str, Freshness],
    holds: Mapping[tuple[str, str | None], list[Mapping[str, Any]]],
) -> Iterator[JSON]:
    """Yield the claims that no registered conductor has, together by session and owner."""
    for (path, session), jobs in holds.items():
        if path not in freshness:
            continue
        by_owner: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for job in jobs:
            by_owner[job["owner"]].append(job)
        for owner, held in by_owner.items():
            yield {
                "name": None,
                "owner": owner,
                "path": path,
                "host": None,
                "pid": None,
                "session": session,
                "alive": False,
                "since": None,
                "seen_at": iso(max(job["lock"]["seen_at"] for job in held)),
                "freshness": freshness[path].value,
                "holds": [_held(job) for job in held],
            }


def _session(job: Mapping[str, Any]) -> str | None:
    return hexadecimal((job["lock"] or {}).get("session"))


def _held(job: Mapping[str, Any]) -> JSON:
    return {
        "uuid": job["uuid"],
        "name": job["job_name"],
        "znode": job["name"],
        "claimed_at": optional_iso(job["claimed_at"]),
    }


def blueprint(made: ConductorList) -> APIBlueprint:
    """Return the blueprint."""
    conductors_ = APIBlueprint("v2_conductors", __name__, abp_tags=[JOBBOARDS])
    source = Made(made.make, names_of(Conductor))

    @conductors_.get("/v2/conductors", responses=answered(Conductors))
    def answer(query: ConductorsQuery) -> Response:
        """List the conductors of the boards, with what they hold; and claims without one."""
        return listed("conductors", query, source)

    return conductors_
