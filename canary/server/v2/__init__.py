"""``/v2``: everything that Canary knows. All lists take the same query; OpenAPI describes it."""

from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from werkzeug.routing import BaseConverter

from canary.server.v2 import boards, changes, conductors, gaps, itself, jobs, series, stats
from canary.server.v2.docs import blueprint as description
from canary.server.v2.schemas import Problem
from canary.stores.queries.jobs_at import Queries

__all__ = ["application", "blueprints", "description"]


class Whatever(BaseConverter):
    """A converter that matches the rest of a path, slashes included."""

    regex = "(?s:.+)"
    part_isolating = False


def application() -> OpenAPI:
    """Return an application without routes that generates its OpenAPI description.

    It answers a wrong request with 400 and a problem document.
    """
    info = Info(
        title="Canary",
        version="2",
        description="What happens on TaskFlow's jobboards. Every list takes the same filters, and "
        "sort, limit and cursor. Times are ISO 8601 in UTC; durations are in seconds.",
    )
    app = OpenAPI(
        "canary.server",
        info=info,
        doc_ui=False,
        security_schemes={
            "basic": {"type": "http", "scheme": "basic"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
        # {} is for clients that need not sign in: on loopback, or signed in at a proxy already.
        openapi_extensions={"security": [{}, {"basic": []}, {"bearer": []}]},
        validation_error_status=400,
        validation_error_model=Problem,
        static_folder=None,
    )
    app.url_map.converters["whatever"] = Whatever
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # keep the order of the OpenAPI description
    return app


def blueprints(queries: Queries, jobboard: str, interval: int) -> list[APIBlueprint]:
    """Return the blueprints of all resources but the stream.

    ``jobboard`` is the path of Canary's own board. ``interval`` is the default window in seconds.
    """
    lists, tallies = queries.lists, queries.tallies
    return [
        boards.blueprint(boards.BoardList(queries, tallies), interval),
        jobs.blueprint(lists),
        changes.blueprint(lists),
        gaps.blueprint(lists),
        conductors.blueprint(conductors.ConductorList(queries, lists)),
        stats.blueprint(queries, interval),
        series.blueprint(queries, interval),
        itself.blueprint(queries, jobboard, interval),
    ]
