"""``/openapi.json`` against what the running server does, by schemathesis: every answer is as it is
described, whatever is asked, and none is a 500.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pymongo.database import Database

from canary.stores.mongo.documents import Document
from tests.integration.conftest import Spawn
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, posted
from tests.programs import COMMANDS
from tests.waiting import eventually

EXAMPLES = os.environ.get("OPENAPI_EXAMPLES", "25")  # an operation
LIMIT = 600.0  # seconds
TESTS = Path(__file__).parents[1]


@pytest.fixture
def url(spawn: Spawn, database: Database[Document]) -> Iterator[str]:
    """The address of a server with something to tell."""
    board = WrittenBoard(database, watched_since=ago(500))
    board.beat()
    board.write(posted(1, ago(90)), posted(2, ago(80)), posted(3, ago(70), b"\xff"))
    board.write(claimed(1, ago(60)), claimed(2, ago(50)), ended(2, ago(40)))
    board.gap(ago(30), ago(20), None, None)
    server = spawn("canary-server", OS_SERVER__PORT="0", OS_SERVER__RATE_LIMIT="0")
    found = eventually(lambda: re.search(r"http://127\.0\.0\.1:\d+", server.output))
    assert found
    eventually(lambda: requests.get(f"{found[0]}/readyz", timeout=20).ok)
    yield found[0]
    server.end()
    assert "Traceback" not in server.output


def test_what_it_describes_is_what_it_does(url: str) -> None:
    done = subprocess.run(
        [
            *(COMMANDS / "st", "--config-file", TESTS / "schemathesis.toml"),
            *("run", f"{url}/openapi.json", "--checks", "all", "--no-color"),
            *("--exclude-path", "/v2/stream", "--max-examples", EXAMPLES, "--workers", "1"),
            "--generation-deterministic",
        ],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks"},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_all_of_v2_is_described(url: str) -> None:
    described = requests.get(f"{url}/openapi.json", timeout=20).json()
    assert described["openapi"].startswith("3.1")
    for resource in (
        "boards",
        "jobs",
        "jobs/{uuid}",
        "changes",
        "gaps",
        "conductors",
        "stats",
        "series",
        "canary",
        "stream",
    ):
        operation = described["paths"][f"/v2/{resource}"]["get"]
        assert operation["summary"]
        assert {"200", "400", "503"} <= operation["responses"].keys()
    streamed = described["paths"]["/v2/stream"]["get"]["responses"]["200"]["content"]
    assert set(streamed) == {"text/event-stream", "application/x-ndjson"}
    names = [each["name"] for each in described["paths"]["/v2/stream"]["get"]["parameters"]]
    assert {"path", "kind!", "age>", "last_event_id", "Last-Event-ID"} <= set(names)
    names = [each["name"] for each in described["paths"]["/v2/jobs"]["get"]["parameters"]]
    assert {"path", "path!", "age>", "age>!", "q", "limit", "cursor", "sort"} <= set(names)


def test_the_page_that_shows_it_loads_nothing_but_this_server_s_own(url: str) -> None:
    page = requests.get(f"{url}/docs", timeout=20)
    assert page.status_code == 200
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert "//" not in address
        assert requests.get(f"{url}/{address}", timeout=20).status_code == 200, address
    assert requests.get(f"{url}/docs/nope.js", timeout=20).status_code == 404
