"""What happens to workers: they are killed, frozen, cut off, too few, or their clock is wrong."""

import os
import signal
import time
from contextlib import ExitStack
from typing import Final

from tests.faults.fault import Fault, lasting
from tests.faults.scene import (
    BURST,
    HUMAN_PACE,
    SECONDS_TO_LIVE,
    SESSION_TIMEOUT,
    Scene,
    mongodb_address,
)
from tests.integration.conftest import Command
from tests.integration.lossy_proxy import Lose, LossyProxy
from tests.waiting import eventually

SILENT_LIMIT: Final = 30.0  # seconds for the API to say that nobody watches; ten times the promise


def two_workers(scene: Scene, seed: int, pace: float = BURST) -> tuple[Command, Command]:
    """Start two workers and a load; return who is to watch the board, and does, and the other."""
    workers = [scene.worker(), scene.worker()]
    scene.start(seed, pace)
    beating = scene.database.workers
    eventually(lambda: beating.count_documents({}) == 2, 30.0, "both are there")
    share = min(worker["_id"] for worker in beating.find())  # of one board the first has it
    workers.sort(key=lambda worker: not share.endswith(f":{worker.process.pid}"))
    first, second = workers
    await_taken(scene, first)
    scene.await_live()
    scene.await_operations(300)
    return first, second


def await_taken(scene: Scene, worker: Command) -> None:
    eventually(lambda: scene.is_watched_by(worker), SECONDS_TO_LIVE, "the other has the board")


def killed_in_a_burst(scene: Scene, seed: int) -> None:
    first, second = two_workers(scene, seed)
    with scene.fault():
        first.end(signal.SIGKILL)
        scene.over()
        scene.await_admitted("unwatched", limit=SILENT_LIMIT)
        await_taken(scene, second)
    scene.await_operations(300)


def frozen_and_woken(scene: Scene, seed: int) -> None:
    first = woken(scene, seed)
    eventually(lambda: "the watch broke off" in first.output, 30.0, "it notices that it is over")
    with scene.fault():
        await_taken(scene, first)  # whose share it is


def woken(scene: Scene, seed: int) -> Command:
    """Freeze a worker until another has the board; return it when it has been awake a while."""
    first, second = two_workers(scene, seed)
    with ExitStack() as waking:
        with scene.fault():
            os.kill(first.process.pid, signal.SIGSTOP)
            waking.callback(os.kill, first.process.pid, signal.SIGCONT)
            scene.over()
            scene.await_admitted("unwatched", limit=SILENT_LIMIT)
            await_taken(scene, second)
        scene.await_operations(200)
    window = scene.begin_fault()  # it takes part again, so the board may be handed to it
    scene.await_operations(300)
    scene.faults.append(window())
    return first


def joined_and_left(scene: Scene, seed: int) -> None:
    """A handover, to and fro: nobody dies, so what is unseen was only too fast."""
    first = scene.begin(seed, HUMAN_PACE)
    with scene.fault():
        first.process.send_signal(signal.SIGTERM)
        scene.over()
        second = scene.worker()
        assert first.process.wait(15) == 0
        await_taken(scene, second)
    scene.await_operations(40)


def session_expired(scene: Scene, seed: int) -> None:
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.begin(seed, OS_ZOOKEEPER__HOSTS=proxy.address)
    epoch = scene.stored()["epoch"]
    with scene.fault():
        with proxy.away():
            scene.await_admitted("suspended", "unwatched", limit=SILENT_LIMIT)
            time.sleep(2 * SESSION_TIMEOUT)  # it is the time that makes it expire
        eventually(lambda: scene.stored()["epoch"] > epoch, SECONDS_TO_LIVE, "claimed anew")
    scene.await_operations(300)


