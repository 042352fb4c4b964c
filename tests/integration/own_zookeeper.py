"""A ZooKeeper of a test's own, with settings that the dev stack's does not have."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from canary.errors import ZooKeeperUnavailable
from canary.zookeeper.four_letters import ask
from devstack.ports import Ports
from tests.waiting import eventually

HOST = "127.0.0.1"


@contextmanager
def own_zookeeper(folder: Path, copy_of: Path | None = None, **settings: str) -> Iterator[str]:
    """Run the dev stack's program with these settings; gives ``host:port``.

    It begins with the data of another, that of the folder ``copy_of``. A setting's name has ``__``
    where it has a dot.
    """
    folder.mkdir()
    if copy_of is not None:
        shutil.copytree(copy_of / "data", folder / "data")
    pid = json.loads(Path(os.environ["DEVSTACK_PIDS"]).read_text())["zookeeper"]
    *program, _ = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    program = [word for word in program if not word.startswith("-Djava.io.tmpdir=")]
    with Ports() as ports, (folder / "log").open("wb") as log:
        port = ports.reserve()
        told = {
            "tickTime": "500",
            "dataDir": str(folder / "data"),
            "clientPort": str(port),
            "clientPortAddress": HOST,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            "maxClientCnxns": "0",
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        file = folder / "zoo.cfg"
        file.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
        process = subprocess.Popen(
            [*program, str(file)], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            eventually(lambda: _answers(f"{HOST}:{port}"), why="ZooKeeper answers")
            yield f"{HOST}:{port}"
        finally:
            process.kill()
            process.wait()


def _answers(host: str) -> bool:
    try:
        return ask(host, 1.0).mode is not None
    except ZooKeeperUnavailable:
        return False
