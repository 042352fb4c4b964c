"""What happens to ZooKeeper, and to the connections to it."""

import os
import socket
import time
from typing import Final

from devstack import control
from tests.faults.fault import Fault, lasting
from tests.faults.scene import BURST, HUMAN_PACE, Scene
from tests.waiting import eventually

NOTICE_LIMIT: Final = 20.0  # seconds; ten times and more what is promised


def connections_dropped(scene: Scene, seed: int) -> None:
    times, seconds = int(lasting(20, 200)), lasting(6, 60)
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address)
    scene.start(seed, BURST)
    scene.await_live()
    with scene.fault():
        began = time.monotonic()
        for number in range(times):
            time.sleep(max(0.0, began + (number + 1) * seconds / times - time.monotonic()))
            proxy.drop()
    scene.await_operations(300)


def changed_while_away(scene: Scene, seed: int) -> None:
    """Nothing happens when the connection is lost, and something while it is: no watch tells."""
    proxy = scene.proxy(os.environ["DEVSTACK_ZOOKEEPER"])
    scene.worker(OS_ZOOKEEPER__HOSTS=proxy.address)
    load = scene.start(seed, HUMAN_PACE)
    scene.await_live()
    scene.await_operations(40)
    load.terminate()
    assert load.wait(90) == 0
    scene.await_rest()
    with scene.fault(), proxy.away():
        load = scene.start(seed + 1000, HUMAN_PACE)
        scene.await_operations(20)
        load.terminate()
        assert load.wait(90) == 0


def killed(scene: Scene, seed: int, seconds: float) -> None:
    scene.begin(seed)
    with scene.fault():
        control.stop("zookeeper")
        try:
            scene.await_admitted("suspended", "unwatched", limit=NOTICE_LIMIT)
            time.sleep(seconds)  # it is the time that matters: sessions end in it
        finally:
            control.start("zookeeper")
            control.wait_ready("zookeeper")
    scene.await_operations(300)


def killed_for_five_seconds(scene: Scene, seed: int) -> None:
    killed(scene, seed, lasting(1.0, 5.0))


def killed_for_a_minute(scene: Scene, seed: int) -> None:
    killed(scene, seed, 60.0)


def frozen(scene: Scene, seed: int) -> None:
    scene.begin(seed)
    with scene.fault():
        control.freeze("zookeeper")
        try:
            scene.await_admitted("suspended", limit=NOTICE_LIMIT)
            time.sleep(lasting(6.0, 26.0))  # past the sessions' end
            assert scene.freshness() == "unwatched", "a board whose watch has ended is not live"
        finally:
            control.thaw("zookeeper")
    scene.await_operations(300)


def leader_lost(scene: Scene, seed: int) -> None:
    """Three servers; the one that leads is killed, and comes back later."""
    scene.begin(seed)
    leader = eventually(find_leader, 30.0, "there is a leader") or ""
    with scene.fault():
        control.stop(leader)
        eventually(find_leader, 60.0, "there is another leader")
        scene.await_operations(100)
    control.start(leader)
    control.wait_ready(leader)
    scene.await_operations(300)


def find_leader() -> str | None:
    """Return the name of the server that leads, None while there is none."""
    for number, address in enumerate(os.environ["DEVSTACK_ZOOKEEPER"].split(","), 1):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), 2.0) as connection:
                connection.sendall(b"srvr")
                with connection.makefile("rb") as stream:
                    answer = stream.read()
        except OSError:
            continue
        if b"Mode: leader" in answer:
            return f"zookeeper-{number}"
    return None


FAULTS: Final = (
    Fault("200 dropped connections in 60 s", connections_dropped),
    Fault("changes while the connection is away", changed_while_away),
    Fault("ZooKeeper killed for 5 s", killed_for_five_seconds),
    Fault("ZooKeeper killed for 60 s", killed_for_a_minute, only_long=True),
    Fault("ZooKeeper frozen for 26 s", frozen, only_long=True),
)
ENSEMBLE: Final = (Fault("the leader of three ZooKeepers lost", leader_lost),)
