"""``complete`` where nobody watched for a while: false, unless it is sure that nothing happened."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.watermark import LATE
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.asking import ask as query
from tests.asking import is_ready
from tests.freshness_log import FreshnessLog
from tests.integration.boards import claim, consume, mirrored, post, register
from tests.integration.conftest import Command, Spawn
from tests.integration.proxy import Proxy
from tests.integration.watching import Watching, take
from tests.ports import free_port
from tests.waiting import eventually

Mongo = Database[dict[str, Any]]
Gaps = list[tuple[str, int | None, int | None]]


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    return path


def gaps(database: Mongo, path: str) -> Gaps:
    found = database.gaps.find({"board": path}).sort("from")
    return [(gap["reason"], gap["creates"], gap["deletes"]) for gap in found]


def is_live(database: Mongo, path: str) -> bool:
    return database.boards.find_one({"_id": path, "freshness": "live"}) is not None


class TestWorkers:
    """Over HTTP, with real workers, of which the first is gone for a while before the second."""

    @pytest.fixture
    def url(self, spawn: Spawn) -> str:
        port = free_port()
        spawn("canary-server", OS_SERVER__PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_ready(url), why="the server answers")
        return url

    @pytest.fixture
    def first(
        self, spawn: Spawn, zookeeper: KazooClient, config: Config, database: Mongo, path: str
    ) -> Command:
        register(zookeeper, config.canary.jobboard, path)
        worker = spawn("canary-worker")
        eventually(lambda: is_live(database, path))
        return worker

    @pytest.fixture
    def ask(self, url: str, path: str) -> Callable[[datetime], tuple[dict[str, str], bool]]:
        """What /v1.0/jobs says of a moment: each job's status, and ``complete``."""

        def ask(at: datetime) -> tuple[dict[str, str], bool]:
            [board] = query(url, "/v1.0/jobs", path=path, at=at.isoformat(), interval="0")
            return {job["_uuid"]: job["status"] for job in board["jobs"]}, board["complete"]

        return ask

    @pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
    def test_what_happened_while_nobody_watched_is_not_complete(
        self,
        first: Command,
        spawn: Spawn,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        ask: Callable[[datetime], tuple[dict[str, str], bool]],
        end: int,
    ) -> None:
        job = post(zookeeper, path)
        claim(zookeeper, path, job)
        eventually(lambda: mirrored(database, path) == {job: ("CLAIMED", "ann")})
        earlier = len(gaps(database, path))  # a machine may stand still at any time
        before = datetime.now(UTC)
        known = {"until": {"$gt": before}, "behind": []}
        eventually(lambda: database.workers.find_one(known), why="it was watched up to there")
        first.end(end)
        consume(zookeeper, path, job)
        within = datetime.now(UTC)
        spawn("canary-worker")
        eventually(lambda: mirrored(database, path) == {})
        after = datetime.now(UTC)
        eventually(lambda: ask(after)[1], why="it is watched again")
        # It was gone by then. Nobody can know that, and so nobody is told otherwise.
        [told] = ask(within)[0].values()
        assert told == "CLAIMED"
        assert ask(within)[1] is False
        assert ask(before)[1] is True
        [(reason, *unseen)] = gaps(database, path)[earlier:]
        assert reason == ("handover" if end == signal.SIGTERM else "restart")
        assert unseen == [0, 0]

    def test_a_handover_in_which_nothing_happens_is_complete(
        self,
        first: Command,
        spawn: Spawn,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        ask: Callable[[datetime], tuple[dict[str, str], bool]],
    ) -> None:
        claim(zookeeper, path, post(zookeeper, path))
        eventually(lambda: database.jobs.find_one({"board": path, "state": "CLAIMED"}))
        earlier = gaps(database, path)  # a machine may stand still at any time
        first.end()
        within = datetime.now(UTC)
        assert ask(within)[1] is False, "that nothing happens is not known yet"
        spawn("canary-worker")
        eventually(lambda: is_live(database, path))
        eventually(lambda: ask(within)[1])
        assert list(ask(within)[0].values()) == ["CLAIMED"]
        assert gaps(database, path) == earlier


class TestConnection:
    """In this process: what is between the worker and ZooKeeper."""

    @pytest.fixture
    def client(self, config: Config, proxy: Proxy) -> Iterator[Client]:
        options = replace(config.zookeeper, hosts=(proxy.address,))
        client = connect(options)
        client.start(timeout=30)
        yield client
        disconnect(client, 1.0)

    @pytest.fixture
    def watching(
        self, client: Client, connected: Mongo, database: Mongo, path: str
    ) -> Iterator[Watching]:
        context = WatchContext(client, Pulse(client), 3600.0)
        watching = Watching(context, take(LiveStore(connected, "test"), path))
        eventually(lambda: is_live(database, path))
        yield watching
        watching.watch.stop()
        watching.greenlet.get(timeout=30)

    @pytest.mark.usefixtures("watching")
    @pytest.mark.parametrize("how", ["away", "frozen"])
    @pytest.mark.parametrize("is_quiet", [True, False])
    def test_what_happened_while_zookeeper_was_not_heard_is_not_complete(
        self,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        proxy: Proxy,
        how: str,
        is_quiet: bool,
    ) -> None:
        with FreshnessLog(database, path) as log:
            with proxy.away() if how == "away" else proxy.frozen():
                eventually(lambda: "suspended" in log.written())
                job = "" if is_quiet else post(zookeeper, path)
            eventually(lambda: log.written()[-1] == "live")
        if is_quiet:
            assert gaps(database, path) == []
        else:
            eventually(lambda: job in mirrored(database, path))
            assert gaps(database, path) == [("suspended" if how == "away" else "late", 0, 0)]

    def test_what_a_late_look_finds_is_not_complete(
        self, watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        """As after a worker stood still whose session outlived that."""
        watermark = watching.watch._watermark
        pulse = watching.context.pulse
        eventually(lambda: pulse.until is not None and watermark.lag() is None)

        def is_found_at_once() -> bool:
            earlier = gaps(database, path)  # a machine may stand still at any time
            job = post(zookeeper, path)
            eventually(lambda: job in mirrored(database, path))
            return gaps(database, path) == earlier

        eventually(is_found_at_once)
        earlier = len(gaps(database, path))
        start = watermark.until() - 2 * LATE
        watermark._known = pulse.until = watermark._verified = start
        watermark.touch()
        late = post(zookeeper, path)
        eventually(lambda: late in mirrored(database, path))
        assert gaps(database, path)[earlier:] == [("late", 0, 0)]


def test_boards_that_come_and_go_while_nobody_watches_are_not_complete(
    client: Client,
    connected: Mongo,
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
) -> None:
    zookeeper.delete(path)
    for epoch in (1, 2):
        context = WatchContext(client, Pulse(client), 3600.0)
        watching = Watching(context, take(LiveStore(connected, "test"), path, epoch))
        eventually(partial(database.boards.find_one, {"_id": path, "freshness": "missing"}))
        watching.watch.stop()
        watching.greenlet.get(timeout=30)
        zookeeper.create(path)
        post(zookeeper, path)
        zookeeper.delete(path, recursive=True)
    assert gaps(database, path) == [("handover", None, None)]


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)
