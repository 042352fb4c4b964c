"""The reconciler: what differs from ZooKeeper is found, mended, counted and logged."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.stores.live import LiveStore
from canary.stores.mongo import connect as connect_mongodb
from canary.stores.mongo import ensure_schema
from canary.watchers.context import Tally, WatchContext
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.faults.judge import is_mirror
from tests.integration.boards import claim, consume, post
from tests.integration.watching import Watching, take
from tests.waiting import eventually

INTERVAL = 0.2  # seconds

Mongo = Database[dict[str, Any]]


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=5)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    """A board with a job that waits, one that runs, one that is consumed, and a child beside."""
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(f"{path}/other")
    post(zookeeper, path)
    for _ in range(2):
        claim(zookeeper, path, post(zookeeper, path))
    return path


@pytest.fixture
def watching(client: Client, config: Config, database: Mongo, path: str) -> Iterator[Watching]:
    assert database.name == config.mongo.database
    mongo = connect_mongodb(config.mongo)
    ensure_schema(mongo, config.mongo)
    context = WatchContext(client, Pulse(client), INTERVAL)
    watching = Watching(context, take(LiveStore(mongo, "test"), path))
    eventually(lambda: context.tally.reconciled)
    yield watching
    watching.watch.stop()
    watching.greenlet.get(timeout=10)
    mongo.client.close()


def jobs(database: Mongo, path: str) -> list[str]:
    return [job["name"] for job in database.jobs.find({"board": path}).sort("name")]


def test_nothing_is_found_where_all_is_well(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    tally = watching.context.tally
    for _ in range(5):
        job = post(zookeeper, path)
        claim(zookeeper, path, job)
        before = tally.reconciled
        eventually(partial(is_more, tally, before))
        consume(zookeeper, path, job)
        eventually(partial(is_more, tally, tally.reconciled))
    assert tally.drift == 0
    assert is_mirror(database, zookeeper, path)
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["drift"] == 0


def is_more(tally: Tally, before: int) -> bool:
    return tally.reconciled > before


def lose_a_job(database: Mongo, path: str) -> None:
    database.jobs.delete_one({"board": path, "state": "CLAIMED"})


def end_a_job(database: Mongo, path: str) -> None:
    ended = {"state": "COMPLETE", "outcome": "consumed", "lock": None}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": ended})


def change_an_owner(database: Mongo, path: str) -> None:
    owner = {"lock.owner": "eve", "owner": "eve"}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": owner})


def invent_a_job(database: Mongo, path: str) -> None:
    job = database.jobs.find_one({"board": path, "state": "UNCLAIMED"})
    assert job is not None
    job |= {"_id": f"{path}#{1:016x}", "name": "job9999999999", "czxid": 1}
    database.jobs.insert_one(job)


def lose_a_node(database: Mongo, path: str) -> None:
    database.nodes.delete_one({"board": path})


def invent_a_node(database: Mongo, path: str) -> None:
    database.nodes.insert_one({"_id": f"{path}/ghost", "board": path, "name": "ghost"})


def change_the_stat(database: Mongo, path: str) -> None:
    database.boards.update_one({"_id": path}, {"$inc": {"stat.cversion": 7}})


@pytest.mark.parametrize(
    ("plant", "differences"),
    [
        (lose_a_job, 1),
        (end_a_job, 1),
        (change_an_owner, 1),
        (invent_a_job, 1),
        (lose_a_node, 1),
        (invent_a_node, 1),
        (change_the_stat, 1),
    ],
)
def test_what_differs_in_mongodb_is_mended(
    watching: Watching,
    zookeeper: KazooClient,
    database: Mongo,
    path: str,
    caplog: pytest.LogCaptureFixture,
    plant: Callable[[Mongo, str], None],
    differences: int,
) -> None:
    before = snapshot(database, path)
    plant(database, path)
    eventually(lambda: watching.context.tally.drift == differences)
    after = snapshot(database, path)
    assert is_mirror(database, zookeeper, path)
    assert after["boards"][0].pop("drift") == before["boards"][0].pop("drift") + differences
    if plant is invent_a_job:
        [invented] = [job for job in after["jobs"] if job["name"] == "job9999999999"]
        assert (invented["state"], invented["outcome"]) == ("COMPLETE", "unknown")
        after["jobs"].remove(invented)
    assert without_revision(after) == without_revision(before)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "differences were mended" in errors[0].message
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled + 1)
    assert watching.context.tally.drift == differences, "once is enough"


def test_what_the_log_says_of_a_job_that_came_back_is_told_again(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    gone = jobs(database, path)[1]
    consume(zookeeper, path, gone)
    eventually(lambda: database.jobs.find_one({"board": path, "name": gone, "state": "COMPLETE"}))
    before = snapshot(database, path)
    alive = {"state": "UNCLAIMED", "outcome": None, "ended_at": None, "ended_seen_at": None}
    database.jobs.update_one({"board": path, "name": gone}, {"$set": alive})
    eventually(lambda: watching.context.tally.drift == 1)
    assert without_revision(snapshot(database, path))["jobs"] == without_revision(before)["jobs"]


def test_what_differs_in_the_worker_s_memory_is_mended(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    watch, tally = watching.watch, watching.context.tally
    state = watch._state
    name, job = next((name, job) for name, job in state.jobs.items() if job.lock)
    forged = replace(job, lock=None)
    watch._state = replace(
        state,
        jobs={**state.jobs, name: forged},
        children=state.children - {f"{name}.lock"},
    )
    eventually(lambda: tally.drift)
    reconciled = tally.reconciled
    eventually(lambda: tally.reconciled > reconciled)
    assert is_mirror(database, zookeeper, path)
    told = database.changes.find_one({"board": path, "kind": "claimed", "name": name, "creates": 0})
    assert told is not None, "it was in the account already"
    [gap] = database.gaps.find({"board": path})
    assert (gap["reason"], gap["creates"], gap["deletes"]) == ("drift", 0, 0)
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["drift"] == tally.drift > 0


def test_a_board_that_is_gone_is_compared_as_well(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    zookeeper.delete(path, recursive=True)
    missing = {"_id": path, "freshness": "missing"}
    eventually(partial(database.boards.find_one, missing))
    assert watching.context.tally.drift == 0
    invent_a_node(database, path)
    eventually(lambda: watching.context.tally.drift == 1)
    assert database.nodes.count_documents({"board": path}) == 0


def test_a_board_that_is_created_empty_is_stored_as_it_is(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    zookeeper.delete(path, recursive=True)
    eventually(partial(database.boards.find_one, {"_id": path, "freshness": "missing"}))
    zookeeper.create(path)
    czxid = zookeeper.exists(path).czxid
    eventually(partial(database.boards.find_one, {"_id": path, "stat.czxid": czxid}))
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled)
    assert watching.context.tally.drift == 0


def snapshot(database: Mongo, path: str) -> dict[str, list[dict[str, Any]]]:
    """Return all documents of a board but those that tell when they were written."""
    return {
        "boards": list(database.boards.find({"_id": path}, {"freshness_since": 0})),
        "jobs": list(database.jobs.find({"board": path}).sort("_id")),
        "nodes": list(database.nodes.find({"board": path}).sort("_id")),
        "changes": list(database.changes.find({"board": path}).sort("_id")),
        "gaps": list(database.gaps.find({"board": path}).sort("_id")),
    }


def without_revision(documents: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Leave out what a mended job can't know: which change made it so, and when that was seen."""
    for job in documents["jobs"]:
        job.pop("revision")
        if job["lock"]:
            job["lock"].pop("seen_at")
    return documents
