"""``GET /v1.0/conductor``: the conductors that are registered on one board, or on all boards.

``conductors`` has their names, as pollers of the original Canary expect them. ``details`` has, in
the same order, what else is known of each. Boards with one parent share the folder in which
TaskFlow registers conductors. A conductor in such a folder is counted once, and its ``paths`` are
all the boards that share the folder.
"""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, request

from canary.model.names import conductor_folder
from canary.server import representation
from canary.server.v1 import parameters
from canary.server.v1.registration import Registry, check_registered
from canary.stores.queries.jobs_at import Queries


def blueprint(queries: Queries, registry: Registry) -> Blueprint:
    """Return the blueprint."""
    conductors = Blueprint("conductors", __name__)

    @conductors.get("/v1.0/conductor")
    def answer() -> representation.JSON:
        path = parameters.optional_path(request.args)
        if path is None:
            boards = queries.boards()
        else:
            board = queries.board(path)
            check_registered(path, board, registry)
            boards = [board] if board is not None else []
        freshness = {board.path: board.freshness for board in boards}
        found = [
            conductor
            for document in queries.conductors(path)
            if document["_id"] in freshness
            for conductor in representation.conductors(document, freshness[document["_id"]])
        ]
        each = _each_once(found)
        names = [conductor["name"] for conductor in each]
        return {"conductor_count": len(each), "conductors": names, "details": each}

    return conductors


def _each_once(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each conductor once, as it was found first, with the paths of all its boards."""
    known: dict[tuple[str, Any, Any], dict[str, Any]] = {}
    for conductor in found:
        who = (conductor_folder(conductor["path"]), conductor["name"], conductor["session"])
        told = known.setdefault(who, {**conductor, "paths": []})
        told["paths"].append(conductor["path"])
    return list(known.values())
