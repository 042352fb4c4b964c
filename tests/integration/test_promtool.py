"""What Prometheus's own tool says of the alerts, and of what worker and server really show.

Without promtool there is nothing to be said: `python -m devstack.promtool` tells whether it can be
had here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml
from kazoo.client import KazooClient

from canary.config import Config
from tests.given import ALERTS, expressions
from tests.integration.boards import claim, consume, post, register
from tests.integration.conftest import Spawn
from tests.integration.test_metrics import Program, await_value, server_of

pytestmark = pytest.mark.folders(
    "canary/metrics",
    "devstack/promtool.py",
    "etc/prometheus",
    "etc/grafana",
    "tests/alerts.test.yml",
)

TESTS = Path(__file__).parents[1] / "alerts.test.yml"
HOSTILE = 'a "quoted" \\ {brace}, ü\u2028 board'

Promtool = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    found = subprocess.run(
        [sys.executable, "-m", "devstack.promtool"], stdout=subprocess.PIPE, text=True, check=False
    )
    if found.returncode != 0:
        pytest.skip("there is no promtool here, and none to be fetched")
    path = found.stdout.strip()

    def run(*words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [path, *words],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )

    return run


def test_the_alerts_are_rules(promtool: Promtool) -> None:
    checked = promtool("check", "rules", str(ALERTS))
    assert checked.returncode == 0, checked.stdout.decode()
    assert b"SUCCESS" in checked.stdout


def test_what_the_dashboard_asks_for_is_promql(promtool: Promtool, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": filled_in(expression)}
        for number, expression in enumerate(expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool("check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout.decode()
    assert f"{len(rules)} rules found".encode() in checked.stdout


def filled_in(expression: str) -> str:
    """Return what Grafana makes of an expression."""
    return expression.replace("$__rate_interval", "5m").replace("$board", "/a/jobs|/b/jobs")


def test_alerts_come_when_they_should(promtool: Promtool) -> None:
    tried = promtool("test", "rules", str(TESTS))
    assert tried.returncode == 0, tried.stdout.decode()
    assert b"SUCCESS" in tried.stdout


def test_it_finds_no_fault_in_what_worker_and_server_show(
    promtool: Promtool, corner: str, spawn: Spawn, zookeeper: KazooClient, config: Config
) -> None:
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT")
    server = server_of(spawn, 2)
    board = f"/{corner}/{HOSTILE}/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    await_value(server, 1, "canary_board_freshness", board=board, freshness="live")
    job = post(zookeeper, board)
    claim(zookeeper, board, job)
    consume(zookeeper, board, job)
    await_value(server, 0, "canary_board_jobs", board=board, state="CLAIMED")
    with requests.get(f"{server.url}/nowhere", timeout=30) as answer:
        assert answer.status_code == 404
    for program in (worker, server):
        with requests.get(f"{program.url}/metrics", timeout=30) as answer:
            checked = promtool("check", "metrics", given=answer.content)
        assert checked.returncode == 0, checked.stdout.decode()
        assert checked.stdout == b""
    assert promtool("check", "metrics", given=b"a_total{} 1 2 3\n").returncode != 0
