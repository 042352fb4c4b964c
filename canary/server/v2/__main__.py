"""Print ``/openapi.json``, from which ``make types`` generates the dashboard's types."""

import json
from datetime import timedelta

import pymongo

from canary.server import v2
from canary.server.stream import endpoint
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.resume import Replay, Resumption
from canary.server.stream.shares import Shares
from canary.stores.queries.jobs_at import Queries


def description() -> str:
    """Return the OpenAPI description as JSON, without connecting to anything."""
    app = v2.application()
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(connect=False)
    queries = Queries(client["canary"], timedelta(0))
    streams = endpoint.blueprint(Resumption(Broadcaster(1), _none), Shares(1))
    for api in (*v2.blueprints(queries, "/", 0), streams):
        app.register_api(api)
    return json.dumps(app.api_doc, indent=2) + "\n"


def _none(_: str) -> Replay:
    raise NotImplementedError("nobody follows here")


if __name__ == "__main__":
    print(description(), end="")
