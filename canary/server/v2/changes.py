"""``GET /v2/changes``: what happened, change by change."""

from typing import ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from canary.server import representation
from canary.server.v2.answers import JOBBOARDS, Source, answered, listed
from canary.server.v2.query import KIND, NOT_KIND, KindName, ListQuery, sorting
from canary.server.v2.schemas import Change, Changes
from canary.stores.queries.lists import CHANGES, Lists


class ChangesQuery(ListQuery):
    """A list of changes. Filters apply to the job as it was with the change."""

    row: ClassVar[type[BaseModel]] = Change
    sorted_by: ClassVar[dict[str, str]] = {"path": "board"}
    kind: list[KindName] = KIND
    not_kind: list[KindName] = NOT_KIND
    sort: Literal["-seen_at", "seen_at", "revision", "-revision"] = sorting("-seen_at", "revision")


def blueprint(found: Lists) -> APIBlueprint:
    """Return the blueprint."""
    changes = APIBlueprint("v2_changes", __name__, abp_tags=[JOBBOARDS])
    source = Source(found, CHANGES, lambda document, _: representation.change(document), Change)

    @changes.get("/v2/changes", responses=answered(Changes))
    def answer(query: ChangesQuery) -> Response:
        """List the changes that are still kept; since and until apply to seen_at."""
        return listed("changes", query, source)

    return changes
