"""What happens to one ZooKeeper, and to the connections to it."""

import os
import time
from typing import Final

from devstack import control
from tests.faults.fault import Fault, lasting
from tests.faults.scene import HUMAN_PACE, Scene
from tests.waiting import allowed, eventually, throughout

NOTICE_LIMIT: Final = allowed(1.0)  # seconds for what a socket says
SILENT_LIMIT: Final = allowed(2.0)  # seconds for what nobody says
OVER_LIMIT: Final = 60.0  # seconds until a session that has ended is given up
BAD: Final = {"suspended", "unwatched"}


def connections_dropped(scene: Scene, seed: int) -> None:
    times, seconds = int(lasting(20, 200)), lasting(6, 60)
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.begin(scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address), seed)
    with scene.fault():
        began = time.monotonic()
        for number in range(times):
            time.sleep(max(0.0, began + (number + 1) * seconds / times - time.monotonic()))
            proxy.drop()
    scene.await_operations(300)


def changed_while_away(scene: Scene, seed: int) -> None:
    """Nothing happens when the connection is lost, and something while it is: no watch tells."""
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.begin(scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address), seed, HUMAN_PACE)
    scene.end_load()
    scene.await_rest()
    with scene.fault(), proxy.away():
        scene.start(seed + 1000, HUMAN_PACE)
        scene.await_operations(20)
        scene.end_load()


def killed(scene: Scene, seed: int, seconds: float) -> None:
    scene.begin(scene.worker(), seed)
    with scene.fault():
        control.stop("zookeeper")
        try:
            scene.await_admitted(*BAD, limit=NOTICE_LIMIT)
            throughout(seconds, lambda: scene.freshness() in BAD, "it is not live meanwhile")
        finally:
            control.start("zookeeper")
            control.wait_ready("zookeeper")
    scene.await_operations(300)


def killed_for_five_seconds(scene: Scene, seed: int) -> None:
    killed(scene, seed, lasting(1.0, 5.0))


def killed_for_a_minute(scene: Scene, seed: int) -> None:
    killed(scene, seed, 60.0)


def frozen(scene: Scene, seed: int) -> None:
    scene.begin(scene.worker(), seed)
    with scene.fault():
        began = time.monotonic()
        control.freeze("zookeeper")
        try:
            scene.await_admitted(*BAD, limit=SILENT_LIMIT)
            eventually(lambda: scene.freshness() == "unwatched", OVER_LIMIT, "its watch has ended")
            left = began + lasting(6.0, 26.0) - time.monotonic()
            throughout(left, lambda: scene.freshness() == "unwatched", "and nobody watches it")
        finally:
            control.thaw("zookeeper")
    scene.await_operations(300)


FAULTS: Final = (
    Fault("200 dropped connections in 60 s", connections_dropped),
    Fault("changes while the connection is away", changed_while_away),
    Fault("ZooKeeper killed for 5 s", killed_for_five_seconds),
    Fault("ZooKeeper killed for 60 s", killed_for_a_minute),
    Fault("ZooKeeper frozen for 26 s", frozen),
)
