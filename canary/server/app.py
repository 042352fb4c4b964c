"""The Flask application, put together from parts that it is handed."""

from flask import Flask

from canary.config import Config
from canary.server import boards, conductors, gaps, health, home, jobs, metrics, problems, stream
from canary.server.audience import Audience
from canary.server.health import Health
from canary.server.metrics import Metrics
from canary.server.protection.gate import Gate
from canary.server.registration import Registry
from canary.stores.reading import Reading


def create_app(
    config: Config,
    reading: Reading,
    audience: Audience,
    health_: Health,
    registry: Registry,
    gate: Gate,
    metrics_: Metrics | None = None,
) -> Flask:
    """Return the application. It keeps nothing outside of what it is handed.

    Without ``metrics_`` nothing is counted, and there is no ``/metrics``.
    """
    app = Flask("canary.server", static_folder=None)
    if metrics_ is not None:
        metrics.register(app, metrics_)
    problems.register(app)
    gate.guard(app)
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
    return app
