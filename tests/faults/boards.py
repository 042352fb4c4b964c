"""What happens on a board itself: too fast, garbage, deleted, hidden; and no fault at all."""

import json
import random
from contextlib import suppress
from typing import Final

from kazoo.exceptions import KazooException
from kazoo.security import ACL, OPEN_ACL_UNSAFE, Id

from tests.faults.fault import Fault, lasting
from tests.faults.scene import BURST, HUMAN_PACE, Scene
from tests.waiting import eventually

#: All but reading; whoever is in the load can go on.
NO_READ: Final = [ACL(perms=2 | 4 | 8 | 16, id=Id("world", "anyone"))]
GARBAGE: Final = (b"", b"\xff\xfe", b"{", b"[" * 5_000, b"null", b"x" * 100_000)


def no_fault(scene: Scene, seed: int) -> None:
    """One by one nothing is unseen: neither a watch nor a look may miss or fold anything."""
    scene.worker()
    scene.start(seed, HUMAN_PACE, one_by_one=True)
    scene.await_operations(int(lasting(100, 400)))


def burst(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_operations(int(lasting(1500, 5000)))


def deleted_and_created_again(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.unknowable.add("board_deleted")
    for _ in range(2):
        scene.start(seed, BURST)
        scene.await_live()
        scene.await_operations(200)
        scene.end_load()
        began = scene.begin_fault()
        delete(scene)
        eventually(lambda: scene.freshness() == "missing", 30.0, "it is missing")
        scene.faults.append(began())
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(200)


def delete(scene: Scene) -> None:
    """Delete all that is on the board, then the board, as ZooKeeper wants it."""
    client, board = scene.zookeeper, scene.board
    incarnation = client.exists(board).czxid
    for name in sorted(client.get_children(board)):
        # From ZooKeeper: Canary may not have stored the job yet.
        uuid = uuid_of(client.get(f"{board}/{name}")[0])
        client.delete(f"{board}/{name}")
        scene.note("removed", name, 0, 1, uuid=uuid, incarnation=incarnation)
    client.delete(board)


def hands_changed(scene: Scene, seed: int) -> None:
    """Locks are released and taken again in one transaction: no watch tells of it."""
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(int(lasting(600, 2000)))
    scene.end_load()
    client, board = scene.zookeeper, scene.board
    names = [name for name in client.get_children(board) if not name.endswith(".lock")]
    incarnation = client.exists(board).czxid
    for owner in ("ann", "bob", "ann"):
        for name in names:
            lock, row = f"{board}/{name}.lock", {"incarnation": incarnation}
            before = client.exists(lock) and owner_of(client.get(lock)[0])
            transaction = client.transaction()
            if before:
                transaction.delete(lock)
            transaction.create(lock, b'{"owner": "%s"}' % owner.encode(), ephemeral=True)
            results = transaction.commit()
            assert not any(isinstance(result, KazooException) for result in results)
            uuid = uuid_of(client.get(f"{board}/{name}")[0])
            if before:
                scene.note("abandoned", name, 0, 1, owner=before, uuid=uuid, **row)
            scene.note("claimed", name, 1, 0, owner=owner, uuid=uuid, **row)


def owner_of(data: bytes) -> str:
    return str(json.loads(data)["owner"])


def uuid_of(data: bytes) -> str:
    return str(json.loads(data)["uuid"])


def garbage(scene: Scene, seed: int) -> None:
    """Nodes that are no jobs, and jobs that are none: on the board and on Canary's own."""
    chooser = random.Random(seed)
    client, board = scene.zookeeper, scene.board
    own = scene.jobboard
    client.ensure_path(own)
    for number, data in enumerate(GARBAGE):
        client.create(f"{own}/job9{number:09d}", data)
    client.create(f"{own}/jobless", b"")
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    incarnation = client.exists(board).czxid
    with scene.fault():
        for number in range(int(lasting(20, 100))):
            name, data = f"stray-{number}", chooser.choice(GARBAGE)
            client.create(f"{board}/{name}", data)
            scene.note("node_created", name, 1, 0)
            if chooser.random() < 0.5:
                client.delete(f"{board}/{name}")
                scene.note("node_deleted", name, 0, 1)
            path = client.create(f"{board}/job", data, sequence=True)
            name = path.rpartition("/")[2]
            scene.note("malformed", name, 1, 0, incarnation=incarnation)
            client.delete(path)
            scene.note("removed", name, 0, 1, incarnation=incarnation)
            with suppress(KazooException):
                client.create(f"{own}/job8{number:09d}", data)
        scene.await_operations(100)


def hidden(scene: Scene, seed: int) -> None:
    scene.worker()
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(200)
    with scene.fault():
        scene.zookeeper.set_acls(scene.board, NO_READ)
        scene.await_admitted("denied", limit=60.0)
        scene.await_operations(200)
        scene.zookeeper.set_acls(scene.board, OPEN_ACL_UNSAFE)
    scene.await_operations(200)


FAULTS: Final = (
    Fault("none, at a human pace", no_fault),
    Fault("none, in a burst", burst),
    Fault("board absent, created, deleted, created again", deleted_and_created_again),
    Fault("a lock released and taken again inside one watch window", hands_changed),
    Fault("garbage on a watched board and on Canary's own", garbage),
    Fault("access to the board revoked by ACL", hidden),
)
