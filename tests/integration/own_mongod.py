"""A mongod of a test's own, beside the stack's: one that Canary can't use."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from devstack.mongodb import program
from devstack.ports import HOST, Ports
from tests.waiting import eventually


@contextmanager
def own_mongod(folder: Path, *words: str) -> Iterator[str]:
    """Run a mongod with these words added to its command line; gives ``host:port``."""
    folder.mkdir()
    with Ports() as ports, (folder / "log").open("wb") as log:
        address = f"{HOST}:{(port := ports.reserve())}"
        process = subprocess.Popen(
            [
                str(program()),
                *("--bind_ip", HOST, "--port", str(port), "--dbpath", str(folder)),
                *("--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--quiet"),
                *words,
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: _answers(address), why="mongod answers")
            yield address
        finally:
            process.kill()
            process.wait()


@contextmanager
def own_replica_set(folder: Path) -> Iterator[MongoClient[dict[str, Any]]]:
    """Run a replica set of one; gives a client of it, as Canary's programs have."""
    with own_mongod(folder, "--replSet", "rs0") as address:
        client: MongoClient[dict[str, Any]] = MongoClient(
            address, directConnection=True, tz_aware=True, w="majority"
        )
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [_member(address)]})
            eventually(
                lambda: client.admin.command("hello")["isWritablePrimary"], why="it is a primary"
            )
            yield client
        finally:
            client.close()


def _member(address: str) -> dict[str, Any]:
    return {"_id": 0, "host": address}


def _answers(address: str) -> bool:
    client: MongoClient[dict[str, object]] = MongoClient(
        address, directConnection=True, serverSelectionTimeoutMS=200
    )
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True
