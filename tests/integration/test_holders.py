"""Whose claims are, with TaskFlow's own jobboard and conductors' entities, on a real ZooKeeper."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from taskflow.conductors.backends.impl_blocking import BlockingConductor
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard

from tests.integration.boards import post, register, taskflow_board
from tests.integration.conftest import Spawn
from tests.integration.test_clock_off import Server
from tests.waiting import eventually

Started = Callable[..., Server]


@pytest.fixture
def started(spawn: Spawn, zookeeper: KazooClient, environment: dict[str, str]) -> Started:
    """Have boards watched, and a server that tells of them."""

    def start(*paths: str) -> Server:
        for path in paths:
            zookeeper.ensure_path(path)
        register(zookeeper, environment["OS_CANARY__JOBBOARD"], *paths)
        spawn("canary-worker", OS_CANARY__RECONCILE_INTERVAL="5")
        return Server(spawn, "canary-server", "OS_SERVER__PORT")

    return start


@pytest.fixture
def boards() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def conductor_of(board: ZookeeperJobBoard) -> None:
    """Register a conductor as TaskFlow's does when it begins to run: of this host and process."""
    board.register_entity(BlockingConductor("ann", board, engine="serial").conductor)


def holders(server: Server, path: str) -> list[tuple[Any, ...]]:
    found = server.get("/v2/conductors", path=path)["conductors"]
    return sorted(
        (each["holder"], each["alive"], each["owner"], len(each["holds"])) for each in found
    )


def test_one_that_starts_again_before_its_session_before_has_ended_is_not_registered(
    started: Started, zookeeper: KazooClient, corner: str, boards: ExitStack
) -> None:
    path = f"/{corner}/watched/jobs"
    server = started(path)
    with taskflow_board(path) as before:
        conductor_of(before)
        anew = boards.enter_context(taskflow_board(path))
        conductor_of(anew)  # TaskFlow finds the name taken, and says nothing
        post(zookeeper, path)
        [job] = eventually(lambda: list(anew.iterjobs(ensure_fresh=True)))
        anew.claim(job, "ann")
    # The session before has ended, and its entity with it; the claim is that of one that lives.
    expected = [("unregistered", True, "ann", 1)]
    eventually(lambda: holders(server, path) == expected, why="it is told so")
    anew.abandon(job, "ann")
    eventually(lambda: holders(server, path) == [])
    zookeeper.create(f"{path}/{job.path.rpartition('/')[2]}.lock", b'{"owner": "bob"}')
    expected = [("orphaned", False, "bob", 1)]
    eventually(lambda: holders(server, path) == expected, why="it belongs to no session")


def test_one_that_is_registered_for_two_boards_works_for_that_of_which_it_holds_a_job(
    started: Started, zookeeper: KazooClient, corner: str, boards: ExitStack
) -> None:
    path, beside = f"/{corner}/watched/jobs", f"/{corner}/watched/more"
    server = started(path, beside)
    board = boards.enter_context(taskflow_board(path))
    conductor_of(board)
    post(zookeeper, path)
    [job] = eventually(lambda: list(board.iterjobs(ensure_fresh=True)))
    board.claim(job, "ann")
    eventually(lambda: holders(server, path) == [("registered", True, "ann", 1)])
    eventually(lambda: holders(server, beside) == [("registered", True, "ann", 0)])
    for each in server.get("/v2/conductors")["conductors"]:
        assert each["registered_for"] == [path, beside]


@pytest.mark.parametrize("is_folder", [True, False])
def test_where_an_acl_hides_who_is_registered_nobody_is_said_not_to_be(
    started: Started, zookeeper: KazooClient, corner: str, boards: ExitStack, is_folder: bool
) -> None:
    path = f"/{corner}/watched/jobs"
    folder = f"/{corner}/watched/.entities/conductor"
    hidden = folder if is_folder else f"{folder}/ann@h:1"
    zookeeper.ensure_path(hidden)
    zookeeper.set_acls(hidden, [make_digest_acl("u", "p", all=True)])
    server = started(path)
    board = boards.enter_context(taskflow_board(path))
    post(zookeeper, path)
    [job] = eventually(lambda: list(board.iterjobs(ensure_fresh=True)))
    board.claim(job, "ann")
    eventually(lambda: holders(server, path) == [("unknown", None, "ann", 1)])
    zookeeper.add_auth("digest", "u:p")
    zookeeper.delete(hidden)
    eventually(lambda: holders(server, path) == [("unregistered", True, "ann", 1)])
