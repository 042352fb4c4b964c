"""``/v1.0``: the original Canary's two answers, as its pollers know them, and nothing else."""

from flask import Blueprint

from canary.server.registration import Registry
from canary.server.v1 import conductors, jobs
from canary.stores.reading import Reading


def blueprints(reading: Reading, registry: Registry, interval: int) -> list[Blueprint]:
    """Return the blueprints; ``interval`` is that of a request that does not say."""
    return [
        jobs.blueprint(reading, registry, interval),
        conductors.blueprint(reading, registry),
    ]