def cut_off_from_zookeeper(scene: Scene, seed: int) -> None:
    """Bytes stop, and nobody says so: only Canary's own clock can tell."""
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    first = scene.begin(seed, OS_ZOOKEEPER__HOSTS=proxy.address)
    with scene.fault(), proxy.frozen():
        scene.over()
        second = scene.worker()
        scene.await_admitted("suspended", limit=SILENT_LIMIT)
        eventually(lambda: "no answer for" in first.output, SECONDS_TO_LIVE, "it gives up")
        await_taken(scene, second)
        scene.await_live()
    scene.await_operations(300)


def cut_off_from_mongodb(scene: Scene, seed: int) -> None:
    proxy = scene.proxy(mongodb_address())
    uri = f"mongodb://{proxy.address}/?directConnection=true"
    scene.begin(seed, OS_MONGO__URI=uri, OS_MONGO__TIMEOUT="2")
    with scene.fault(), proxy.frozen():
        scene.over()
        second = scene.worker()
        scene.await_admitted("unwatched", limit=SILENT_LIMIT)
        await_taken(scene, second)
        scene.await_live()
    scene.await_operations(300)


def killed_before_the_acknowledgement(scene: Scene, seed: int) -> None:
    host, _, port = mongodb_address().rpartition(":")
    proxy = LossyProxy(host, int(port))
    proxy.start()
    try:
        first = scene.worker(OS_MONGO__URI=proxy.uri)
        scene.start(seed, BURST)
        scene.await_live()
        scene.await_operations(300)
        with scene.fault():
            proxy.lose(Lose.ANSWER)
            eventually(lambda: proxy.losses, 30.0, "an answer to a commit is lost")
            first.end(signal.SIGKILL)
            scene.over()
            second = scene.worker()
            await_taken(scene, second)
    finally:
        proxy.stop()
    scene.await_operations(300)


def clock_an_hour_off(scene: Scene, seed: int) -> None:
    way, off = ("clock_ahead", "+3600") if seed % 2 else ("clock_behind", "-3600")
    first = scene.begin(seed, HUMAN_PACE, way)
    assert f"clock is {off}.0 s off" in first.output, "it was"
    with scene.fault():
        second = scene.worker()
        first.end(signal.SIGKILL)
        scene.over()
        await_taken(scene, second)
    scene.await_operations(40)
    changes = scene.database.changes.find({"board": scene.board, "at": {"$ne": None}})
    assert max(abs((each["seen_at"] - each["at"]).total_seconds()) for each in changes) < 60


def more_watch_jobs_than_slots(scene: Scene, seed: int) -> None:
    """The board itself may be one that nobody has room for; then another worker comes."""
    others = [f"{scene.board}-{number}" for number in range(3)]
    scene.add(*others)
    scene.worker(OS_CANARY__MAX_BOARDS="2")
    eventually(lambda: len(live(scene)) == 2, 30.0, "as many as there are slots")
    with scene.fault():
        shown = scene.boards()
        assert sum(board["freshness"] in {"live", "missing"} for board in shown.values()) == 2
        scene.worker(OS_CANARY__MAX_BOARDS="2")
        eventually(lambda: len(live(scene)) == 4, 30.0, "all of them")
        scene.zookeeper.ensure_path(scene.board)
    scene.start(seed, BURST)
    scene.await_operations(int(lasting(300, 1000)))


def live(scene: Scene) -> list[str]:
    return [
        path for path, board in scene.boards().items() if board["freshness"] in {"live", "missing"}
    ]


FAULTS: Final = (
    Fault("worker killed with -9 in a burst", killed_in_a_burst),
    Fault("worker frozen past its timeout while another takes over, then woken", frozen_and_woken),
    Fault("worker stopped, another takes over", joined_and_left, only_long=True),
    Fault("session expired", session_expired, only_long=True),
    Fault("worker cut off from ZooKeeper alone", cut_off_from_zookeeper),
    Fault("worker cut off from MongoDB alone", cut_off_from_mongodb),
    Fault(
        "killed between the MongoDB write and its acknowledgement",
        killed_before_the_acknowledgement,
    ),
    Fault("clock set an hour off for one process", clock_an_hour_off, only_long=True),
    Fault("more watch jobs than slots", more_watch_jobs_than_slots),
)
