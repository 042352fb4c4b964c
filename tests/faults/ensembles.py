"""What happens to a whole ensemble: its leader is lost, or all that it ever knew."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devstack import control
from tests.faults.fault import Fault
from tests.faults.scene import Scene
from tests.waiting import eventually

ZOOKEEPER: Final = "zookeeper"


def leader_lost(scene: Scene, seed: int) -> None:
    """Three servers; the one that leads is killed, and comes back later."""
    scene.begin(scene.worker(), seed)
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


def rebuilt(scene: Scene, seed: int) -> None:
    """All that ZooKeeper held is gone; the board is made and registered anew."""
    scene.begin(scene.worker(), seed)
    scene.end_load()
    scene.await_rest()
    revision = scene.stored()["revision"]
    scene.unknowable.add("era")
    with scene.fault():
        _note_gone(scene, set())
        _with_other_data(scene, shutil.rmtree)
        scene.add(scene.board)
        scene.start(seed + 1000)
    scene.await_operations(300)
    assert scene.stored()["revision"] > revision, "revisions go on"
    _await_era(scene)


def restored(scene: Scene, seed: int) -> None:
    """ZooKeeper is set back to an older copy of its data."""
    scene.begin(scene.worker(), seed)
    scene.end_load()
    scene.await_rest()
    older, kept = scene.log.parent / "older", set(scene.zookeeper.get_children(scene.board))
    control.freeze(ZOOKEEPER)
    try:
        shutil.copytree(_data(), older)
    finally:
        control.thaw(ZOOKEEPER)
    scene.start(seed + 1000)
    scene.await_operations(300)
    scene.end_load()
    scene.await_rest()
    scene.unknowable.add("era")

    def set_back(data: Path) -> None:
        shutil.rmtree(data)
        shutil.copytree(older, data)

    with scene.fault():
        _note_gone(scene, kept)
        _with_other_data(scene, set_back)
    scene.start(seed + 2000)
    scene.await_operations(300)
    _await_era(scene)


def _data() -> Path:
    return Path(os.environ["DEVSTACK_FOLDER"]) / ZOOKEEPER / "data" / "version-2"


def _with_other_data(scene: Scene, alter: Callable[[Path], object]) -> None:
    """Stop ZooKeeper, alter its folder of data, and start it again."""
    control.stop(ZOOKEEPER)
    try:
        alter(_data())
    finally:
        control.start(ZOOKEEPER)
        control.wait_ready(ZOOKEEPER)
    # Or the server would refuse this test's own client, which has seen a later zxid than it has.
    scene.zookeeper.last_zxid = 0
    eventually(lambda: scene.zookeeper.connected, 60.0, "the test's own client is back")


def _note_gone(scene: Scene, kept: set[str]) -> None:
    """Log that the jobs will be gone that are on the board now, and not in the copy of it."""
    for job in scene.database.jobs.find({"board": scene.board, "state": {"$ne": "COMPLETE"}}):
        if job["name"] not in kept:
            names = {name: job[name] for name in ("name", "uuid", "incarnation")}
            scene.note("removed", creates=0, deletes=1, **names)


def _await_era(scene: Scene) -> None:
    era = {"board": scene.board, "reason": "era"}
    eventually(lambda: scene.database.gaps.find_one(era), why="a gap says that it is another one")


FAULTS: Final = (
    Fault("ZooKeeper rebuilt from nothing", rebuilt, always=True),
    Fault("ZooKeeper restored from an older copy", restored),
)
OF_THREE: Final = (Fault("the leader of three ZooKeepers lost", leader_lost),)
