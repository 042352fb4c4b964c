"""The same servers and corners as the integration tests have, and scenes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

pytest.register_assert_rewrite("tests.faults.settling")

from tests.faults.scene import Scene  # noqa: E402 -- after what is to be rewritten
from tests.integration.conftest import (  # noqa: E402, F401 -- fixtures
    Spawn,
    _dev_stack,
    config,
    corner,
    database,
    environment,
    fresh,
    run,
    spawn,
    zookeeper,
)


@pytest.fixture
def lent(fresh: str) -> str:  # noqa: F811 -- the fixture
    """A database of its own: one that was restored or frozen is not lent to another test."""
    return fresh


@pytest.fixture
def make_scene(
    corner: str,  # noqa: F811 -- the fixture
    tmp_path: Path,
    environment: dict[str, str],  # noqa: F811
    spawn: Spawn,  # noqa: F811
    run: Callable[..., Any],  # noqa: F811
    zookeeper: KazooClient,  # noqa: F811
    database: Database[dict[str, Any]],  # noqa: F811
) -> Iterator[Callable[..., Scene]]:
    """Make the scene, whole or with one of Canary's mechanisms switched off."""

    def add(*paths: str) -> None:
        assert run("canary-producer", "add", *paths).returncode == 0

    with ExitStack() as stack:

        def make(broken: str | None = None) -> Scene:
            log = tmp_path / "operations.jsonl"
            log.touch()
            board = f"/{corner}/faults/jobs"
            scene = Scene(board, log, spawn, add, zookeeper, database, broken)
            scene.jobboard = environment["OS_CANARY__JOBBOARD"]
            stack.callback(scene.close)
            return scene

        yield make
