"""Boards whose owner writes a slash at the path's end: what is beside them is elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from pymongo.database import Database
from taskflow import exceptions
from taskflow.conductors.base import Conductor as TaskFlowConductor
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard
from taskflow.types import entity

from canary.config import Config
from canary.model.conductors import Conductor
from canary.model.names import conductor_folders, slash_trash_folder, trash_path
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.conductors import ConductorsWatch
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.faults.judge import is_mirror
from tests.integration.boards import kinds, taskflow_board
from tests.integration.watching import Watching, take
from tests.waiting import eventually

Mongo = Database[dict[str, Any]]
OWNER = "ann"


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture(params=["/{}/s/jobs", "/{}", "/{}/jobs/jobs", "/{}/j"])
def path(request: pytest.FixtureRequest, corner: str, zookeeper: KazooClient) -> Iterator[str]:
    path = request.param.format(corner)
    zookeeper.ensure_path(path)
    yield path
    in_trash, _, _ = trash_path(path, "").rpartition("/")  # /.trash, for a board at the root
    for beside in (in_trash, slash_trash_folder(path), *conductor_folders(path)[1:]):
        with suppress(NoNodeError):
            zookeeper.delete(beside, recursive=True)


@pytest.fixture
def watching(client: Client, connected: Mongo, database: Mongo, path: str) -> Iterator[Watching]:
    watching = Watching(
        WatchContext(client, Pulse(client), 3_600.0), take(LiveStore(connected, "t"), path)
    )
    eventually(partial(database.boards.find_one, {"_id": path, "freshness": "live"}))
    yield watching
    watching.watch.stop()
    watching.greenlet.get(timeout=30)


def end(
    database: Mongo, board: ZookeeperJobBoard, how: Callable[[Any, str], None], outcome: str
) -> None:
    """Let a job be posted, claimed and ended, each step once Canary has seen the one before.

    What follows faster than Canary reads the board is counted, and told as a gap.
    """
    path = board.path.rstrip("/")

    def is_last(kind: str) -> bool:
        return kinds(database, path)[-1:] == [kind]

    job = board.post("build")
    eventually(lambda: is_last("posted"))
    board.claim(job, OWNER)
    eventually(lambda: is_last("claimed"))
    how(job, OWNER)
    eventually(lambda: is_last(outcome))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.usefixtures("watching")
def test_a_trashed_job_is_told_so_wherever_taskflow_puts_it(
    database: Mongo, zookeeper: KazooClient, path: str, slash: str
) -> None:
    with taskflow_board(f"{path}{slash}") as board:
        end(database, board, board.trash, "trashed")
        end(database, board, board.consume, "consumed")
    assert kinds(database, path) == [
        "posted",
        "claimed",
        "trashed",
        "posted",
        "claimed",
        "consumed",
    ]
    assert is_mirror(database, zookeeper, path)


def test_conductors_are_found_wherever_taskflow_registers_them(client: Client, path: str) -> None:
    told: list[list[str]] = []

    def tell(conductors: list[Conductor], now: datetime, *, whole: bool) -> None:
        assert (whole, now.tzinfo) == (True, UTC)
        told.append([each.name for each in conductors])

    watch = ConductorsWatch(WatchContext(client, Pulse(client), 3_600.0), path, tell)
    greenlet = gevent.spawn(watch.run)
    try:
        for number, slash in enumerate(("", "/"), 1):
            name, kind = f"c{number}@host:1", TaskFlowConductor.ENTITY_KIND
            with taskflow_board(f"{path}{slash}") as board:
                board.register_entity(entity.Entity(kind, name, {}))
                eventually(partial(is_last, told, [name]))
            eventually(partial(is_last, told, []))
    finally:
        watch.stop()
        greenlet.get(timeout=30)


def is_last(told: list[list[str]], names: list[str]) -> bool:
    return told[-1:] == [names]


@pytest.mark.parametrize("odd", ["//{}/jobs", "/{}//jobs", "/{}/jobs//"])
def test_with_other_slashes_taskflow_itself_trashes_nothing(
    zookeeper: KazooClient, corner: str, odd: str
) -> None:
    """So nobody has to look there."""
    path = f"/{corner}/jobs"
    zookeeper.ensure_path(path)
    with taskflow_board(odd.format(corner)) as board:
        job = board.post("build")
        with pytest.raises((exceptions.JobFailure, exceptions.NotFound)):
            claim_and_trash(board, job)
        assert zookeeper.exists(job.path)
        assert job.path.startswith(f"{path}/job")
    for beside in {board.trash_path, slash_trash_folder(path)}:
        with suppress(NoNodeError):
            zookeeper.delete(beside, recursive=True)


def claim_and_trash(board: ZookeeperJobBoard, job: Any) -> None:
    board.claim(job, OWNER)
    board.trash(job, OWNER)
