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
        if path is None:
            boards = reading.boards()
        else:
            board = reading.board(path)
            check_registered(path, board, registry)
            boards = [board] if board is not None else []
        freshness = {board.path: board.freshness for board in boards}
        found = [
            conductor
            for document in reading.conductors(path)
            if document["board"] in freshness
            for conductor in representation.conductors(document, freshness[document["board"]])
        ]
        return {"conductor_count": len(found), "conductors": found}

    return conductors
