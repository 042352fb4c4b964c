"""``GET /v1.0/conductor``: the conductors that are registered on one board, or on all of them."""

from flask import Blueprint, request

from canary.server import parameters, representation
from canary.server.registration import Registry, check_registered
from canary.stores.reading import Reading


def blueprint(reading: Reading, registry: Registry) -> Blueprint:
    """Return the blueprint."""
    conductors = Blueprint("conductors", __name__)

    @conductors.get("/v1.0/conductor")
    def answer() -> representation.JSON:
        path = parameters.optional_path(request.args)
        if path is not None:
            check_registered(path, reading.board(path), registry)
        found = [
            conductor
            for document in reading.conductors(path)
            for conductor in representation.conductors(document)
        ]
        return {"conductor_count": len(found), "conductors": found}

    return conductors
