"""MongoDB: its version and kind, and whether it can do what Canary needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from canary.cli.checks.finding import Finding, failed, ok, warning
from canary.config import MongoOptions
from canary.stores.mongo.client import connect
from canary.stores.queries.diagnostics import Deployment, Inspection

TIMEOUT: Final = 4.0  # seconds, for each operation
OLDEST: Final = (5, 0)
SLOW: Final = timedelta(seconds=0.1)  # an answer usually takes a millisecond
HOW_TO_REACH: Final = (
    "check [mongo] uri, username and password, that MongoDB runs there, and that it has a primary"
)


@dataclass(frozen=True, slots=True)
class Store:
    """What inspects MongoDB, and the options that it was made with."""

    inspection: Inspection
    options: MongoOptions


@contextmanager
def opened(options: MongoOptions) -> Iterator[Store]:
    """Give a store; ``check`` makes the first call to MongoDB."""
    database = connect(replace(options, timeout=min(options.timeout, TIMEOUT)))
    try:
        yield Store(Inspection(database), options)
    finally:
        database.client.close()


def check(store: Store) -> Iterator[Finding]:
    """Check version, kind, speed and indexes, and try a transaction and a change stream."""
    deployment = store.inspection.deployment()
    words = _words(deployment)
    if deployment.version < OLDEST:
        yield failed(words, "Canary needs MongoDB 5 or newer: upgrade it")
    elif deployment.answer > SLOW:
        yield warning(words, "MongoDB answers slowly: check its load and the network")
    else:
        yield ok(words)
    store.inspection.try_transaction()
    store.inspection.try_change_stream()
    yield ok("a transaction, a snapshot and a change stream work")
    missing = store.inspection.missing_indexes(store.options)
    if missing:
        advice = "start canary-worker: it creates indexes and sets their times to live"
        yield warning(f"missing or different indexes: {'; '.join(missing)}", advice)
    else:
        yield ok("all indexes exist")


def _words(deployment: Deployment) -> str:
    version = ".".join(map(str, deployment.version))
    kind = "a sharded cluster"
    if deployment.name is not None:
        members = "1 member" if deployment.members == 1 else f"{deployment.members} members"
        kind = f"replica set {deployment.name}, {members}, primary {deployment.primary}"
    took = deployment.answer / timedelta(milliseconds=1)
    return f"MongoDB {version}, {kind}, answers in {took:.1f} ms"
