"""A poller of the original Canary, as its users wrote them, against a real server."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pymongo.database import Database

from canary.stores.mongo.documents import Document
from tests.integration.conftest import Spawn
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted

PATH = "/lbaas/jobs"


def poll(url: str, path: str) -> Iterator[str]:
    """Read what the original told, in its own way."""
    jobs: Any = requests.get(f"{url}/v1.0/jobs", params={"path": path}, timeout=30).json()
    yield f"{jobs[0]['job_count']} jobs"
    for job in jobs[0]["jobs"]:
        yield f"{job['_uuid']} {job['status']} in {job['_book'] and job['_book']['name']}"
        for task in job["flow_status"]:
            for name, state in task.items():
                yield f"  {name}: {state.lower()}"
    conductors: Any = requests.get(
        f"{url}/v1.0/conductor", params={"path": path}, timeout=30
    ).json()
    names = sorted(conductors["conductors"])
    yield f"{conductors['conductor_count']} conductors: {', '.join(names)}"


@pytest.fixture
def server(spawn: Spawn) -> Server:
    return Server(spawn)


def test_a_poller_of_the_original_goes_on(server: Server, database: Database[Document]) -> None:
    board = WrittenBoard(database, PATH, watched_since=ago(500))
    board.beat()
    book = b'{"uuid": "u-1", "name": "n", "book": {"name": "flows", "uuid": "b-1"}}'
    board.write(posted(1, ago(90), book), posted(2, ago(80)), posted(3, ago(70), b"garbage"))
    board.write(claimed(1, ago(60)), claimed(2, ago(50)), ended(2, ago(40)))
    registered = [
        {"name": name, "host": "h", "pid": 1, "since": ago(90), "session": number}
        for number, name in enumerate(("octavia-2@h:1", "octavia-1@h:1"))
    ]
    database.conductors.insert_one(
        {"_id": PATH, "board": PATH, "seen_at": now(), "conductors": registered}
    )
    assert list(poll(server.address, PATH)) == [
        "3 jobs",
        "u-1 CLAIMED in flows",
        "uuid-2 COMPLETE in None",
        "None UNCLAIMED in None",
        "2 conductors: octavia-1@h:1, octavia-2@h:1",
    ]
    told = requests.get(f"{server.address}/v1.0/conductor", timeout=30).json()
    assert [each["name"] for each in told["details"]] == told["conductors"]
    assert {each["path"] for each in told["details"]} == {PATH}
