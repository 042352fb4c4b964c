"""``/metrics`` of worker and server, as Prometheus finds them: real programs, real numbers."""

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.metrics import catalogue
from devstack import control
from tests.asking import open_stream
from tests.given import asked_for
from tests.integration.boards import STOOD_STILL, claim, consume, post, posting, register
from tests.integration.conftest import Command, Spawn
from tests.integration.proxy import Proxy
from tests.ports import free_port
from tests.scraping import Scrape, assert_is, scrape
from tests.waiting import eventually


class Program:
    """A program that runs and shows metrics."""

    def __init__(self, spawn: Spawn, name: str, option: str, **variables: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.command: Command = spawn(name, **{option: str(port)}, **variables)
        eventually(self._answers, why=f"{name} answers")

    def _answers(self) -> bool:
        assert self.command.process.poll() is None, self.command.output
        try:
            with requests.get(f"{self.url}/metrics", timeout=30) as answer:
                return answer.status_code == 200
        except requests.ConnectionError:
            return False

    def scrape(self) -> Scrape:
        return scrape(self.url)


@pytest.fixture
def worker(spawn: Spawn) -> Program:
    return Program(spawn, "canary-worker", "OS_METRICS__PORT")


def server_of(spawn: Spawn, workers: int, **variables: str) -> Program:
    variables["OS_SERVER__WORKERS"] = str(workers)
    return Program(spawn, "canary-server", "OS_SERVER__PORT", **variables)


@pytest.fixture
def server(spawn: Spawn) -> Program:
    return server_of(spawn, 1)


def await_value(program: Program, expected: float, name: str, **labels: str) -> Scrape:
    """Scrape until a series has the value that is expected of it."""

    def check(told: Scrape) -> None:
        assert told.value(name, **labels) == expected, f"{name} {labels}"

    return await_scrape(program, check)


def await_scrape(program: Program, check: Callable[[Scrape], None]) -> Scrape:
    """Scrape until what is told stands the check."""
    found: list[Scrape] = []

    def look() -> bool:
        found[:] = [program.scrape()]
        check(found[0])
        return True

    eventually(look)
    return found[0]


def test_what_was_done_on_a_board_is_what_both_tell(
    corner: str,
    worker: Program,
    server: Program,
    zookeeper: KazooClient,
    database: Database[dict[str, Any]],
    config: Config,
) -> None:
    board = f"/{corner}/jobs"
    zookeeper.ensure_path(board)
    old = post(zookeeper, board)  # before it is watched
    register(zookeeper, config.canary.jobboard, board)
    live = {"board": board, "freshness": "live"}
    await_value(server, 1, "canary_board_freshness", **live)

    posted = await_value(worker, 1, "canary_changes_total", board=board, kind="posted")
    assert posted.value("canary_watch_lag_seconds_count") == 0, "nobody watched for it yet"
    jobs = []
    for number in range(1, 6):
        jobs.append(post(zookeeper, board, posting()))
        await_value(worker, 1 + number, "canary_changes_total", board=board, kind="posted")
    for number, job in enumerate(jobs[:3], 1):
        claim(zookeeper, board, job)
        await_value(worker, number, "canary_changes_total", board=board, kind="claimed")
    consume(zookeeper, board, jobs[0])
    await_value(worker, 1, "canary_changes_total", board=board, kind="consumed")
    zookeeper.delete(f"{board}/{jobs[1]}.lock")
    await_value(worker, 1, "canary_changes_total", board=board, kind="abandoned")
    zookeeper.delete(f"{board}/{jobs[4]}")
    told = await_value(worker, 1, "canary_changes_total", board=board, kind="removed")

    assert told.by("kind", "canary_changes_total", board=board) == {
        "posted": 6,
        "claimed": 3,
        "consumed": 1,
        "abandoned": 1,
        "removed": 1,
    }
    assert told.by("operation", "canary_unseen_total", board=board) == {"create": 0, "delete": 0}
    assert told.by("reason", "canary_gaps_total", board=board).keys() <= STOOD_STILL
    assert told.value("canary_watch_lag_seconds_count") == 5 + 3, "postings and claims"
    assert told.value("canary_watch_lag_seconds_bucket", le="+Inf") == 8
    assert 0 < (told.value("canary_watch_lag_seconds_sum") or 0) < 8 * 10.0
    assert (told.value("canary_rounds_total", board=board) or 0) >= 12
    rounds = told.value("canary_round_duration_seconds_count")
    assert rounds == told.value("canary_rounds_total", board=board)
    assert (told.value("canary_mongodb_write_duration_seconds_count") or 0) >= 12
    assert told.value("canary_mongodb_write_failures_total") == 0
    at_rest = await_value(worker, 1, "canary_boards_watched", freshness="live")
    watched = at_rest.by("freshness", "canary_boards_watched")
    assert watched == {
        **dict.fromkeys(("catching_up", "suspended", "missing", "denied", "unwatched"), 0),
        "live": 1,
    }
    assert told.value("canary_watch_claims_total") == 1
    assert told.value("canary_watch_abandons_total") == 0
    assert told.value("canary_zookeeper_reconnects_total") == 0
    assert told.value("canary_drift_total") == 0
    assert at_rest.value("canary_outbox_changes") == at_rest.value("canary_outbox_bytes") == 0
    assert at_rest.value("canary_outbox_largest_changes") == 0
    assert (told.value("canary_heartbeat_age_seconds") or 0) < 10
    waiting, running = "canary_job_waiting_seconds", "canary_job_running_seconds"
    assert told.value(f"{waiting}_count", board=board) == 3, "one for each claim"
    assert told.value(f"{running}_count", board=board) == 1, "what was removed had never run"
    spent = database.changes.find_one({"board": board, "kind": "consumed"})
    assert spent is not None
    assert told.value(f"{running}_sum", board=board) == pytest.approx(spent["running"])

    # jobs: old, 1 (abandoned), 3: unclaimed; 2: claimed.
    def check(shown: Scrape) -> None:
        assert shown.by("state", "canary_board_jobs", board=board) == {"UNCLAIMED": 3, "CLAIMED": 1}
        assert shown.by("freshness", "canary_board_freshness", board=board) == watched
        assert shown.value("canary_board_lag_seconds", board=board) == 0
        assert shown.value("canary_workers") == shown.value("canary_mongodb_up") == 1

    shown = await_scrape(server, check)
    assert shown.value("canary_board_changes_total", board=board) == 12
    assert shown.by("operation", "canary_board_unseen_total", board=board) == {
        "create": 0,
        "delete": 0,
    }
    assert shown.value("canary_board_drift_total", board=board) == 0
    stored = database.jobs.find_one({"board": board, "name": old})
    assert stored is not None
    oldest = shown.value("canary_board_oldest_unclaimed_seconds", board=board) or 0
    assert 0 < oldest < 600
    assert (shown.value("canary_board_freshness_age_seconds", board=board) or 0) < 600

    with open_stream(server.url) as stream:
        lines = stream.iter_lines(chunk_size=None)
        events = events_to(lines, b"event: board")
        assert server.scrape().value("canary_stream_clients") == 1
        post(zookeeper, board, posting())
        events += events_to(lines, b"event: change")
    assert events >= 2
    await_value(server, events, "canary_stream_events_sent_total")
    assert server.scrape().value("canary_stream_clients_dropped_total") == 0


def events_to(lines: Iterator[bytes], last: bytes) -> int:
    """Read a stream up to an event, and return how many there were with it."""
    events = 0
    for line in lines:
        events += line.startswith(b"event: ")
        if line == last:
            break
    return events


def test_what_happens_while_nobody_watches_is_told_as_unseen(
    corner: str,
    spawn: Spawn,
    worker: Program,
    server: Program,
    zookeeper: KazooClient,
    config: Config,
) -> None:
    board = f"/{corner}/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    await_value(server, 1, "canary_board_freshness", board=board, freshness="live")
    assert worker.command.end() == 0
    await_value(server, 1, "canary_board_freshness", board=board, freshness="unwatched")
    left = await_value(server, 0, "canary_workers")
    assert left.by("reason", "canary_board_gaps_total", board=board) == {}
    jobs = [post(zookeeper, board) for _ in range(3)]
    for job in jobs[:2]:
        zookeeper.delete(f"{board}/{job}")
    later = server.scrape().value("canary_board_lag_seconds", board=board)
    assert later is not None
    assert 0 < later < 600

    second = Program(spawn, "canary-worker", "OS_METRICS__PORT")
    told = await_value(second, 1, "canary_changes_total", board=board, kind="posted")
    assert told.by("kind", "canary_changes_total", board=board) == {"posted": 1}
    assert told.by("reason", "canary_gaps_total", board=board) == {"handover": 1}
    unseen = {"create": 2, "delete": 2}
    assert told.by("operation", "canary_unseen_total", board=board) == unseen
    assert told.value("canary_watch_lag_seconds_count") == 1, "late, but it was watched for"
    await_value(server, 1, "canary_board_freshness", board=board, freshness="live")
    shown = await_value(server, 0, "canary_board_lag_seconds", board=board)
    assert shown.by("operation", "canary_board_unseen_total", board=board) == unseen
    assert shown.by("reason", "canary_board_gaps_total", board=board) == {"handover": 1}

    third = Program(spawn, "canary-worker", "OS_METRICS__PORT")
    register(zookeeper, config.canary.jobboard, f"{board}2")
    await_value(third, 1, "canary_watch_claims_total")
    await_value(server, 2, "canary_workers")
    assert second.command.end() == third.command.end() == 0
    gone = server.scrape()
    assert gone.by("operation", "canary_board_unseen_total", board=board) == unseen, "kept"


def test_a_connection_to_zookeeper_that_was_lost_is_counted(
    corner: str, spawn: Spawn, zookeeper: KazooClient, proxy: Proxy, config: Config
) -> None:
    board = f"/{corner}/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    hosts = {"OS_ZOOKEEPER__HOSTS": proxy.address}
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT", **hosts)
    first = await_value(worker, 1, "canary_boards_watched", freshness="live")
    assert first.value("canary_zookeeper_reconnects_total") == 0
    with proxy.away():
        await_value(worker, 1, "canary_boards_watched", freshness="suspended")
    again = await_value(worker, 1, "canary_boards_watched", freshness="live")
    assert again.value("canary_zookeeper_reconnects_total") == 1


def test_a_mongodb_that_stands_still_is_seen_in_what_waits(
    corner: str, spawn: Spawn, zookeeper: KazooClient, config: Config
) -> None:
    board = f"/{corner}/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT", OS_MONGO__TIMEOUT="0.5")
    before = await_value(worker, 1, "canary_boards_watched", freshness="live")
    assert before.value("canary_mongodb_write_failures_total") == 0
    control.freeze("mongodb")
    try:
        for number in range(1, 4):
            post(zookeeper, board)
            await_value(worker, number, "canary_outbox_changes")
        eventually(lambda: worker.scrape().value("canary_mongodb_write_failures_total"))
        eventually(lambda: (worker.scrape().value("canary_heartbeat_age_seconds") or 0) > 2)
        told = worker.scrape()
        assert told.value("canary_outbox_largest_changes") == 3
        assert (told.value("canary_outbox_bytes") or 0) >= 1_500
        assert told.value("canary_outbox_largest_bytes") == told.value("canary_outbox_bytes")
        assert told.by("kind", "canary_changes_total", board=board) == {}, "not before it is stored"
    finally:
        control.thaw("mongodb")
    told = await_value(worker, 3, "canary_changes_total", board=board, kind="posted")
    assert told.value("canary_outbox_changes") == 0
    late = told.value("canary_watch_lag_seconds_bucket", le="1.0")
    assert told.value("canary_watch_lag_seconds_count") == 3
    assert late is not None
    assert late < 3, "it was as late as MongoDB was"


