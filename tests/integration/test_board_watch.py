"""One board's watch in this process: how it ends, and what it leaves behind."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.errors import Fenced, ZooKeeperUnavailable
from canary.stores.writing.batches import BATCH_CHANGES
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.freshness_log import FreshnessLog
from tests.integration.boards import claim, kinds, mirrored, post, post_many, posting
from tests.integration.conftest import FOR_EVER, SESSION_TIMEOUT
from tests.integration.proxy import Proxy
from tests.integration.watching import Watching, take
from tests.waiting import allowed, eventually

Mongo = Database[dict[str, Any]]


@pytest.fixture
def session_timeout() -> float:
    """Seconds."""
    return SESSION_TIMEOUT


@pytest.fixture
def client(config: Config, proxy: Proxy, session_timeout: float) -> Iterator[Client]:
    options = replace(config.zookeeper, hosts=(proxy.address,), session_timeout=session_timeout)
    client = connect(options)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def store(connected: Mongo) -> LiveStore:
    return LiveStore(connected, "test")


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    return path


def test_it_leaves_nothing_behind(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    job = post(zookeeper, path)
    claim(zookeeper, path, job)
    listeners = set(client.state_listeners)
    for epoch in range(1, 6):
        watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, epoch))
        eventually(lambda: mirrored(database, path) == {job: ("CLAIMED", "ann")})
        eventually(lambda: client._data_watchers[f"{path}/{job}.lock"])
        watching.watch.stop()
        watching.greenlet.get(timeout=30)
        assert watching.failure is None
        assert client.state_listeners == listeners
        assert not any(client._data_watchers.values())
        assert not any(client._child_watchers.values())


def test_what_the_first_look_finds_did_not_happen_then(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    there = 2 * BATCH_CHANGES + 5
    post_many(zookeeper, path, there, "ann")
    happened = {"board": path, "found": False}

    def watch(epoch: int) -> Watching:
        return Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, epoch))

    watching = watch(1)
    eventually(lambda: len(mirrored(database, path)) == there)
    assert database.changes.count_documents({"board": path, "found": True}) == 2 * there
    one = post(zookeeper, path)
    eventually(lambda: one in mirrored(database, path))
    watching.watch.stop()
    watching.greenlet.get(timeout=30)
    other = post(zookeeper, path)
    watching = watch(2)
    eventually(lambda: other in mirrored(database, path))
    watching.watch.stop()
    watching.greenlet.get(timeout=30)
    told = database.changes.find(happened).sort("revision", 1)
    assert [change["name"] for change in told] == [one, other]


def test_on_a_board_that_was_awaited_all_has_happened(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    zookeeper.delete(path)
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "missing"}))
    zookeeper.ensure_path(path)
    job = post(zookeeper, path)
    eventually(lambda: job in mirrored(database, path))
    watching.watch.stop()
    watching.greenlet.get(timeout=30)
    assert [change["found"] for change in database.changes.find({"board": path})] == [False]


def test_a_lock_that_is_read_again_is_watched_once(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    job = post(zookeeper, path)
    claim(zookeeper, path, job)
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: mirrored(database, path) == {job: ("CLAIMED", "ann")})
    for _ in range(5):
        watching.watch._changed(f"{job}.lock", False)
        another = post(zookeeper, path)
        eventually(partial(database.jobs.find_one, {"board": path, "name": another}))
    assert len(client._data_watchers[f"{path}/{job}.lock"]) == 1
    watching.watch.stop()
    watching.greenlet.get(timeout=30)


def test_a_defect_in_writing_ends_it_visibly(
    client: Client,
    store: LiveStore,
    database: Mongo,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def defect(_self: LiveBoard, *_rest: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(LiveBoard, "resume", defect)
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    watching.greenlet.get(timeout=30)
    assert isinstance(watching.failure, ZeroDivisionError)
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["freshness"] == "unwatched"


def test_a_defect_in_reading_ends_it_visibly(
    client: Client,
    store: LiveStore,
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    monkeypatch.setattr(BoardWatch, "_take_on", lambda *_: 1 // 0)
    post(zookeeper, path)
    watching.greenlet.get(timeout=30)
    assert isinstance(watching.failure, ZeroDivisionError)


def test_another_workers_board_is_left_to_it(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    first = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, 1))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    second = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, 2))
    job = post(zookeeper, path)
    first.greenlet.get(timeout=30)
    assert isinstance(first.failure, Fenced)
    eventually(lambda: job in mirrored(database, path))
    assert kinds(database, path) == ["posted"]
    second.watch.stop()
    second.greenlet.get(timeout=30)


def test_a_restored_ensemble_is_read_whole(
    client: Client, store: LiveStore, database: Mongo, zookeeper: KazooClient, path: str
) -> None:
    """An epoch below the one before says so; names and counters may be those of other jobs."""
    names = [post(zookeeper, path) for _ in range(2)]
    first = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, 2**60))
    eventually(lambda: len(mirrored(database, path)) == 2)
    first.watch.stop()
    first.greenlet.get(timeout=30)
    zookeeper.delete(f"{path}/{names[0]}")
    zookeeper.create(f"{path}/{names[0]}", posting("another"))
    second = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path, 1))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    last = post(zookeeper, path)
    eventually(lambda: mirrored(database, path).keys() == {*names, last})
    second.watch.stop()
    second.greenlet.get(timeout=30)
    assert sorted(kinds(database, path)) == ["ended", "posted", "posted", "posted", "posted"]
    job = database.jobs.find_one({"board": path, "name": names[0], "state": "UNCLAIMED"})
    assert job is not None
    assert job["job_name"] == "another"
    assert [gap["reason"] for gap in database.gaps.find({"board": path})] == ["era"]


def test_it_stops_at_once_while_zookeeper_is_silent(
    client: Client,
    store: LiveStore,
    database: Mongo,
    path: str,
    proxy: Proxy,
) -> None:
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    client.call_timeout = FOR_EVER
    with proxy.frozen():
        watching.watch._wake.set()
        watching.watch.stop()
        watching.greenlet.get(timeout=60)
    assert watching.failure is None


@pytest.mark.parametrize("session_timeout", [2.0])  # so that it is soon over
def test_silence_for_the_sessions_timeout_is_the_end(
    client: Client, store: LiveStore, database: Mongo, path: str, proxy: Proxy
) -> None:
    """kazoo tells of a lost session only when the server does."""
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    with FreshnessLog(database, path) as log, proxy.away():
        started = time.monotonic()
        watching.greenlet.get(timeout=allowed(client.session_timeout))
        assert time.monotonic() - started > client.session_timeout / 2
        eventually(lambda: log.written() == ["suspended", "unwatched"])
    assert isinstance(watching.failure, ZooKeeperUnavailable)


def test_a_short_silence_is_not(
    client: Client,
    store: LiveStore,
    database: Mongo,
    path: str,
    proxy: Proxy,
) -> None:
    watching = Watching(WatchContext(client, Pulse(client), 3600.0), take(store, path))
    eventually(lambda: database.boards.find_one({"_id": path, "freshness": "live"}))
    with FreshnessLog(database, path) as log:
        for times in range(1, 4):
            with proxy.away():
                eventually(lambda times=times: log.written().count("suspended") == times)  # type: ignore[misc]
            eventually(lambda: log.written()[-1] == "live")
    watching.greenlet.join(client.session_timeout)
    assert not watching.greenlet.dead
    watching.watch.stop()
    watching.greenlet.get(timeout=30)
    assert watching.failure is None
