"""``GET /v2/gaps``: the intervals in which changes were not seen one by one, and how many."""

from flask import Blueprint, request

from canary.server import parameters, representation
from canary.stores.reading import Reading


def blueprint(reading: Reading) -> Blueprint:
    """Return the blueprint."""
    gaps = Blueprint("gaps", __name__)

    @gaps.get("/v2/gaps")
    def answer() -> representation.JSON:
        limit = parameters.limit(request.args)
        after = parameters.cursor(request.args)
        found = reading.gaps(parameters.paths(request.args), after=after, limit=limit + 1)
        page = found[:limit]
        return {
            "gaps": [representation.gap(gap) for gap in page],
            "next": parameters.next_cursor(page[-1]["_id"]) if len(found) > limit else None,
        }

    return gaps
