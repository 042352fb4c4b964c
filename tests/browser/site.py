"""canary-server and canary-worker as they are run, and boards for them to watch."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from kazoo.client import KazooClient

from tests import programs
from tests.asking import ask, is_ready
from tests.integration.boards import register
from tests.integration.conftest import STOP_TIMEOUT
from tests.ports import free_port
from tests.processes import family
from tests.programs import Process
from tests.waiting import eventually

START = 60.0  # seconds for a program to be there, on a busy machine


class Site:
    """Both programs, with a corner of the servers to themselves."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.corner = f"t{uuid.uuid4().hex[:12]}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.jobboard = f"/{self.corner}/canary/jobs"
        self.environment = {
            **os.environ,
            "OS_CANARY__JOBBOARD": self.jobboard,
            "OS_CANARY__INTERVAL": "600",
            "OS_MONGO__DATABASE": self.corner,
            "OS_CASSANDRA__ENABLED": "false",
            "OS_ZOOKEEPER__SESSION_TIMEOUT": "4",
            "OS_SERVER__PORT": str(self.port),
            **options,
        }
        self._folder = folder
        self._running: dict[str, Process] = {}
        self._boards = 0

    def __enter__(self) -> "Site":
        self.start("canary-worker")
        self.start("canary-server")
        eventually(self.is_ready, START, "the server answers")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._running):
            self.stop(name)

    def start(self, name: str) -> None:
        """Start a program of Canary's."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = programs.start(name, [], self.environment, log, log)

    def stop(self, name: str, *, is_killed: bool = False) -> None:
        """End it; what is killed, with all its processes, which would outlive it for a while."""
        process = self._running.pop(name)
        if is_killed:
            for each in family(process.pid):
                each.kill()
        else:
            process.terminate()
        process.wait(STOP_TIMEOUT)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Let a program with all its processes stand still."""
        processes = family(self._running[name].pid)
        for each in processes:
            each.suspend()
        try:
            yield
        finally:
            for each in processes:
                each.resume()

    def load(self, service: str, prefix: str) -> None:
        """Have TaskFlow's own conductors work on a board of the demo's."""
        words = ["--hosts", os.environ["DEVSTACK_ZOOKEEPER"], "--prefix", prefix]
        ledger = str(self._folder / f"{service}.ledger")
        with (self._folder / f"{service}.log").open("ab") as log:
            self._running[service] = subprocess.Popen(
                [sys.executable, "-m", "demo.load", *words, "--ledger", ledger, service],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ask(self, resource: str, **query: str) -> Any:
        """Return what the API answers."""
        return ask(self.url, resource, **query)

    def is_ready(self) -> bool:
        """Tell whether the server answers."""
        return is_ready(self.url)

    def takes_connections(self) -> bool:
        """Tell whether the server is there, whether it reaches MongoDB or not."""
        try:
            return requests.get(self.url, timeout=START).ok
        except requests.ConnectionError:
            return False

    def add_board(self, zookeeper: KazooClient, name: str | None = None) -> str:
        """Make a board and have it watched; return its path."""
        self._boards += 1
        path = f"/{self.corner}/{name or f'board-{self._boards}'}/jobs"
        zookeeper.ensure_path(path)
        register(zookeeper, self.jobboard, path)
        self.wait_until_live(path)
        return path

    def wait_until_live(self, path: str) -> None:
        """Return once a board is live."""

        def is_live() -> bool:
            boards = self.ask("/v2/boards", path=path)["boards"]
            return [board["freshness"] for board in boards] == ["live"]

        eventually(is_live, START, f"{path} is live")
