"""What happens to workers: they are killed, frozen, cut off, too few, or their clock is wrong."""

import os
import signal
from contextlib import ExitStack
from typing import Final

from tests.faults.fault import Fault, lasting
from tests.faults.findings import Finding, What
from tests.faults.scene import (
    HUMAN_PACE,
    SHARE,
    STAND_BY,
    Scene,
    mongodb_address,
    mongodb_through,
)
from tests.integration.conftest import Command
from tests.integration.lossy_proxy import Lose
from tests.waiting import allowed, eventually

SILENT_LIMIT: Final = allowed(3.0)  # seconds to say that nobody watches
FROZEN_LIMIT: Final = allowed(2.0)  # seconds to say that ZooKeeper is silent
HELD_LIMIT: Final = 10.0  # seconds to let go of what is another's; by then it should have


def killed_in_a_burst(scene: Scene, seed: int) -> None:
    """Another stands by."""
    first = scene.worker(**SHARE)
    scene.start(seed)
    second = scene.worker(**STAND_BY)
    scene.await_live()
    eventually(lambda: scene.database.workers.count_documents({}) == 2, 60.0, "both are there")
    scene.await_operations(300)
    with scene.fault():
        scene.kill(first)
        scene.await_taken(second)
    scene.await_operations(300)


def frozen_and_woken(scene: Scene, seed: int) -> None:
    """A worker is frozen in the midst of writing until another has the board; then it wakes up."""
    proxy = scene.proxy(mongodb_address())
    first = scene.begin(scene.worker(**SHARE, **mongodb_through(proxy)), seed)
    with ExitStack() as waking:
        with scene.fault():
            with proxy.frozen():
                scene.await_operations(100)  # one write is on its way, and more will follow
                os.kill(first.process.pid, signal.SIGSTOP)
                waking.callback(os.kill, first.process.pid, signal.SIGCONT)
            scene.over()
            scene.await_admitted("unwatched", limit=SILENT_LIMIT)
            second = scene.worker(**STAND_BY)
            scene.await_taken(second)
        scene.await_operations(200)
    window = scene.begin_fault()  # it takes part again, so the board is handed to it
    eventually(lambda: "the watch failed" in first.output, 60.0, "it notices that it is over")
    scene.await_taken(first)
    scene.await_live()
    scene.faults.append(window())
    scene.await_operations(100)


def joined_and_left(scene: Scene, seed: int) -> None:
    """A handover, to and fro: nobody dies, so what is unseen was only too fast, or is counted."""
    first = scene.begin(scene.worker(**STAND_BY), seed)
    with scene.fault():
        second = scene.worker(**SHARE)
        eventually(lambda: scene.database.workers.count_documents({}) == 2, 60.0, "it is there")
        scene.over()
        scene.await_taken(second)
    scene.notes["seconds until the new worker had its share"] = scene.recovered[-1]
    scene.await_operations(100)
    with scene.fault():
        scene.dismiss(second)
        scene.await_taken(first)
    scene.await_operations(100)


def session_expired(scene: Scene, seed: int) -> None:
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.begin(scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address), seed)
    epoch = scene.stored()["epoch"]
    with scene.fault():
        with proxy.away():
            scene.await_admitted("suspended", "unwatched", limit=FROZEN_LIMIT)
            eventually(lambda: scene.claims() == {}, 60.0, "the session is over")
        eventually(lambda: scene.stored()["epoch"] > epoch, 60.0, "claimed anew")
    scene.await_operations(300)


def cut_off_from_zookeeper(scene: Scene, seed: int) -> None:
    """Bytes stop, and nobody says so: only Canary's own clock can tell."""
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    first = scene.begin(scene.worker(**STAND_BY, OS_ZOOKEEPER__HOSTS=proxy.address), seed)
    with scene.fault(), proxy.frozen():
        scene.over()
        scene.await_admitted("suspended", "unwatched", limit=FROZEN_LIMIT)
        second = scene.worker(**SHARE)
        scene.await_taken(second)
        try:
            eventually(lambda: "no answer for" in first.output, HELD_LIMIT)
        except AssertionError:
            scene.findings.append(Finding(What.HELD, first.output[-500:]))
        scene.await_live()
    scene.await_operations(300)


