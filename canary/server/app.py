"""The application factory: makes the Flask application from its parts."""

from functools import partial

from flask import Flask

from canary.config import Config
from canary.server import dashboard, health, metrics, presence, problems, v1, v2
from canary.server.health import Health
from canary.server.metrics import Metrics
from canary.server.presence import Presence
from canary.server.protection.gate import Gate
from canary.server.stream import endpoint
from canary.server.stream.resume import Resumption
from canary.server.stream.shares import Shares, share_of
from canary.server.v1.registration import Registry
from canary.server.v2.answers import OWN_BOARD
from canary.stores.queries.jobs_at import Queries


def create_app(
    config: Config,
    queries: Queries,
    resumption: Resumption,
    health_: Health,
    registry: Registry,
    gate: Gate,
    metrics_: Metrics | None = None,
) -> Flask:
    """Return the application. It keeps no state outside of the parts that it is given.

    Without ``metrics_``, nothing is counted and there is no ``/metrics``.
    """
    app = v2.application()
    app.config[OWN_BOARD] = config.canary.jobboard
    if metrics_ is not None:
        metrics.register(app, metrics_)
    problems.register(app)
    gate.guard(app, partial(metrics.refused, metrics_) if metrics_ is not None else None)
    presence.guard(app, Presence(queries.ping))
    interval = config.canary.interval
    shares = Shares(share_of(config.server.streams_per_client, config.server.max_streams))
    for api in (
        *v2.blueprints(queries, config.canary.jobboard, interval),
        endpoint.blueprint(resumption, shares),
    ):
        app.register_api(api)
    for blueprint in (
        *v1.blueprints(queries, registry, interval),
        v2.description(app),
        health.blueprint(health_),
        dashboard.blueprint(),
    ):
        app.register_blueprint(blueprint)
    return app
