"""Whether workers are alive, and how fresh what they see of the boards is."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from canary.cli.checks.boards import named
from canary.cli.checks.finding import Finding, Status, failed, ok, warning
from canary.cli.checks.replica_set import Store
from canary.model.freshness import Freshness
from canary.stores.boards import BEAT_LIMIT

_ADVICE: Final = {
    Freshness.CATCHING_UP: (
        Status.WARNING,
        "wait; if it stays so, look at MongoDB's load and at the workers' logs",
    ),
    Freshness.SUSPENDED: (
        Status.FAILED,
        "ZooKeeper does not answer the worker: see zookeeper above, from the worker's machine",
    ),
    Freshness.MISSING: (Status.WARNING, "it is awaited; see boards above"),
    Freshness.DENIED: (Status.FAILED, "give Canary's user READ on it; see boards above"),
    Freshness.UNWATCHED: (Status.FAILED, "start canary-worker, or read the workers' logs"),
}


def workers(store: Store) -> Iterator[Finding]:
    """Look at the workers' heartbeats."""
    seen = store.inspection.workers()
    alive = [worker.name for worker in seen if worker.age <= BEAT_LIMIT]
    for worker in seen:
        if worker.age > BEAT_LIMIT:
            yield warning(
                f"{worker.name} was last heard {worker.age.total_seconds():.0f} s ago",
                "nothing, if it was killed: others have its boards. If it runs, read its log",
            )
    if alive:
        yield ok(f"{len(alive)} alive: {named(alive)}")
    else:
        yield failed("no worker is alive: nobody watches", "start canary-worker")


def freshness(store: Store) -> Iterator[Finding]:
    """Look at how far what is known of each board can be trusted."""
    paths = defaultdict(list)
    boards = store.inspection.boards()
    for board in boards:
        paths[board.freshness].append(board.path)
        if board.drift:
            yield warning(
                f"{board.path}: {board.drift} differences from ZooKeeper were found and mended",
                "this is a defect of Canary's: report it, with the workers' logs",
            )
    for kind, names in sorted(paths.items()):
        words = f"{kind.value}: {named(names)}"
        if kind is Freshness.LIVE:
            yield ok(words)
        else:
            status, advice = _ADVICE[kind]
            yield Finding(status, words, advice)
    if not boards:
        yield warning("no board was ever watched", "run canary-producer, and start canary-worker")
