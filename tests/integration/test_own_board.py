"""Canary's own board: shown as a board, to who asks for it by name."""

import signal
from typing import Any

import pytest
import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.server.v2.itself import Itself
from canary.worker.self_watch import lock_path
from tests.asking import ask, is_ready
from tests.integration.boards import mirrored, on_board, post, posting, register
from tests.integration.conftest import Command, Spawn
from tests.ports import free_port
from tests.waiting import eventually

TAKE_OVER = 60.0  # seconds for another worker to have a board whose watcher died

Mongo = Database[dict[str, Any]]


class Server:
    """A canary-server, asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, resource: str, **query: str) -> Any:
        return ask(self.url, resource, **query)

    def freshness(self, path: str) -> list[str]:
        return [board["freshness"] for board in self.ask("/v2/boards", path=path)["boards"]]


@pytest.fixture
def server(spawn: Spawn) -> Server:
    port = free_port()
    spawn("canary-server", OS_SERVER__PORT=str(port))
    server = Server(f"http://127.0.0.1:{port}")
    eventually(lambda: is_ready(server.url), why="the server answers")
    return server


@pytest.fixture
def own(config: Config) -> str:
    return config.canary.jobboard


@pytest.fixture
def watched(corner: str, zookeeper: KazooClient, own: str) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    register(zookeeper, own, path)
    return path


@pytest.fixture
def worker(spawn: Spawn, server: Server, own: str, watched: str) -> Command:
    worker = spawn("canary-worker", OS_CANARY__NAME="first")
    eventually(lambda: server.freshness(own) == ["live"])
    eventually(lambda: server.freshness(watched) == ["live"])
    return worker


@pytest.mark.usefixtures("worker")
def test_it_is_told_of_to_who_names_it(
    server: Server, own: str, watched: str, zookeeper: KazooClient, database: Mongo
) -> None:
    check_by_name(server, own, watched, zookeeper, database)
    check_unnamed(server, own, watched)
    check_itself(server, own)
    check_garbage(server, own, zookeeper)


def check_by_name(
    server: Server, own: str, watched: str, zookeeper: KazooClient, database: Mongo
) -> None:
    def watch_jobs() -> list[tuple[str, str, dict[str, str]]]:
        [board] = server.ask("/v1.0/jobs", path=own)
        return [(job["status"], job["owner"], job["_details"]) for job in board["jobs"]]

    eventually(lambda: watch_jobs() == [("CLAIMED", "first", {"path": watched})])
    eventually(lambda: mirrored(database, own) == on_board(zookeeper, own))
    [job] = server.ask("/v2/jobs", path=own)["jobs"]
    assert (job["path"], job["state"], job["owner"]) == (own, "CLAIMED", "first")
    [conductor] = server.ask("/v2/conductors", path=own)["conductors"]
    assert (conductor["owner"], conductor["alive"]) == ("first", True)
    assert [held["uuid"] for held in conductor["holds"]] == [job["uuid"]]
    [board] = server.ask("/v2/boards", path=own)["boards"]
    assert (board["registered"], board["claimed"], board["unclaimed"]) == (False, 1, 0)


def check_unnamed(server: Server, own: str, watched: str) -> None:
    eventually(lambda: len(server.ask("/v2/changes", path=own)["changes"]) == 2)
    for about in ({}, {"path!": "/else/where"}):
        assert [b["path"] for b in server.ask("/v2/boards", **about)["boards"]] == [watched]
        for name in ("jobs", "changes", "conductors", "stats"):
            assert server.ask(f"/v2/{name}", **about)[name] == []
    assert server.ask("/v1.0/conductor")["conductors"] == []
    metrics = requests.get(f"{server.url}/metrics", timeout=30).text
    assert f'board="{watched}"' in metrics
    assert own not in metrics


def check_itself(server: Server, own: str) -> None:
    told = server.ask("/v2/canary")
    assert (told["jobboard"], told["interval"]) == (own, 3600)
    [worker] = told["workers"]
    assert (worker["name"].split("@")[0], worker["alive"]) == ("first", True)
    assert (worker["boards"], worker["behind"], worker["drift"]) == (1, 0, 0)
    assert worker["checkpoints"] is None
    Itself.model_validate(told)


def check_garbage(server: Server, own: str, zookeeper: KazooClient) -> None:
    post(zookeeper, own, b"\xff{")
    post(zookeeper, own, posting("other"))
    eventually(lambda: len(server.ask("/v2/jobs", path=own)["jobs"]) == 3)
    malformed = [job["malformed"] for job in server.ask("/v2/jobs", path=own)["jobs"]]
    assert sum(reason is not None for reason in malformed) == 1


class TestWatchers:
    def test_another_worker_takes_it_when_its_watcher_stops(
        self, server: Server, spawn: Spawn, worker: Command, own: str
    ) -> None:
        spawn("canary-worker", OS_CANARY__NAME="second")
        eventually(lambda: len(server.ask("/v2/conductors", path=own)["conductors"]) == 2)
        [before] = server.ask("/v2/boards", path=own)["boards"]
        assert before["watcher"].startswith("first@")
        assert worker.end() == 0

        def is_taken() -> bool:
            [now] = server.ask("/v2/boards", path=own)["boards"]
            return bool(now["freshness"] == "live" and now["watcher"].startswith("second@"))

        eventually(is_taken)
        [after] = server.ask("/v2/boards", path=own)["boards"]
        assert after["epoch"] > before["epoch"]
        # That the first gave up its watch job happened on the board itself, as nobody watched it.
        gaps = server.ask("/v2/gaps", path=own)["gaps"]
        assert {(gap["creates"], gap["deletes"]) for gap in gaps} <= {(0, 0)}

        def kinds() -> list[str]:
            changes = server.ask("/v2/changes", path=own)["changes"]
            return sorted(change["kind"] for change in changes)

        eventually(lambda: kinds() == ["abandoned", "claimed", "claimed", "posted"])

    def test_another_worker_takes_it_when_its_watcher_dies(
        self, server: Server, spawn: Spawn, worker: Command, own: str, zookeeper: KazooClient
    ) -> None:
        spawn("canary-worker", OS_CANARY__NAME="second")
        eventually(lambda: len(server.ask("/v2/conductors", path=own)["conductors"]) == 2)
        worker.end(signal.SIGKILL)
        eventually(lambda: server.freshness(own) == ["unwatched"], why="nobody says that it lives")
        eventually(lambda: server.freshness(own) == ["live"], TAKE_OVER)
        assert zookeeper.get(lock_path(own))[0] == b"second"
