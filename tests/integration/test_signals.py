"""What signals do to each program: an end by decision is never taken for a crash."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from tests.integration.boards import mirrored, post, register
from tests.integration.conftest import Command, Spawn
from tests.ports import free_port
from tests.programs import COMMANDS
from tests.waiting import eventually, throughout

END = 10.0  # seconds in which a worker has promised to end

Mongo = Database[dict[str, Any]]


@pytest.fixture
def path(corner: str, environment: dict[str, str], zookeeper: KazooClient) -> str:
    """A board, registered."""
    path = f"/{corner}/watched/jobs"
    zookeeper.create(path, makepath=True)
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], path)
    return path


def watches(database: Mongo, path: str, worker: Command) -> bool:
    board = database.boards.find_one({"_id": path}) or {}
    held = str((board.get("writer") or {}).get("worker"))
    return board.get("freshness") == "live" and held.endswith(f":{worker.process.pid}")


class TestWorker:
    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
    def test_it_hands_its_boards_over(
        self, spawn: Spawn, zookeeper: KazooClient, database: Mongo, path: str, name: str
    ) -> None:
        first = spawn("canary-worker")
        eventually(lambda: watches(database, path, first))
        begun = time.monotonic()
        first.process.send_signal(getattr(signal, name))
        first.process.send_signal(getattr(signal, name))  # a second one changes nothing
        assert first.process.wait(60) == 0
        assert time.monotonic() - begun < END
        assert f"{name} received, shutting down" in first.output

        job = post(zookeeper, path)  # while nobody watches
        second = spawn("canary-worker")
        eventually(lambda: watches(database, path, second))
        eventually(lambda: job in mirrored(database, path))
        assert [gap["reason"] for gap in database.gaps.find({"board": path})] == ["handover"]

    def test_it_takes_no_notice_of_the_others(
        self, spawn: Spawn, zookeeper: KazooClient, database: Mongo, path: str
    ) -> None:
        worker = spawn("canary-worker")
        eventually(lambda: watches(database, path, worker))
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGWINCH):
            worker.process.send_signal(number)
        eventually(lambda: "SIGUSR2 is ignored" in worker.output)
        job = post(zookeeper, path)
        eventually(lambda: job in mirrored(database, path))
        assert worker.process.poll() is None
        assert database.gaps.count_documents({"reason": {"$in": ["restart", "handover"]}}) == 0

    def test_a_hang_up_that_was_ignored_stays_ignored(
        self, spawn: Spawn, database: Mongo, path: str, tmp_path: Path
    ) -> None:
        script = tmp_path / "with-nohup"
        script.write_text(f"#!/bin/sh\ntrap '' HUP\nexec '{COMMANDS}/canary-worker'\n")
        script.chmod(0o755)
        worker = spawn(str(script))
        eventually(lambda: watches(database, path, worker))
        worker.process.send_signal(signal.SIGHUP)
        throughout(2, lambda: worker.process.poll() is None)
        assert worker.end() == 0


class Served:
    """A server, and what it answers."""

    def __init__(self, spawn: Spawn) -> None:
        self.port = free_port()
        self.command = spawn("canary-server", OS_SERVER__PORT=str(self.port))
        eventually(self.answers)

    def answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/livez", timeout=5).ok
        except requests.RequestException:
            return False

    def serving(self) -> set[int]:
        """Return the numbers of the processes that answer."""
        return {each.pid for each in psutil.Process(self.command.process.pid).children()}


class TestServer:
    def test_a_hang_up_replaces_its_processes(self, spawn: Spawn) -> None:
        server = Served(spawn)
        before = server.serving()
        server.command.process.send_signal(signal.SIGHUP)
        eventually(lambda: (now := server.serving()) and not now & before)
        assert server.answers()
        assert server.command.end() == 0
        assert "Traceback" not in server.command.output

    @pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR2", "SIGUSR1"])
    def test_one_of_its_processes_takes_no_notice(self, spawn: Spawn, name: str) -> None:
        """As where a terminal tells all of a group: there is one to say what they do."""
        server = Served(spawn)
        [process] = server.serving()
        os.kill(process, getattr(signal, name))
        throughout(1, lambda: server.serving() == {process})
        assert server.answers()

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
    def test_it_ends(self, spawn: Spawn, name: str) -> None:
        server = Served(spawn)
        assert server.command.end(getattr(signal, name)) == 0
        assert "Traceback" not in server.command.output

    def test_another_can_take_its_place_without_a_refusal(self, spawn: Spawn) -> None:
        server = Served(spawn)
        first = server.command.process
        old = server.serving()
        first.send_signal(signal.SIGUSR2)

        def successor() -> psutil.Process | None:
            return next(
                (
                    each
                    for each in psutil.Process(first.pid).children()
                    if each.pid not in old and each.children()
                ),
                None,
            )

        new = eventually(successor)
        try:
            assert new is not None
            assert server.command.end() == 0
            assert server.answers()
        finally:
            if new is not None:
                new.terminate()
                new.wait(30)
        assert not server.answers()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_producer_ends_its_session(
    environment: dict[str, str], zookeeper: KazooClient, name: str, corner: str
) -> None:
    """It waits for a lock that is held here; told to end it leaves no lock of its own behind."""
    folder = environment["OS_CANARY__JOBBOARD"].rpartition("/")[0]
    held = zookeeper.Lock(f"{folder}/.register", "test")
    with held:
        process = subprocess.Popen(
            [COMMANDS / "canary-producer", "add", f"/{corner}/b/jobs"],
            env={**environment, "OS_ZOOKEEPER__CALL_TIMEOUT": "100"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: len(held.contenders()) == 2)
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 128 + getattr(signal, name)
        assert errors == ""
        eventually(lambda: len(held.contenders()) == 1, 3)
