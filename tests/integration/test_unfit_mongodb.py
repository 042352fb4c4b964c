"""A MongoDB that Canary can't work with: each program says so, in one sentence, once."""

import json
from pathlib import Path

import pytest
import requests
from pymongo import MongoClient

from tests.asking import open_stream
from tests.integration.conftest import Command, Spawn
from tests.integration.own_mongod import own_mongod
from tests.ports import free_port
from tests.processes import worked
from tests.waiting import eventually, throughout

STANDALONE = "This MongoDB is a standalone mongod; Canary needs transactions and change streams."
WATCHED = 6.0  # seconds in which it tries again and again
NOT_INITIATED = "This MongoDB is a replica set that was never initiated: run mongosh --eval"


def server(spawn: Spawn, address: str, words: str = "") -> tuple[Command, str]:
    port = free_port()
    uri = f"mongodb://{address}/{words}"
    options = {"OS_SERVER__PORT": str(port), "OS_MONGO__URI": uri, "OS_MONGO__TIMEOUT": "2"}
    return spawn("canary-server", **options), f"http://127.0.0.1:{port}"


def why_not_ready(url: str) -> str:
    try:
        answer = requests.get(f"{url}/readyz", timeout=10)
    except requests.ConnectionError:
        return ""
    assert answer.status_code == 503
    reason: str = answer.json()["mongodb"]["reason"]
    return reason


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize(
    ("kind", "uri", "sentence"),
    [
        ([], "", STANDALONE),
        (["--replSet", "rs0"], "", NOT_INITIATED),
        (["--replSet", "rs0"], "?directConnection=true", NOT_INITIATED),
        (["--replSet", "rs0"], "?replicaSet=rs0", NOT_INITIATED),
    ],
)
def test_a_server_says_what_to_do_and_says_it_once(
    spawn: Spawn, tmp_path: Path, kind: list[str], uri: str, sentence: str
) -> None:
    with own_mongod(tmp_path / "mongod", *kind) as address:
        command, url = server(spawn, address, uri)
        eventually(lambda: sentence in why_not_ready(url))
        eventually(lambda: sentence in command.output)
        streamed = requests.get(f"{url}/v2/stream", timeout=30)
        assert streamed.status_code == 503
        assert sentence in streamed.json()["detail"]
        lines = [line for line in command.output.splitlines() if "feed" in line]
        before = worked(command.process.pid)
        throughout(WATCHED, lambda: command.process.poll() is None)
        assert worked(command.process.pid) - before < WATCHED / 3, "it waits between two tries"
        later = [line for line in command.output.splitlines() if "feed" in line]
        assert len(later) - len(lines) <= 1
        assert len([line for line in later if sentence in line]) <= 2  # stream and boards


def test_a_worker_waits_for_a_set_that_is_not_initiated_and_says_it_once(
    spawn: Spawn, tmp_path: Path
) -> None:
    with own_mongod(tmp_path / "mongod", "--replSet", "rs0") as address:
        options = {"OS_MONGO__URI": f"mongodb://{address}/", "OS_MONGO__TIMEOUT": "0.5"}
        worker = spawn("canary-worker", **options)
        eventually(lambda: f"waiting for MongoDB: {NOT_INITIATED}" in worker.output)
        throughout(6, lambda: worker.output.count("waiting for MongoDB") == 1)

        with MongoClient[dict[str, object]](address, directConnection=True) as client:
            members = [{"_id": 0, "host": address}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        eventually(lambda: "Canary's own board" in worker.output)
        assert worker.end() == 0


def test_a_stream_that_is_open_tells_why(spawn: Spawn, tmp_path: Path) -> None:
    folder = tmp_path / "mongod"
    with own_mongod(folder, "--replSet", "rs0") as address:
        with MongoClient[dict[str, object]](address, directConnection=True) as client:
            members = [{"_id": 0, "host": address}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        _, url = server(spawn, address)
        eventually(lambda: is_ready(url))
        opened = open_stream(url, timeout=60)
    named = ""
    for line in opened.iter_lines(decode_unicode=True):
        name, _, value = line.partition(": ")
        named = value if name == "event" else named
        if name == "data" and named == "store":
            told = json.loads(value)
            assert told["available"] is False
            assert told["reason"].startswith("MongoDB does not answer: ")
            break