def cut_off_from_mongodb(scene: Scene, seed: int) -> None:
    proxy = scene.proxy(mongodb_address())
    variables = STAND_BY | mongodb_through(proxy) | {"OS_MONGO__TIMEOUT": "2"}
    scene.begin(scene.worker(**variables), seed)
    with scene.fault(), proxy.frozen():
        scene.over()
        scene.await_admitted("unwatched", limit=SILENT_LIMIT)
        second = scene.worker(**SHARE)
        scene.await_taken(second)
        scene.await_live()
    scene.await_operations(300)


def killed_before_the_acknowledgement(scene: Scene, seed: int) -> None:
    proxy = scene.lossy_proxy()
    first = scene.begin(scene.worker(OS_MONGO__URI=proxy.uri), seed)
    with scene.fault():
        proxy.lose(Lose.ANSWER)
        eventually(lambda: proxy.losses, 30.0, "an answer to a commit is lost")
        scene.kill(first)
        scene.await_admitted("unwatched", limit=SILENT_LIMIT)
        second = scene.worker()
        scene.await_taken(second)
    scene.await_operations(300)


def clock_an_hour_off(scene: Scene, seed: int) -> None:
    """The clock of one process is an hour ahead, that of the next one an hour behind."""
    first = scene.begin(scene.worker("clock_ahead"), seed, HUMAN_PACE)
    await_noticed(first, "+3600")
    with scene.fault():
        scene.kill(first)
        second = scene.worker("clock_behind")
        scene.await_taken(second)
    await_noticed(second, "-3600")
    scene.await_operations(40)
    changes = scene.database.changes.find({"board": scene.board, "at": {"$ne": None}})
    assert max(abs((each["seen_at"] - each["at"]).total_seconds()) for each in changes) < 60


def await_noticed(worker: Command, seconds: str) -> None:
    """Wait until a worker says how far its clock is off: then it is."""
    eventually(
        lambda: f"clock differs by {seconds}" in worker.output, 30.0, f"it is {seconds} s off"
    )


def more_watch_jobs_than_slots(scene: Scene, seed: int) -> None:
    """The board itself may be one that nobody has room for; then another worker comes."""
    others = [f"{scene.board}-{number}" for number in range(3)]
    scene.add(*others)
    scene.worker(OS_CANARY__MAX_BOARDS="2")
    eventually(lambda: len(live(scene)) == 2, 60.0, "as many as there are slots")
    with scene.fault():
        assert len(live(scene)) == 2, "and no more"
        scene.worker(OS_CANARY__MAX_BOARDS="2")
        eventually(lambda: len(live(scene)) == 4, 60.0, "all of them")
        scene.zookeeper.ensure_path(scene.board)
    scene.start(seed)
    scene.await_operations(int(lasting(300, 1000)))


def live(scene: Scene) -> list[str]:
    """Return the boards that somebody watches."""
    shown = scene.shown.boards()
    return [path for path, board in shown.items() if board["freshness"] in {"live", "missing"}]


FAULTS: Final = (
    Fault("worker killed with -9 in a burst", killed_in_a_burst),
    Fault(
        "worker frozen past its timeout while another takes over, then woken",
        frozen_and_woken,
        always=True,
    ),
    Fault("a worker joins, and leaves", joined_and_left),
    Fault("session expired", session_expired),
    Fault("worker cut off from ZooKeeper alone", cut_off_from_zookeeper),
    Fault("worker cut off from MongoDB alone", cut_off_from_mongodb),
    Fault(
        "killed between the MongoDB write and its acknowledgement",
        killed_before_the_acknowledgement,
        always=True,
    ),
    Fault("clock an hour off for one process, ahead and behind", clock_an_hour_off),
    Fault("more watch jobs than slots", more_watch_jobs_than_slots),
)
