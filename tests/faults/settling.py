"""The end of a scene: all is quiet, Canary says that it knows all, and is taken at its word."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kazoo.exceptions import KazooException

from tests.faults.findings import Finding, Verdict, What
from tests.faults.judge import judge, mirror
from tests.faults.scene import SECONDS_TO_LIVE, Scene
from tests.waiting import eventually

LAST_OPERATIONS = 20  # of the load, while the stream's client has its last connection


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault with one seed; the seconds are None where nothing was measured."""

    verdict: Verdict
    seconds_to_live: float | None
    seconds_to_admit: float | None  # in the API
    seconds_to_tell: float | None  # in the stream
    notes: Mapping[str, float]  # what else was measured


def settle(scene: Scene) -> Outcome:
    """End the load, wait until Canary says that it knows all, and judge."""
    findings = list(end_load(scene))
    scene.await_rest()
    findings += [*scene.findings, *mirrored(scene), *reconciled(scene), *streamed(scene)]
    findings += died(scene)
    verdict = judge(scene.database, scene.zookeeper, scene.board, scene.log, scene.course())
    return Outcome(
        replace(verdict, findings=(*findings, *verdict.findings)),
        max(scene.recovered, default=None),
        max(scene.admitted, default=None),
        max(scene.told, default=None),
        scene.notes,
    )


def end_load(scene: Scene) -> Iterator[Finding]:
    """End the load, after the stream's client has lost its connection in the midst of it.

    It is a finding if the client had to fetch anew what is on the board.
    """
    if scene.loads[-1].poll() is None:
        before, fetches = scene.follower.connections, scene.follower.fetches
        scene.follower.drop()
        eventually(lambda: scene.follower.connections > before, 60.0, "it connects anew")
        goal = scene.operations() + LAST_OPERATIONS
        eventually(lambda: scene.operations() >= goal, 90.0, "the load goes on")
        if scene.follower.fetches > fetches:
            yield Finding(What.STREAM, "who came back was not told what it had missed")
    scene.end_load()


def mirrored(scene: Scene) -> list[Finding]:
    """Compare once: by its own word the watcher has stored all."""

    def compared() -> tuple[list[Finding]] | None:
        try:
            return (list(mirror(scene.database, scene.zookeeper, scene.board)),)
        except KazooException:  # this client's own connection may have been lost
            return None

    [findings] = eventually(compared, 60.0, "ZooKeeper answers the test") or ([],)
    return findings


def reconciled(scene: Scene) -> Iterator[Finding]:
    """Wait until the board's watcher has compared its boards once more; yield the drift."""
    if scene.broken == "relist":  # to compare is to list again
        return
    before = {each["_id"]: each["reconciled"] for each in scene.database.workers.find()}

    def is_done() -> bool:
        watcher = scene.watcher()
        worker = scene.database.workers.find_one({"_id": watcher})
        return worker is not None and worker["reconciled"] > before.get(watcher, 0) + 1

    eventually(is_done, SECONDS_TO_LIVE, "the reconciler has been there")
    for worker in scene.database.workers.find({"drift": {"$ne": 0}}):
        yield Finding(What.DRIFT, f"{worker['_id']} has mended {worker['drift']}")


def streamed(scene: Scene) -> Iterator[Finding]:
    """Compare what the stream's client holds, which has fetched nothing since it connected."""

    def follows() -> bool:
        jobs = scene.database.jobs.find({"board": scene.board, "state": {"$ne": "COMPLETE"}})
        stored = {job["name"]: (job["state"], job["owner"]) for job in jobs}
        assert scene.follower.jobs == stored
        assert scene.follower.connections > 1, "it never lost its connection"
        told = scene.follower.revisions
        assert told, "it was told nothing since"
        assert told == list(range(told[0], scene.stored()["revision"] + 1))
        return True

    try:
        eventually(follows, 30.0)
    except AssertionError as error:
        yield Finding(What.STREAM, str(error)[:1000])


def died(scene: Scene) -> Iterator[Finding]:
    """Yield which workers have ended, though nobody killed them."""
    for worker in scene.workers:
        if worker not in scene.killed and worker.process.poll() is not None:
            yield Finding(What.DIED, worker.output[-500:])
