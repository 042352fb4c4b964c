"""``GET /metrics``, and the counting of requests.

Promises: a request is counted by the URL rule of its route, never by the path that a client sent.
All requests without a route are counted as one (``UNMATCHED``).
"""

import time
from typing import Final, Protocol

from flask import Blueprint, Flask, Response, g, request

UNMATCHED: Final = "unmatched"


class Metrics(Protocol):
    """Counts requests and exposes all metrics."""

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that took ``seconds``."""

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text in a format that ``accept`` allows, and its content type."""


def register(app: Flask, metrics: Metrics) -> None:
    """Make ``app`` count requests and serve ``/metrics``.

    Call it before any other ``before_request`` is registered, so that all requests are counted.
    """

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


def refused(metrics: Metrics, method: str, status: int) -> None:
    """Count a request that was refused before Flask matched a route."""
    metrics.answered(UNMATCHED, method, status, 0.0)


def _blueprint(metrics: Metrics) -> Blueprint:
    shown = Blueprint("metrics", __name__)

    @shown.get("/metrics")
    def answer() -> Response:
        body, content_type = metrics.exposed(request.headers.get("Accept", ""))
        response = Response(body, content_type=content_type)
        response.headers["Cache-Control"] = "no-store"
        return response

    return shown
