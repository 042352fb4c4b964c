"""``GET /v2/gaps``: intervals in which changes were not seen one by one, and how many they were."""

from typing import ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from canary.server import representation
from canary.server.v2.answers import JOBBOARDS, Source, answered, listed
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Gap, Gaps
from canary.stores.queries.lists import GAPS, Lists


class GapsQuery(ListQuery):
    """A list of gaps.

    A gap has no job. ``path`` and ``q`` apply to its board's path, ``since`` and ``until`` to its
    interval, ``age>`` to its end. Any other filter finds no gap, and its NOT finds every gap.
    """

    row: ClassVar[type[BaseModel]] = Gap
    sort: Literal["-to", "to", "-from", "from"] = sorting("-to", "from")


def blueprint(found: Lists) -> APIBlueprint:
    """Return the blueprint."""
    gaps = APIBlueprint("v2_gaps", __name__, abp_tags=[JOBBOARDS])
    source = Source(found, GAPS, lambda document, _: representation.gap(document), Gap)

    @gaps.get("/v2/gaps", responses=answered(Gaps))
    def answer(query: GapsQuery) -> Response:
        """List gaps that touch the time from since to until."""
        return listed("gaps", query, source)

    return gaps
