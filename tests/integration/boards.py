"""Boards as their owners use them: jobs posted, claimed and ended, by hand and by TaskFlow."""

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from pymongo.database import Database
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard

Mirror = dict[str, tuple[str, str | None]]  # a job's name: its state and owner

#: Why what happened was found later than within three seconds, though all are alive.
STOOD_STILL: Final = frozenset({"late", "suspended"})


def post(zookeeper: KazooClient, board: str, payload: bytes | None = None) -> str:
    """Post a job as TaskFlow does, or with a payload of one's own; return its znode's name."""
    path: str = zookeeper.create(
        f"{board}/job", posting() if payload is None else payload, sequence=True
    )
    return path.rpartition("/")[2]


def posting(name: str = "build", **details: Any) -> bytes:
    """Return a job's payload."""
    return json.dumps({"uuid": str(uuid.uuid4()), "name": name, "details": details}).encode()


def claim(zookeeper: KazooClient, board: str, job: str, owner: str = "ann") -> None:
    """Claim a job as TaskFlow does."""
    data = json.dumps({"owner": owner}).encode()
    zookeeper.create(f"{board}/{job}.lock", data, ephemeral=True)


def consume(zookeeper: KazooClient, board: str, job: str) -> None:
    """End a claimed job as TaskFlow does."""
    transaction = zookeeper.transaction()
    transaction.delete(f"{board}/{job}.lock")
    transaction.delete(f"{board}/{job}")
    assert transaction.commit() == [True, True]


def post_many(zookeeper: KazooClient, board: str, count: int, owner: str | None = None) -> None:
    """Post many jobs at once, claimed by ``owner`` if there is one."""
    answers = []
    for number in range(count):
        transaction = zookeeper.transaction()
        path = f"{board}/job{number:010d}"
        transaction.create(path, posting())
        if owner is not None:
            data = json.dumps({"owner": owner}).encode()
            transaction.create(f"{path}.lock", data, ephemeral=True)
        answers.append(transaction.commit_async())
    for answer in answers:
        answer.get(timeout=30)


@contextmanager
def taskflow_board(path: str) -> Iterator[ZookeeperJobBoard]:
    """TaskFlow's own jobboard, connected."""
    conf = {"path": path, "hosts": os.environ["DEVSTACK_ZOOKEEPER"]}
    board = ZookeeperJobBoard("test", conf)
    board.connect()
    try:
        yield board
    finally:
        board.close()


def on_board(zookeeper: KazooClient, board: str) -> Mirror:
    """Return the jobs that ZooKeeper holds on a board."""
    try:
        children: Sequence[str] = zookeeper.get_children(board)
    except NoNodeError:
        return {}
    found: Mirror = {}
    for name in children:
        if name.endswith(".lock") or not name.startswith("job"):
            continue
        found[name] = ("UNCLAIMED", None)
        if f"{name}.lock" in children:
            data, _ = zookeeper.get(f"{board}/{name}.lock")
            found[name] = ("CLAIMED", json.loads(data)["owner"])
    return found


def mirrored(database: Database[dict[str, Any]], board: str) -> Mirror:
    """Return the jobs that Canary shows on a board."""
    jobs = database.jobs.find({"board": board, "state": {"$ne": "COMPLETE"}})
    return {
        job["name"]: (job["state"], job["lock"]["owner"] if job["lock"] else None) for job in jobs
    }


def kinds(database: Database[dict[str, Any]], board: str) -> list[str]:
    """Return what was told of a board, in order."""
    return [
        change["kind"] for change in database.changes.find({"board": board}).sort("revision", 1)
    ]


def missed(
    database: Database[dict[str, Any]], board: str | None = None
) -> list[tuple[str, int | None, int | None]]:
    """Return gaps, but for those of a machine that stood still, in which nothing is unseen."""
    gaps = database.gaps.find({} if board is None else {"board": board})
    found = [(gap["reason"], gap["creates"], gap["deletes"]) for gap in gaps]
    return [gap for gap in found if gap[0] not in STOOD_STILL or gap[1:] != (0, 0)]


def register(zookeeper: KazooClient, jobboard: str, *boards: str) -> None:
    """Have boards watched, as canary-producer does, without the second that it takes to start."""
    zookeeper.ensure_path(jobboard)
    for board in boards:
        post(zookeeper, jobboard, posting("watch", path=board))
