"""The Flask application, put together from parts that it is handed."""

from flask import Flask

from canary.config import Config
from canary.server import health, home, metrics, presence, problems, v1, v2
from canary.server.health import Health
from canary.server.metrics import Metrics
from canary.server.presence import Presence
from canary.server.protection.gate import Gate
from canary.server.registration import Registry
from canary.server.resuming import Resuming
from canary.server.v2 import stream
from canary.server.v2.answers import OWN_BOARD
from canary.stores.reading import Reading


def create_app(
    config: Config,
    reading: Reading,
    resuming: Resuming,
    health_: Health,
    registry: Registry,
    gate: Gate,
    metrics_: Metrics | None = None,
) -> Flask:
    """Return the application. It keeps nothing outside of what it is handed.

    Without ``metrics_`` nothing is counted, and there is no ``/metrics``.
    """
    app = v2.application()
    app.config[OWN_BOARD] = config.canary.jobboard
    if metrics_ is not None:
        metrics.register(app, metrics_)
    problems.register(app)
    gate.guard(app)
    presence.guard(app, Presence(reading.ping))
    interval = config.canary.interval
    for api in (
        *v2.blueprints(reading, config.canary.jobboard, interval),
        stream.blueprint(resuming),
    ):
        app.register_api(api)
    for blueprint in (
        *v1.blueprints(reading, registry, interval),
        v2.description(app),
        health.blueprint(health_),
        home.blueprint(),
    ):
        app.register_blueprint(blueprint)
    return app
