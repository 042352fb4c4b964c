"""`python -m demo` for real: it agrees where Canary saw all, says where not, and leaves nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from kazoo.client import KazooClient

from demo.ledger import KINDS
from tests.integration import demos
from tests.integration.conftest import Command
from tests.integration.demos import LIMIT
from tests.waiting import eventually

WORKS = "the load works"
ROW = re.compile(r"^ {4}(\w+) +(?:(\d+) +)?(\d+)(?: |$)", re.MULTILINE)

Start = Callable[..., Command]


@pytest.fixture
def prefix(corner: str) -> str:
    return f"/{corner}/demo"


@pytest.fixture
def demo(environment: dict[str, str], prefix: str, tmp_path: Path) -> Iterator[Start]:
    """Start a demo; it and all its processes are gone at the end."""
    started: list[Command] = []

    def start(**variables: str) -> Command:
        told = {**environment, "DEMO_PREFIX": prefix, **variables}
        started.append(demos.start(tmp_path / "demo.log", told))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()


def shown(demo: Command, text: str) -> None:
    """Wait until the demo has said this."""

    def look() -> bool:
        assert demo.process.poll() is None, f"it ended before {text!r}:\n{demo.output}"
        return text in demo.output

    eventually(look, LIMIT, text)


def tables(output: str) -> dict[str, dict[str, tuple[int, int]]]:
    """What a demo printed: by board and kind, what the load did and what Canary recorded."""
    found = {}
    for part in re.split(r"^(?=/)", output, flags=re.MULTILINE):
        head, _, rest = part.partition("\n")
        if head.endswith("/jobs") and "kind" in rest:
            rest = rest.partition("\n\n")[0]
            found[head] = {kind: (int(did or 0), int(saw)) for kind, did, saw in ROW.findall(rest)}
    return found


def test_canary_recorded_what_the_load_did(demo: Start, prefix: str) -> None:
    command = demo(DEMO_SECONDS="6")

    assert command.process.wait(LIMIT) == 0, command.output
    output = command.output
    found = tables(output)
    assert found.keys() == {f"{prefix}/octavia/jobs", f"{prefix}/poppy/jobs"}
    for rows in found.values():
        assert rows.keys() == {*KINDS, "unseen"}, output
        assert rows.pop("unseen") == (0, 0)
        assert all(did == saw > 0 for did, saw in rows.values()), output
    changes = sum(rows[kind][0] for rows in found.values() for kind in ("posted", "claimed"))
    assert f"{changes} samples of {changes} changes" in output
    assert re.search(r"median \d+ ms, p99 \d+ ms", output)
    for path, rows in found.items():
        assert f"/v1.0/jobs?path={path} answers with {rows['posted'][0]} jobs" in output


def test_what_others_did_and_what_nobody_can_see_make_it_fail(
    demo: Start, prefix: str, zookeeper: KazooClient
) -> None:
    command = demo(DEMO_SECONDS="6")
    shown(command, WORKS)

    stranger = {"uuid": str(uuid.uuid4()), "name": "stranger", "priority": "NORMAL", "details": {}}
    data = json.dumps(stranger).encode()
    zookeeper.create(f"{prefix}/octavia/jobs/job", data, sequence=True)
    # What comes and goes in one transaction was never there to be seen, but is counted.
    flash = zookeeper.transaction()
    flash.create(f"{prefix}/poppy/jobs/flash")
    flash.delete(f"{prefix}/poppy/jobs/flash")
    assert not [each for each in flash.commit() if isinstance(each, Exception)]

    assert command.process.wait(LIMIT) == 1, command.output
    output = command.output
    octavia, poppy = (tables(output)[f"{prefix}/{name}/jobs"] for name in ("octavia", "poppy"))
    assert octavia["posted"][1] == octavia["posted"][0] + 1
    assert f"posted {stranger['uuid']}" in output
    assert octavia["unseen"] == (0, 0)
    assert all(did == saw for kind, (did, saw) in poppy.items() if kind != "unseen")
    assert poppy["unseen"] == (0, 2)
    assert "1 creates, 1 deletes" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_all_its_processes(demo: Start, number: int) -> None:
    command = demo()
    shown(command, WORKS)
    [address] = re.findall(r"the dashboard: (http://\S+)", command.output)
    assert requests.get(address, timeout=30).status_code == 200
    processes = psutil.Process(command.process.pid).children(recursive=True)
    assert len(processes) >= 4

    assert command.end(number) == 0, command.output

    eventually(lambda: not [each for each in processes if each.is_running()])


def test_another_shell_finds_everything_by_the_line_that_it_prints(
    demo: Start, tmp_path: Path
) -> None:
    command = demo()
    shown(command, WORKS)
    line = demos.exported(command)
    canary = Path(sys.executable).parent / "canary"
    done = subprocess.run(
        ["sh", "-c", f"{line}\n{canary} doctor -f json"],
        env={"HOME": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {finding["check"]: finding["status"] for finding in json.loads(done.stdout)}
    assert {found[name] for name in ("zookeeper", "mongodb", "workers", "server")} == {"ok"}


def test_a_process_that_ends_by_itself_ends_it_with_the_end_of_its_log(demo: Start) -> None:
    command = demo()

    def worker() -> list[psutil.Process]:
        children = psutil.Process(command.process.pid).children()
        return [each for each in children if any("canary-worker" in w for w in each.cmdline())]

    [process] = eventually(worker, LIMIT)
    shown(command, "waiting for Canary")
    process.kill()

    assert command.process.wait(LIMIT) == 1
    assert "canary-worker was ended by SIGKILL" in command.output
    assert "The end of canary-worker's log" in command.output
