"""A board with more to read than may be in memory at once is read in portions."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from gevent.lock import BoundedSemaphore
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.model.freshness import Freshness
from canary.model.state import Step
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore
from canary.watchers.budget import Budget
from canary.watchers.context import WatchContext
from canary.watchers.outbox import Outbox, weight
from canary.watchers.watermark import Lag
from canary.watchers.zookeeper import board_reader
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.integration.boards import claim, kinds, mirrored, post
from tests.integration.proxy import Proxy
from tests.integration.watching import Watching, take
from tests.waiting import eventually

KEPT = 64_000  # bytes of each payload, about
JOBS = 120
PAGE = 1_000_000  # bytes

Mongo = Database[dict[str, Any]]


def large(number: int) -> bytes:
    """Return a payload of which as much is kept as of any, and twice as much is not."""
    told = {"uuid": f"u-{number}", "name": "n"} | {f"k{i}": "x" * 7_900 for i in range(8)}
    return json.dumps(told | {"details": "y" * 130_000}).encode()


class Counted(BoundedSemaphore):
    """Counts how many of it are held."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.all, self.most = count, 0

    @property
    def held(self) -> int:
        return int(self.all - self.counter)

    def acquire(self, *words: Any, **more: Any) -> bool:
        is_mine = bool(super().acquire(*words, **more))
        self.most = max(self.most, self.held)
        return is_mine


@pytest.fixture
def client(config: Config, proxy: Proxy) -> Iterator[Client]:
    options = replace(config.zookeeper, hosts=(proxy.address,))
    client = connect(options)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def answers() -> Counted:
    return Counted(5)


@pytest.fixture
def context(client: Client, answers: Counted) -> WatchContext:
    budget = Budget()
    budget.answers = answers
    return WatchContext(client, Pulse(client), 3600.0, budget=budget)


@pytest.fixture
def store(connected: Mongo) -> LiveStore:
    return LiveStore(connected, "test")


@pytest.fixture
def watch(context: WatchContext, store: LiveStore) -> Iterator[Callable[[str], Watching]]:
    """Watch a board until the test is over, or the watch is told to stop."""
    started: list[Watching] = []

    def start(path: str) -> Watching:
        started.append(Watching(context, take(store, path)))
        return started[-1]

    yield start
    for watching in started:
        watching.watch.stop()
    gevent.joinall([watching.greenlet for watching in started], timeout=30, raise_error=True)
    assert context.budget.held == 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Freshness]]:
    """How much each step held, and as what the board was shown then."""
    monkeypatch.setattr(board_reader, "PAGE_BYTES", PAGE)
    put, steps = Outbox.put, list[tuple[int, Freshness]]()

    def counted(outbox: Outbox[LiveBoard], step: Step, freshness: Freshness, lag: Lag) -> None:
        steps.append((weight(step.changes), freshness))
        put(outbox, step, freshness, lag)

    monkeypatch.setattr(Outbox, "put", counted)
    return steps


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    return path


def is_live(database: Mongo, path: str) -> bool:
    return database.boards.find_one({"_id": path, "freshness": "live"}) is not None


def assert_bounded(steps: list[tuple[int, Freshness]], answers: Counted) -> None:
    largest = PAGE + (answers.all + 1) * 70_000
    assert len(steps) >= JOBS * KEPT // largest
    assert max(size for size, _ in steps) < largest
    assert answers.most == answers.all
    assert answers.held == 0


def test_a_first_look_at_much(
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
    steps: list[tuple[int, Freshness]],
    answers: Counted,
) -> None:
    jobs = [post(zookeeper, path, large(number)) for number in range(JOBS)]
    for job in jobs[::10]:
        claim(zookeeper, path, job)
    watch(path)
    eventually(lambda: is_live(database, path), 60)
    assert_bounded(steps, answers)
    *parts, last = [freshness for _, freshness in steps]
    assert set(parts) == {Freshness.CATCHING_UP}
    assert last is Freshness.LIVE
    claimed = dict.fromkeys(jobs[::10], ("CLAIMED", "ann"))
    assert mirrored(database, path) == dict.fromkeys(jobs, ("UNCLAIMED", None)) | claimed
    assert database.jobs.count_documents({"board": path, "payload.size": {"$gt": KEPT}}) == JOBS
    assert database.gaps.count_documents({"board": path}) == 0


def test_a_flood_while_it_is_watched(
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
    steps: list[tuple[int, Freshness]],
    answers: Counted,
) -> None:
    gone = post(zookeeper, path)
    claim(zookeeper, path, gone)
    watching = watch(path)
    eventually(lambda: is_live(database, path))
    steps.clear()
    watching.watch._outbox._budget.charge(2**40)  # a store that is far behind: reading waits
    zookeeper.delete(f"{path}/{gone}.lock")
    eventually(lambda: watching.watch.freshness is Freshness.CATCHING_UP)
    jobs = [post(zookeeper, path, large(number)) for number in range(JOBS)]
    zookeeper.delete(f"{path}/{gone}")
    zookeeper.delete(f"{path}/{jobs.pop()}")
    watching.watch._outbox._budget.charge(-(2**40))
    eventually(lambda: len(mirrored(database, path)) == len(jobs), 60)
    eventually(lambda: is_live(database, path))
    assert_bounded(steps, answers)
    assert mirrored(database, path) == dict.fromkeys(jobs, ("UNCLAIMED", None))
    told = Counter(kinds(database, path))
    assert told.pop("abandoned", 0) <= 1, "it is told where it was read before reading stopped"
    assert told == {"posted": JOBS, "claimed": 1, "ended": 1}
    [gap] = database.gaps.find({"board": path})
    assert (gap["reason"], gap["creates"], gap["deletes"]) == ("overflow", 1, 1)


def test_a_connection_that_is_lost_meanwhile_leaves_nothing_held(
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
    proxy: Proxy,
    steps: list[tuple[int, Freshness]],
    answers: Counted,
) -> None:
    jobs = [post(zookeeper, path, large(number)) for number in range(JOBS)]
    watch(path)
    for number in range(1, 4):
        eventually(lambda number=number: len(steps) >= number)  # type: ignore[misc]
        proxy.drop()
    eventually(lambda: is_live(database, path), 60)
    assert mirrored(database, path) == dict.fromkeys(jobs, ("UNCLAIMED", None))
    assert kinds(database, path) == ["posted"] * JOBS
    assert answers.held == 0


def test_many_boards_share_what_may_be_read_at_once(
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    path: str,
    answers: Counted,
) -> None:
    paths = [f"{path}/{number}" for number in range(12)]
    for each in paths:
        zookeeper.ensure_path(each)
        for number in range(20):
            claim(zookeeper, each, post(zookeeper, each, large(number)))
    for each in paths:
        watch(each)
    eventually(lambda: all(is_live(database, each) for each in paths), 60)
    for each in paths:
        assert len(mirrored(database, each)) == 20
    assert answers.most == answers.all
    assert answers.held == 0
