"""``/v1.0``: the two answers of the original Canary, for its pollers, and nothing else."""

from flask import Blueprint

from canary.server.v1 import conductors, jobs
from canary.server.v1.registration import Registry
from canary.stores.queries.jobs_at import Queries


def blueprints(queries: Queries, registry: Registry, interval: int) -> list[Blueprint]:
    """Return the blueprints; ``interval`` is the default interval in seconds."""
    return [
        jobs.blueprint(queries, registry, interval),
        conductors.blueprint(queries, registry),
    ]
