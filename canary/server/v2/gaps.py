"""``GET /v2/gaps``: the intervals in which changes were not seen one by one, and how many."""

from typing import Literal

from flask import Response
from flask_openapi3 import APIBlueprint

from canary.server import representation
from canary.server.v2.answers import JOBBOARDS, Source, answered, listed
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Gap, Gaps
from canary.stores.lists import GAPS, Lists


class GapsQuery(ListQuery):
    """A list of gaps.

    A gap has no job: ``path`` and ``q`` are about its board, ``since`` and ``until`` about when it
    was, ``age>`` about its end; any other filter finds none, its NOT every one.
    """

    sort: Literal["-to", "to", "-from", "from"] = sorting("-to", "to", "from")


def blueprint(found: Lists) -> APIBlueprint:
    """Return the blueprint."""
    gaps = APIBlueprint("v2_gaps", __name__, abp_tags=[JOBBOARDS])
    source = Source(found, GAPS, lambda document, _: representation.gap(document), Gap)

    @gaps.get("/v2/gaps", responses=answered(Gaps))
    def answer(query: GapsQuery) -> Response:
        """List gaps that touch the time from since to until."""
        return listed("gaps", query, source)

    return gaps
