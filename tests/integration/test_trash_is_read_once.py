"""Looking for collisions on a real ZooKeeper: what is in the trash is read once, not at each look.

Boards under one parent share their trash.
"""

import json
from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest
from kazoo.client import KazooClient

from canary.config import Config
from canary.model.names import slash_trash_folder, slash_trash_path, trash_path
from canary.stores.writing.claimed_jobs import ClaimedJob, ClaimedJobs
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.trash_collisions import INTERVAL, CollisionsWatch
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.waiting import eventually, throughout

LARGE = "x" * 500_000
FIRST, SECOND, FREE = "job0000000000", "job0000000001", "job0000000002"


class Noted(ClaimedJobs):
    """Claimed jobs without a store, and what was noted of them."""

    def __init__(self, *names: str) -> None:
        self.in_trash: dict[str, str | None] = dict.fromkeys(names)
        self.notes = 0

    def all(self) -> Sequence[ClaimedJob]:
        return [
            ClaimedJob(f"board/{name}", name, f"mine-{name}", in_trash)
            for name, in_trash in self.in_trash.items()
        ]

    def note(self, job: ClaimedJob, in_trash: str | None) -> None:
        self.in_trash[job.name] = in_trash
        self.notes += 1


class Counting:
    """How many data a client reads."""

    def __init__(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        get = client.get_async

        def counted(path: str, *args: object, **options: object) -> object:
            self.paths.append(path)
            return get(path, *args, **options)

        monkeypatch.setattr(client, "get_async", counted)

    def taken(self) -> list[str]:
        """Return what was read since it was asked last."""
        paths, self.paths = self.paths, []
        return sorted(paths)


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


def of(uuid: str) -> bytes:
    return json.dumps({"uuid": uuid, "name": "build", "details": {"text": LARGE}}).encode()


@pytest.mark.parametrize("place", [trash_path, slash_trash_path])
def test_it_is_read_again_only_where_it_was_set(
    zookeeper: KazooClient,
    client: Client,
    corner: str,
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[str, str], str],
) -> None:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    if place is slash_trash_path:
        zookeeper.ensure_path(slash_trash_folder(path))
    first, second = (place(path, name) for name in (FIRST, SECOND))
    zookeeper.create(first, of("another"), makepath=True)
    jobs, reads = Noted(FIRST, SECOND, FREE), Counting(client, monkeypatch)
    watch = CollisionsWatch(WatchContext(client, Pulse(client), 60.0), path, jobs, lambda: True)

    def look() -> dict[str, str | None]:
        client.sync_async(path).get(timeout=10)
        watch.look()
        return jobs.in_trash

    assert look() == {FIRST: "another", SECOND: None, FREE: None}
    assert reads.taken() == [first]
    for _ in range(3):
        assert look() == {FIRST: "another", SECOND: None, FREE: None}
    assert reads.taken() == []
    zookeeper.create(second, of("a third"))
    assert look() == {FIRST: "another", SECOND: "a third", FREE: None}
    assert reads.taken() == [second]
    zookeeper.set(first, of("edited"))
    assert look() == {FIRST: "edited", SECOND: "a third", FREE: None}
    assert reads.taken() == [first]
    zookeeper.delete(second)
    assert look() == {FIRST: "edited", SECOND: None, FREE: None}
    assert reads.taken() == []
    zookeeper.delete(first)
    zookeeper.create(first, of("a fourth"))
    zookeeper.create(second, of("a third"))
    assert look() == {FIRST: "a fourth", SECOND: "a third", FREE: None}
    assert reads.taken() == [first, second]
    assert jobs.notes == 6
    look()
    assert (jobs.notes, reads.taken()) == (6, [])


def test_boards_that_are_taken_at_once_are_not_looked_at_in_the_same_second(
    client: Client,
) -> None:
    context = WatchContext(client, Pulse(client), 60.0)
    firsts = [CollisionsWatch(context, f"/b{n}/jobs", Noted(), bool).first for n in range(100)]
    assert all(0 <= first <= INTERVAL for first in firsts)
    assert len({int(first) for first in firsts}) > INTERVAL / 2


def test_a_board_without_a_claim_asks_mongodb_nothing(client: Client, corner: str) -> None:
    class Asked(Noted):
        times = 0

        def all(self) -> Sequence[ClaimedJob]:
            self.times += 1
            return super().all()

    jobs, claims = Asked(FIRST), [False]
    context = WatchContext(client, Pulse(client), 60.0)
    watch = CollisionsWatch(context, f"/{corner}/jobs", jobs, lambda: claims[0], interval=0.01)
    watch.first = 0.0
    running = gevent.spawn(watch.run)
    try:
        throughout(0.5, lambda: jobs.times == 0)
        claims[0] = True
        eventually(lambda: jobs.times > 1)
    finally:
        watch.stop()
        running.get(timeout=30)
