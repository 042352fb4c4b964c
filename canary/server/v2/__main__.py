"""Print ``/openapi.json``, from which the dashboard's types are made: ``make types``."""

import json
from datetime import timedelta

import pymongo

from canary.server import v2
from canary.server.audience import Audience
from canary.server.resuming import Past, Resuming
from canary.server.v2 import stream
from canary.stores.reading import Reading


def description() -> str:
    """Return it as JSON. Nothing is connected to."""
    app = v2.application()
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(connect=False)
    reading = Reading(client["canary"], timedelta(0))
    for api in (*v2.blueprints(reading, "/", 0), stream.blueprint(Resuming(Audience(1), _none))):
        app.register_api(api)
    return json.dumps(app.api_doc, indent=2) + "\n"


def _none(_: str) -> Past:
    raise NotImplementedError("nobody follows here")


if __name__ == "__main__":
    print(description(), end="")
