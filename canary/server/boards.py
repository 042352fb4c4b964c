"""``GET /v2/boards``: the boards that are registered and were watched at least once."""

from flask import Blueprint, request

from canary.server import parameters, representation
from canary.stores.reading import Reading


def blueprint(reading: Reading) -> Blueprint:
    """Return the blueprint."""
    boards = Blueprint("boards", __name__)

    @boards.get("/v2/boards")
    def answer() -> representation.JSON:
        limit = parameters.limit(request.args)
        after = parameters.cursor(request.args)
        found = reading.boards(after=after, limit=limit + 1)
        page = found[:limit]
        counts = reading.counts([board.path for board in page])
        return {
            "boards": [representation.board(board, counts[board.path]) for board in page],
            "next": parameters.next_cursor(page[-1].path) if len(found) > limit else None,
        }

    return boards
