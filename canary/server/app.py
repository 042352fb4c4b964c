"""The Flask application, put together from parts that it is handed."""

from typing import Final

from flask import Flask, Response

from canary.config import Config
from canary.server import boards, conductors, gaps, health, home, jobs, metrics, problems, stream
from canary.server.audience import Audience
from canary.server.health import Health
from canary.server.metrics import Metrics
from canary.server.registration import Registry
from canary.stores.reading import Reading

_HEADERS: Final = {
    # Payloads are hostile: nothing but this server's own files may run or be loaded.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    config: Config,
    reading: Reading,
    audience: Audience,
    health_: Health,
    registry: Registry,
    metrics_: Metrics | None = None,
) -> Flask:
    """Return the application. It keeps nothing outside of what it is handed.

    Without ``metrics_`` nothing is counted, and there is no ``/metrics``.
    """
    app = Flask("canary.server", static_folder=None)
    if metrics_ is not None:
        metrics.register(app, metrics_)
    problems.register(app)
    for blueprint in (
        jobs.blueprint(reading, registry, config.canary.interval),
        conductors.blueprint(reading, registry),
        boards.blueprint(reading),
        gaps.blueprint(reading),
        stream.blueprint(audience),
        health.blueprint(health_),
        home.blueprint(),
    ):
        app.register_blueprint(blueprint)
    app.after_request(_secured)
    return app


def _secured(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
