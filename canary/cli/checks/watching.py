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
        "wait; if this does not change, check MongoDB's load and the workers' logs",
    ),
    Freshness.SUSPENDED: (
        Status.FAILED,
        "ZooKeeper does not answer the worker: run canary doctor on the worker's machine",
    ),
    Freshness.MISSING: (Status.WARNING, "Canary waits for the board; see boards above"),
    Freshness.DENIED: (Status.FAILED, "give Canary's user READ permission; see boards above"),
    Freshness.UNWATCHED: (Status.FAILED, "start canary-worker, or read the workers' logs"),
}


def workers(store: Store) -> Iterator[Finding]:
    """Check the workers' heartbeats."""
    seen = store.inspection.workers()
    alive = [worker.name for worker in seen if worker.age <= BEAT_LIMIT]
    for worker in seen:
        if worker.age > BEAT_LIMIT:
            yield warning(
                f"{worker.name} sent its last heartbeat {worker.age.total_seconds():.0f} s ago",
                "if it was killed, do nothing: other workers watch its boards. If it still runs,"
                " read its log",
            )
    if alive:
        yield ok(f"{len(alive)} alive: {named(alive)}")
    else:
        yield failed("no worker is alive, so no board is watched", "start canary-worker")


def freshness(store: Store) -> Iterator[Finding]:
    """Check each board's freshness, drift and trash collisions."""
    paths = defaultdict(list)
    boards = store.inspection.boards()
    for board in boards:
        paths[board.freshness].append(board.path)
        if board.drift:
            yield warning(
                f"{board.path}: {board.drift} differences from ZooKeeper were found and repaired",
                "this is a bug in Canary: please report it with the workers' logs",
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
            f"{path}: {named(jobs)} can't be trashed: the trash holds a job with the same number",
            "remove that job from the trash, and give each board its own parent znode: otherwise"
            " TaskFlow fails to trash the job on the board and leaves it claimed for ever",
        )
    if not boards:
        yield warning(
            "no board has been watched yet", "run canary-producer, and start canary-worker"
        )
