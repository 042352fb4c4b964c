"""ZooKeeper servers that end the connection: what is said, and how often they are asked."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient

from tests.integration.conftest import Spawn
from tests.integration.own_zookeeper import own_zookeeper
from tests.integration.test_server import Server
from tests.waiting import eventually, throughout

ENFORCED = {"enforce__auth__enabled": "true", "enforce__auth__schemes": "digest"}
WATCHED = 10.0  # seconds
LINES = 30  # of a program's log in that time, start and end included


def test_one_that_demands_a_sign_in(spawn: Spawn, run: Callable[..., Any], tmp_path: Path) -> None:
    with own_zookeeper(tmp_path / "zookeeper", None, **ENFORCED) as host:
        away = {"OS_ZOOKEEPER__HOSTS": host}
        worker = spawn("canary-worker", **away)
        eventually(lambda: "[zookeeper] username" in worker.output)
        begun = len(worker.output.splitlines())
        throughout(WATCHED, lambda: worker.process.poll() is None)
        said = worker.output.splitlines()
        assert len(said) - begun < LINES, worker.output[-3000:]
        assert "Traceback" not in worker.output
        server = Server(spawn, **away)

        def reason() -> bool:
            return "[zookeeper] username" in server.get("/readyz").text

        eventually(reason)
        found = run("canary", "doctor", **away)
        assert "[zookeeper] username" in found.stdout + found.stderr
        assert "use_tls" not in found.stdout + found.stderr
        signed_in = {"OS_ZOOKEEPER__USERNAME": "canary", "OS_ZOOKEEPER__PASSWORD": "secret"}
        added = run("canary-producer", "list", **away, **signed_in)
        assert added.returncode == 0, added.stderr


def test_one_that_has_as_many_connections_as_it_takes(
    spawn: Spawn, run: Callable[..., Any], tmp_path: Path
) -> None:
    with (
        own_zookeeper(tmp_path / "zookeeper", maxClientCnxns="3") as host,
        contextlib.ExitStack() as held,
    ):
        for _ in range(3):
            client = KazooClient(host)
            client.start(30)
            held.callback(client.close)
            held.callback(client.stop)
        away = {"OS_ZOOKEEPER__HOSTS": host}
        found = run("canary", "doctor", **away)
        said = found.stdout + found.stderr
        assert "maxClientCnxns" in said
        assert "as a ZooKeeper server does" not in said
        worker = spawn("canary-worker", **away)
        eventually(lambda: "maxClientCnxns" in worker.output)
        assert "use_tls" not in worker.output
