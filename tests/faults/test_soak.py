"""Creates and deletes without end on one session: nothing grows, and the account still closes.

SOAK_OPERATIONS says how many; `make soak` takes a million.
"""

import json
import os
import socket
import uuid
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from tests.faults.judge import is_mirror
from tests.faults.scene import Scene
from tests.waiting import eventually

pytestmark = pytest.mark.faults

OPERATIONS = int(os.environ.get("SOAK_OPERATIONS", "20000"))
AT_ONCE = 100  # jobs that are posted, claimed and consumed together
SAMPLES = 20
WARM = SAMPLES // 4  # samples until all that is allocated once has been
MAX_GROWTH = 1.25  # of the median memory after that; allocators breathe
CATCH_UP = 120.0  # seconds


def test_nothing_grows(
    make_scene: Callable[[], Scene], zookeeper: KazooClient, database: Database[dict[str, Any]]
) -> None:
    scene = make_scene()
    worker = psutil.Process(scene.worker().process.pid)
    eventually(lambda: scene.freshness() == "missing", 30.0)
    zookeeper.ensure_path(scene.board)
    scene.await_live()
    [session] = scene.claims().values()
    memory: list[int] = []
    watches: list[int] = []
    per_job = 4  # two creates, two deletes
    rounds = max(SAMPLES, OPERATIONS // per_job // AT_ONCE)
    for number in range(1, rounds + 1):
        come_and_go(zookeeper, scene.board)
        if number * SAMPLES // rounds > len(memory):
            memory.append(worker.memory_info().rss // 2**20)
            watches.append(watch_count(session))
            print(f"{number * AT_ONCE * per_job}: {memory[-1]} MiB, {watches[-1]} watches")
    done = rounds * AT_ONCE * per_job // 2
    eventually(
        lambda: (
            is_read_to_the_end(database, zookeeper, scene.board)
            and scene.freshness() == "live"
            and is_mirror(database, zookeeper, scene.board)
        ),
        CATCH_UP,
        "it has caught up",
    )
    told = total(database.changes, scene.board)
    unseen = total(database.gaps, scene.board)
    print(f"{2 * done} made, {sum(told)} seen, {sum(unseen)} unseen")
    assert list(scene.claims().values()) == [session], "all on one session"
    assert [seen + rest for seen, rest in zip(told, unseen, strict=True)] == [done, done]
    assert max(watches[WARM:]) <= AT_ONCE + 20, "one a lock, and a few for the board"
    before = sorted(memory[WARM : 2 * WARM])[WARM // 2]
    assert max(memory[-WARM:]) <= MAX_GROWTH * before, f"MiB: {memory}"


def come_and_go(zookeeper: KazooClient, board: str) -> None:
    """Post, claim and consume jobs: each step of all of them at once."""
    posting = {"name": "soak", "details": {}}
    answers = [
        zookeeper.create_async(
            f"{board}/job",
            json.dumps(posting | {"uuid": str(uuid.uuid4())}).encode(),
            sequence=True,
        )
        for _ in range(AT_ONCE)
    ]
    jobs = [answer.get(timeout=60) for answer in answers]
    claims = [
        zookeeper.create_async(f"{job}.lock", b'{"owner": "soak"}', ephemeral=True) for job in jobs
    ]
    for claim in claims:
        claim.get(timeout=60)
    ends = []
    for job in jobs:
        transaction = zookeeper.transaction()
        transaction.delete(f"{job}.lock")
        transaction.delete(job)
        ends.append(transaction.commit_async())
    for end in ends:
        assert end.get(timeout=60) == [True, True]


def is_read_to_the_end(
    database: Database[dict[str, Any]], zookeeper: KazooClient, board: str
) -> bool:
    """Return whether the last change is stored: an empty board looks as it did before."""
    there, stored = zookeeper.exists(board), database.boards.find_one({"_id": board})
    assert there is not None
    assert stored is not None
    return stored["stat"] is not None and stored["stat"]["cversion"] == there.cversion


def watch_count(session: int) -> int:
    """Return how many watches the server holds for a session, by its word ``wchc``.

    It names each session, and below it, indented, each path that it watches.
    """
    host, _, port = os.environ["DEVSTACK_ZOOKEEPER"].rpartition(":")
    with socket.create_connection((host, int(port)), 10.0) as connection:
        connection.sendall(b"wchc")
        with connection.makefile() as answer:
            lines = answer.read().splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("0x")]
    [own] = [number for number in heads if int(lines[number], 16) == session % 2**64]
    return next((number for number in heads if number > own), len(lines)) - own - 1


def total(collection: Any, board: str) -> list[int]:
    """Return the creates and the deletes of all documents of a board."""
    group = {"_id": None, "creates": {"$sum": "$creates"}, "deletes": {"$sum": "$deletes"}}
    found = list(collection.aggregate([{"$match": {"board": board}}, {"$group": group}]))
    return [int(found[0]["creates"]), int(found[0]["deletes"])] if found else [0, 0]