def test_without_mongodb_both_answer_and_say_so(spawn: Spawn) -> None:
    away = {"OS_MONGO__URI": "mongodb://127.0.0.1:1/?replicaSet=rs0", "OS_MONGO__TIMEOUT": "0.5"}
    server = Program(spawn, "canary-server", "OS_SERVER__PORT", **away)
    told = server.scrape()
    assert told.value("canary_mongodb_up") == 0
    assert not any(name.startswith(("canary_board", "canary_workers")) for name in told.types)
    assert requests_of(told, "/metrics") > 0, "what it counted itself is there"
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT", **away)
    eventually(lambda: (worker.scrape().value("canary_heartbeat_age_seconds") or 0) > 0.5)
    assert worker.command.end() == server.command.end() == 0


def test_a_worker_shares_its_numbers_with_nobody(
    corner: str, spawn: Spawn, zookeeper: KazooClient, config: Config, tmp_path: Path
) -> None:
    folder = tmp_path / "of another program"
    folder.mkdir()
    boards = [f"/{corner}/{name}/jobs" for name in "ab"]
    for board in boards:
        zookeeper.ensure_path(board)
        register(zookeeper, config.canary.jobboard, board)
    worker = Program(
        spawn, "canary-worker", "OS_METRICS__PORT", PROMETHEUS_MULTIPROC_DIR=str(folder)
    )
    await_value(worker, 2, "canary_boards_watched", freshness="live")
    post(zookeeper, boards[0])
    told = await_value(worker, 1, "canary_changes_total", board=boards[0], kind="posted")
    assert told.by("kind", "canary_changes_total", board=boards[1]) == {}
    assert list(folder.iterdir()) == []


