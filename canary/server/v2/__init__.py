"""``/v2``: everything that Canary knows, by one query, described by ``/openapi.json``."""

from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import APIBlueprint, Info, OpenAPI

from canary.server.v2 import boards, changes, conductors, gaps, itself, jobs, series, stats
from canary.server.v2.docs import blueprint as description
from canary.server.v2.schemas import Problem
from canary.stores.reading import Reading

__all__ = ["application", "blueprints", "description"]


def application() -> OpenAPI:
    """Return an empty application that describes itself, and refuses what is asked wrongly."""
    info = Info(
        title="Canary",
        version="2",
        description="What happens on TaskFlow's jobboards. Every list takes the same filters, "
        "sort, limit and cursor; times are ISO 8601 in UTC, durations seconds.",
    )
    app = OpenAPI(
        "canary.server",
        info=info,
        doc_ui=False,
        security_schemes={
            "basic": {"type": "http", "scheme": "basic"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
        # {} is for whoever need not sign in: on loopback, and behind a proxy that has seen to it.
        openapi_extensions={"security": [{}, {"basic": []}, {"bearer": []}]},
        validation_error_status=400,
        validation_error_model=Problem,
        static_folder=None,
    )
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # in the order of the description
    return app


def blueprints(reading: Reading, jobboard: str, interval: int) -> list[APIBlueprint]:
    """Return the resources; ``interval`` is the window of a request that does not say.

    ``jobboard`` is the path of Canary's own board.
    """
    lists, tallies = reading.lists, reading.tallies
    return [
        boards.blueprint(boards.BoardList(reading, tallies), interval),
        jobs.blueprint(lists),
        changes.blueprint(lists),
        gaps.blueprint(lists),
        conductors.blueprint(conductors.ConductorList(reading, lists)),
        stats.blueprint(reading, interval),
        series.blueprint(reading, interval),
        itself.blueprint(reading, jobboard, interval),
    ]
