"""A claimed job that TaskFlow can't trash, for another of its number is in a trash that is shared.

With TaskFlow's own jobboards, at the root of ZooKeeper as Octavia's are by default.
"""

from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import Any

import pytest
from kazoo.client import KazooClient
from taskflow.exceptions import JobFailure

from canary.model.names import trash_path
from tests.integration.boards import post, register, taskflow_board
from tests.integration.conftest import Spawn
from tests.integration.test_clock_off import Server
from tests.integration.test_metrics import await_value
from tests.waiting import eventually, throughout


@pytest.fixture
def paths(zookeeper: KazooClient, corner: str) -> Iterator[tuple[str, str]]:
    """Two boards at the root, and of their trash only what is theirs."""
    found = (f"/{corner}_one", f"/{corner}_two")
    in_trash = trash_path(found[0], "job0000000000")
    if zookeeper.exists(in_trash):  # of another test's board at the root
        zookeeper.delete(in_trash)
    yield found
    for path in found:
        zookeeper.delete(path, recursive=True)
    zookeeper.delete(in_trash)


def test_it_is_found_and_told_until_the_other_is_taken_out_of_the_trash(
    zookeeper: KazooClient,
    environment: dict[str, str],
    paths: tuple[str, str],
    spawn: Spawn,
    run: Callable[..., "CompletedProcess[str]"],
) -> None:
    one, two = paths
    in_trash = trash_path(one, "job0000000000")
    assert trash_path(two, "job0000000000") == in_trash
    for path in paths:
        zookeeper.ensure_path(path)
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], *paths)
    spawn("canary-worker")
    server = Server(spawn, "canary-server", "OS_SERVER__PORT")
    with taskflow_board(one) as board, taskflow_board(two) as other:
        post(zookeeper, one)
        [trashed] = eventually(lambda: list(board.iterjobs(ensure_fresh=True)))
        board.claim(trashed, "ann")
        eventually(lambda: server.board(one).get("claimed") == 1)
        board.trash(trashed, "ann")
        post(zookeeper, two)
        [stuck] = eventually(lambda: list(other.iterjobs(ensure_fresh=True)))
        other.claim(stuck, "bob")
        with pytest.raises(JobFailure):
            other.trash(stuck, "bob")

        def job() -> dict[str, Any]:
            return server.jobs(two)["job0000000000"]

        eventually(lambda: server.board(two).get("trash_collisions") == 1, why="it is found")
        assert job()["in_trash"] == trashed.uuid
        assert server.board(one)["trash_collisions"] == 0, "what was trashed well is no finding"
        assert server.get(f"/v2/jobs/{stuck.uuid}")["job"]["in_trash"] == trashed.uuid
        assert server.board(two)["oldest_claimed"] == pytest.approx(job()["running"], abs=2)
        assert server.board(one)["oldest_claimed"] is None
        # The server keeps what it asked for a scrape for a second.
        await_value(server, 1, "canary_board_trash_collisions", board=two)
        assert (server.scrape().value("canary_board_oldest_claimed_seconds", board=two) or 0) > 0
        assert [
            each["path"] for each in server.get("/v2/boards", sort="-oldest_claimed")["boards"]
        ] == [
            two,
            one,
        ]
        told = run("canary", "doctor", "-f", "value").stdout
        assert f"{two}: job0000000000 can't be trashed" in told
        other.abandon(stuck, "bob")
        eventually(lambda: job()["state"] == "UNCLAIMED")
        assert (job()["in_trash"], server.board(two)["trash_collisions"]) == (None, 0)
        other.claim(stuck, "bob")
        eventually(lambda: job()["in_trash"] == trashed.uuid)
        claimed = {"claims>": "2", "state": "CLAIMED"}
        assert [each["uuid"] for each in server.get("/v2/jobs", **claimed)["jobs"]] == [stuck.uuid]
        assert server.get("/v2/jobs", **(claimed | {"claims>": "3"}))["jobs"] == []
        zookeeper.delete(in_trash)
        eventually(lambda: job()["in_trash"] is None, why="nothing is in its way any more")
        other.trash(stuck, "bob")
        eventually(lambda: job()["outcome"] == "trashed")
        throughout(1, lambda: server.board(two)["trash_collisions"] == 0)
