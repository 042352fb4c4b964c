"""A mongod of a test's own, beside the stack's: one that Canary can't use."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
