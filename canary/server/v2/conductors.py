"""``GET /v2/conductors``: registered conductors, their claims, and claims of no registered one.

A claim belongs to the conductor that is registered with the same ZooKeeper session, because a lock
names only a part of the conductor's name. A lock lives as long as its session. So a claim without a
registered conductor still belongs to a session that is alive: see ``canary.model.conductors``.

Boards with one parent share the folder in which conductors register. A conductor that is registered
there is listed for each of these boards, with all the boards that it may work for
(``registered_for``) and with the jobs of that board that it holds (``holds``). ``holds`` shows
which boards the conductor works for.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from canary.model import filters
from canary.model.conductors import Holder, holder_of
from canary.model.filters import Field, Filters
from canary.model.freshness import Freshness
from canary.model.names import conductor_folder
from canary.server.representation import JSON, conductors, hexadecimal, optional_iso
from canary.server.v2.answers import JOBBOARDS, Made, answered, listed, names_of
from canary.server.v2.boards import is_asked
from canary.server.v2.conductor_schemas import Conductor
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Conductors
from canary.stores.mongo.shapes import fitting
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.lists import Lists


class ConductorsQuery(ListQuery):
    """A list of conductors. A filter about jobs finds the conductors that hold such a job."""

    row: ClassVar[type[BaseModel]] = Conductor
    moments: ClassVar[type] = str
    sort: Literal[
        "path", "-path", "name", "-name", "owner", "-owner", "since", "-since", "alive", "-alive",
        "holder", "-holder",
    ] = sorting("path", "name", "owner", "since", "alive", "holder")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConductorList:
    """Makes the rows of the list of conductors."""

    queries: Queries
    found: Lists

    def make(self, asked: Filters, moment: datetime) -> list[tuple[str, JSON]]:
        """Return the rows of the conductors that ``asked`` finds, each with its identity."""
        boards = self.queries.boards(with_own=True)
        sharing: dict[str, list[str]] = defaultdict(list)
        for board in boards:
            sharing[conductor_folder(board.path)].append(board.path)
        freshness = {board.path: board.freshness for board in boards if is_asked(board.path, asked)}
        of_conductors = filters.only(asked, Field.OWNER)
        about_jobs = filters.without(asked, Field.PATH, Field.OWNER)
        holds: dict[tuple[str, str | None], list[Mapping[str, Any]]] = defaultdict(list)
        for job in self.found.claimed(about_jobs, moment):
            holds[job["board"], _session(job)].append(job)
        known: set[str] = set()
        rows = [
            *self._registered(freshness, holds, sharing, known),
            *_others(freshness, holds, known),
        ]
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
        sharing: Mapping[str, list[str]],
        known: set[str],
    ) -> Iterator[JSON]:
        """Yield a row per registered conductor; remove from ``holds`` the jobs that it holds.

        Adds to ``known`` the boards for which the list of registered conductors is complete.
        """
        for document in self.queries.conductors():
            path = document["_id"]
            if path not in freshness:
                continue
            if document.get("whole", True) is True and isinstance(document.get("conductors"), list):
                known.add(path)
            for conductor in conductors(document, freshness[path]):
                held = holds.pop((path, conductor["session"]), [])
                yield {
                    "name": conductor["name"],
                    "owner": conductor["name"].rpartition("@")[0] or conductor["name"],
                    "path": path,
                    "host": conductor["host"],
                    "pid": conductor["pid"],
                    "session": conductor["session"],
                    "holder": Holder.REGISTERED.value,
                    "alive": Holder.REGISTERED.is_alive,
                    "registered_for": sharing[conductor_folder(path)],
                    "since": conductor["since"],
                    "seen_at": conductor["seen_at"],
                    "freshness": conductor["freshness"],
                    "holds": [_held(job) for job in held],
                }


def _others(
    freshness: Mapping[str, Freshness],
    holds: Mapping[tuple[str, str | None], list[Mapping[str, Any]]],
    known: Collection[str],
) -> Iterator[JSON]:
    """Yield a row per board, session and owner for the claims without a registered conductor."""
    for (path, session), jobs in holds.items():
        if path not in freshness:
            continue
        by_owner: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for job in jobs:
            by_owner[job["owner"]].append(job)
        holder = holder_of(_of_lock(jobs[0], "session", int), is_known=path in known)
        for owner, held in by_owner.items():
            yield {
                "name": None,
                "owner": owner,
                "path": path,
                "host": None,
                "pid": None,
                "session": session,
                "holder": holder.value,
                "alive": holder.is_alive,
                "registered_for": [],
                "since": None,
                "seen_at": optional_iso(max(filter(None, map(_seen_at, held)), default=None)),
                "freshness": freshness[path].value,
                "holds": [_held(job) for job in held],
            }


def _session(job: Mapping[str, Any]) -> str | None:
    return hexadecimal(_of_lock(job, "session", int))


def _seen_at(job: Mapping[str, Any]) -> datetime | None:
    moment: datetime | None = _of_lock(job, "seen_at", datetime)
    return moment


def _of_lock(job: Mapping[str, Any], name: str, of: type) -> Any:
    return fitting((job["lock"] or {}).get(name), of)


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
        """List the conductors of the boards with the jobs that they hold, and other claims."""
        return listed("conductors", query, source)

    return conductors_
