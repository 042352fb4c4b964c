"""The server and the worker go on, and end in time, while nobody reads what they log."""

import os
import signal
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.logs.writer import QUEUE_LIMIT
from tests.integration.boards import post, post_many, register
from tests.integration.full_pipe import Unread, unread
from tests.ports import free_port
from tests.programs import COMMANDS
from tests.scraping import Scrape
from tests.waiting import eventually

BOARD = f"/{'x' * 1_000}"
#: Each with a line of more than a kilobyte: more than a pipe and a queue hold.
REQUESTS = (QUEUE_LIMIT + (1 << 16)) // len(BOARD) + 100
CROWD = 500  # jobs, whose names are as many characters as a message in the log may have
END = 10.0  # seconds in which both have promised to end
DROPPED = "canary_log_lines_dropped_total"


ANSWERED: list[str] = []  # what was asked beside the many requests, and answered


def answers(session: requests.Session, url: str) -> bool:
    try:
        session.get(f"{url}/livez", timeout=5).raise_for_status()
    except requests.RequestException:
        return False
    ANSWERED.append("/livez")
    return True


def dropped(url: str) -> float | None:
    told = requests.get(f"{url}/metrics", timeout=10).text
    ANSWERED.append("/metrics")
    return Scrape(told).value(DROPPED)


def everything_read(program: Unread, url: str) -> Callable[[], bool]:
    """Tell whether all that was dropped has been said, for somebody reads now."""

    def look() -> bool:
        text = program.read()
        return text.endswith("\n") and program.dropped() == dropped(url)

    return look


def occupied(url: str) -> None:
    """Ask for more than is read, and be answered each time."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    for _ in range(REQUESTS):
        connection.request("GET", f"/x?path={BOARD}")
        with connection.getresponse() as answer:
            assert answer.status == 404
            answer.read()
    connection.close()


@pytest.fixture
def server(environment: dict[str, str]) -> tuple[dict[str, str], str]:
    port = str(free_port())
    options = {"OS_SERVER__PORT": port, "OS_LOG__REQUESTS": "all", "OS_SERVER__RATE_LIMIT": "0"}
    return {**environment, **options}, f"http://127.0.0.1:{port}"


def test_a_server_goes_on_and_counts_what_it_could_not_log(
    server: tuple[dict[str, str], str],
) -> None:
    environment, url = server
    ANSWERED.clear()
    with unread(COMMANDS / "canary-server", environment) as program, requests.Session() as session:
        eventually(lambda: answers(session, url))
        occupied(url)
        assert (eventually(lambda: dropped(url)) or 0) > 0
        eventually(everything_read(program, url))

        # It flows again: nothing more is lost.
        count = dropped(url)
        session.get(f"{url}/after", timeout=5)
        eventually(lambda: "path=/after" in program.read())
        assert dropped(url) == program.dropped() == count
        status, took = program.end()
        assert status == 0
        assert took < END
        text = program.read()
        assert "Shutting down" in text
        # The line of each request is there or counted, those of the few others included.
        assert text.count(" answered ") + program.dropped() == REQUESTS + 1 + len(ANSWERED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_in_time_though_nobody_reads(
    server: tuple[dict[str, str], str], number: int
) -> None:
    environment, url = server
    with unread(COMMANDS / "canary-server", environment) as program, requests.Session() as session:
        eventually(lambda: answers(session, url))
        occupied(url)
        eventually(lambda: dropped(url))
        status, took = program.end(number)
        assert status == 0
        assert took < END


def test_a_server_goes_on_when_who_read_has_gone(server: tuple[dict[str, str], str]) -> None:
    environment, url = server
    with unread(COMMANDS / "canary-server", environment) as program, requests.Session() as session:
        eventually(lambda: answers(session, url))
        program.close()
        for _ in range(50):
            assert session.get(f"{url}/x", timeout=5).status_code == 404
        eventually(lambda: (dropped(url) or 0) >= 50)
        status, took = program.end()
        assert status == 0
        assert took < END


def test_a_worker_goes_on_and_ends_in_time_though_nobody_reads(
    environment: dict[str, str],
    corner: str,
    zookeeper: KazooClient,
    database: Database[dict[str, Any]],
) -> None:
    path, port = f"/{corner}/watched/jobs", str(free_port())
    zookeeper.create(path, makepath=True)
    # For each line about what is on the board to be a long one.
    post_many(zookeeper, path, CROWD)
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], path)
    options = {"OS_LOG__LEVEL": "DEBUG", "OS_METRICS__PORT": port}
    url = f"http://127.0.0.1:{port}"

    def happens() -> None:
        post(zookeeper, path)
        there = len(zookeeper.get_children(path))
        eventually(lambda: database.changes.count_documents({"board": path}) == there)

    with unread(COMMANDS / "canary-worker", {**environment, **options}) as program:
        eventually(lambda: (database.boards.find_one({"_id": path}) or {}).get("freshness"))
        while not dropped(url):
            happens()
        eventually(everything_read(program, url))
        while (dropped(url) or 0) <= program.dropped():
            happens()
        status, took = program.end()
        assert status == 0
        assert took < END
    assert not database.workers.count_documents({"watching": path})


@pytest.mark.parametrize("name", ["canary-server", "canary-worker"])
def test_what_is_wrong_is_said_though_it_is_the_last_word(
    environment: dict[str, str], name: str, tmp_path: Path
) -> None:
    """A program that ends at once has written why, and ends with the status that says so."""
    wrong = {"OS_ZOOKEEPER__USE_TLS": "true", "OS_ZOOKEEPER__CA_FILE": str(tmp_path / "no.pem")}
    with unread(COMMANDS / name, {**environment, **wrong}) as program:
        assert program.process.wait(60) == 2
        assert f"{name}: [zookeeper] ca_file" in program.read()


@pytest.mark.parametrize("name", ["canary-server", "canary-worker"])
def test_standard_error_that_is_closed(
    environment: dict[str, str], name: str, tmp_path: Path
) -> None:
    """What is logged goes nowhere, and above all not into a connection that has its number."""
    port = str(free_port())
    script = tmp_path / "closed"
    script.write_text(f'#!/bin/sh\nexec "{COMMANDS / name}" <&- >&- 2>&-\n')
    script.chmod(0o755)
    options = {"OS_SERVER__PORT": port, "OS_METRICS__PORT": port, "OS_LOG__LEVEL": "DEBUG"}
    if name == "canary-server":
        options["OS_METRICS__PORT"] = "0"
    with unread(script, {**environment, **options}) as program:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answered(url))
        files = Path(f"/proc/{program.process.pid}/fd")
        assert {str((files / str(number)).readlink()) for number in range(3)} == {os.devnull}
        status, took = program.end()
        assert status == 0
        assert took < END


def answered(url: str) -> bool:
    try:
        return requests.get(f"{url}/metrics", timeout=5).ok
    except requests.RequestException:
        return False
