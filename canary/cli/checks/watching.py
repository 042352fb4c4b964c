"""Whether workers are alive, and how fresh the boards' stored state is."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from canary.cli.checks.boards import named
from canary.cli.checks.finding import Finding, Status, failed, ok, warning
from canary.cli.checks.replica_set import Store
from canary.model.freshness import Freshness
from canary.stores.queries.board_status import BEAT_LIMIT

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
    """Check the workers' heartbeats."""
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
    """Check each board's freshness, drift and trash collisions."""
    paths = defaultdict(list)
    boards = store.inspection.boards()
    for board in boards:
        paths[board.freshness].append(board.path)
        if board.drift:
            yield warning(
                f"{board.path}: {board.drift} differences from ZooKeeper were found and repaired",
                "this is a defect of Canary's: report it, with the workers' logs",
            )
    for kind, names in sorted(paths.items()):
        words = f"{kind.value}: {named(names)}"
        if kind is Freshness.LIVE:
            yield ok(words)
        else:
            status, advice = _ADVICE[kind]
            yield Finding(status, words, advice)
    for path, jobs in store.inspection.collisions().items():
        yield warning(
            f"{path}: {named(jobs)} can't be trashed: another job of the same number was",
            "take that one out of the trash, and give each board a parent of its own: otherwise"
            " TaskFlow leaves the job claimed for ever where it would trash it",
        )
    if not boards:
        yield warning("no board was ever watched", "run canary-producer, and start canary-worker")