def test_a_port_that_is_taken_is_an_option_that_is_wrong(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = spawn("canary-worker", OS_METRICS__PORT=str(taken.getsockname()[1]))
        assert worker.process.wait(60) == 2
    [line] = worker.output.splitlines()
    assert line.startswith("canary-worker: [metrics] port")
    assert "OS_METRICS__PORT" in line, "it says what to do"


@pytest.mark.cassandra
def test_every_metric_that_is_declared_is_there_and_no_other(
    corner: str, spawn: Spawn, zookeeper: KazooClient, config: Config
) -> None:
    server = server_of(spawn, 1)
    options = {"OS_CASSANDRA__ENABLED": "true", "OS_CASSANDRA__CHECKPOINT_INTERVAL": "1"}
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT", **options)
    board = f'/{corner}/a "b" \\ c/jobs'
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    shown = await_value(server, 1, "canary_board_freshness", board=board, freshness="live")
    assert_is(shown, catalogue.OF_SERVER)
    eventually(lambda: (worker.scrape().value("canary_checkpoints_total") or 0) >= 2)
    told = worker.scrape()
    assert (told.value("canary_checkpoint_age_seconds", board=board) or 0) < 60
    assert told.value("canary_checkpoint_failures_total") == 0
    assert told.value("canary_checkpoint_interval_seconds") == 1
    there = {name for name in told.types if not name.startswith("process_")}
    assert there == {metric.name for metric in catalogue.OF_WORKER}
    every = shown.types.keys() | told.types.keys() | {metric.name for metric in catalogue.OF_WORKER}
    for name in asked_for():
        family = re.sub("_(bucket|sum|count)$", "", name)
        assert name in every or family in every, f"{name} is asked for, and nobody shows it"


def test_checkpoints_that_fail_are_counted_and_grow_old(
    corner: str, spawn: Spawn, zookeeper: KazooClient, config: Config
) -> None:
    board = f"/{corner}/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, config.canary.jobboard, board)
    away = {"OS_CASSANDRA__ENABLED": "true", "OS_CASSANDRA__PORT": "1"}
    worker = Program(spawn, "canary-worker", "OS_METRICS__PORT", **away)
    eventually(lambda: (worker.scrape().value("canary_checkpoint_failures_total") or 0) >= 1)
    told = worker.scrape()
    assert told.value("canary_checkpoints_total") == 0
    age = told.value("canary_checkpoint_age_seconds", board=board)
    assert age is not None
    eventually(
        lambda: (worker.scrape().value("canary_checkpoint_age_seconds", board=board) or 0) > age
    )


def test_all_processes_of_the_server_are_added_up_whichever_answers(
    spawn: Spawn, tmp_path: Path
) -> None:
    server = server_of(spawn, 2, TMPDIR=str(tmp_path))
    [folder] = tmp_path.glob("canary-server-*")
    master = psutil.Process(server.command.process.pid)
    eventually(lambda: len(master.children()) == 2)
    processes = master.children()
    before = server.scrape()
    with contextlib.ExitStack() as streams:
        # Each on a connection of its own, until both processes are met: one may begin later.
        held: list[int] = []
        opened = 0

        def only_streams_are_left() -> bool:
            held[:] = [streams_of(server, process) for process in processes]
            return sum(held) == opened

        while opened < 400 and (opened < 40 or min(held) == 0):
            for _ in range(20):
                with requests.get(f"{server.url}/livez", timeout=30) as answer:
                    assert answer.status_code == 200
                streams.enter_context(open_stream(server.url))
            opened += 20
            eventually(only_streams_are_left)
        assert min(held) > 0, "one process had no client"
        for _ in range(10):
            told = server.scrape()
            assert told.value("canary_stream_clients") == opened
            assert requests_of(told, "/livez") == requests_of(before, "/livez") + opened
            assert streams_told(told) == opened

        processes[0].kill()
        eventually(lambda: server.scrape().value("canary_stream_clients") == held[1])
        told = server.scrape()
        assert requests_of(told, "/livez") == requests_of(before, "/livez") + opened
        assert streams_told(told) == opened

        processes[1].terminate()
        eventually(
            lambda: not {each.pid for each in processes} & {p.pid for p in master.children()}
        )
        assert folder.exists(), "it is its maker's to remove"
        eventually(lambda: server.scrape().value("canary_stream_clients") == 0)
        assert streams_told(server.scrape()) == opened
    assert server.command.end() == 0, server.command.output
    assert not folder.exists()


def requests_of(told: Scrape, route: str) -> float:
    labels = {"route": route, "method": "GET"}
    return sum(told.by("status", "canary_http_requests_total", **labels).values())


def streams_told(told: Scrape) -> float | None:
    """Return how many streams were begun, without who was told to wait for its process."""
    labels = {"route": "/v2/stream", "method": "GET", "status": "200"}
    return told.value("canary_http_requests_total", **labels)


def streams_of(server: Program, process: psutil.Process) -> int:
    """Return how many clients a process of the server has."""
    port = int(server.url.rpartition(":")[2])
    connections = process.net_connections("tcp")
    return sum(each.laddr.port == port and each.status == "ESTABLISHED" for each in connections)
