"""``GET /metrics``, and what is counted of each request.

Promises: a request is counted by the template of its route, never by what somebody wrote for a
path; what has no route is all one.
"""

import time
from typing import Final, Protocol

from flask import Blueprint, Flask, Response, g, request

UNMATCHED: Final = "unmatched"


class Metrics(Protocol):
    """What counts and tells."""

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and its content type."""


def register(app: Flask, metrics: Metrics) -> None:
    """Have ``app`` show and count. To be called before others see requests, to see all of them."""

    def begin() -> None:
        g.begun = time.monotonic()

    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else UNMATCHED
        seconds = time.monotonic() - g.begun
        metrics.answered(route, request.method, response.status_code, seconds)
        return response

    app.before_request(begin)
    app.after_request(end)
    app.register_blueprint(_blueprint(metrics))


def _blueprint(metrics: Metrics) -> Blueprint:
    shown = Blueprint("metrics", __name__)

    @shown.get("/metrics")
    def answer() -> Response:
        body, content_type = metrics.exposed(request.headers.get("Accept", ""))
        response = Response(body, content_type=content_type)
        response.headers["Cache-Control"] = "no-store"
        return response

    return shown
