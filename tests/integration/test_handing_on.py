"""A state and who is to write it: nothing switches while it is handed on.

On real servers: a watch is at work, and greenlets are traced.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

import gevent
import pytest
from gevent.event import Event
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.clock import CLOCK
from canary.config import Config
from canary.model.freshness import Freshness
from canary.model.jobs import Job
from canary.model.payload.payload import Payload
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore
from canary.watchers import outbox
from canary.watchers.context import WatchContext
from canary.watchers.outbox import Outbox
from canary.watchers.zookeeper.board_reader import BoardReader
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.integration.boards import claim, consume, post
from tests.integration.proxy import Proxy
from tests.integration.watching import Watching, take
from tests.unswitched import unswitched
from tests.waiting import eventually

Mongo = Database[dict[str, Any]]

#: Each takes what there is and hands it on: to the outbox, to the writer.
ONE_CALL: Final[tuple[Callable[..., Any], ...]] = (
    BoardWatch._take_on,
    BoardWatch._go_on,
    Outbox.put,
    Outbox.show,
    Outbox._hand_over,
    LiveBoard.add,
)


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    post(zookeeper, path)
    claim(zookeeper, path, post(zookeeper, path))
    return path


@pytest.fixture
def client(config: Config, proxy: Proxy) -> Iterator[Client]:
    client = connect(replace(config.zookeeper, hosts=(proxy.address,)))
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def watching(client: Client, connected: Mongo, path: str) -> Iterator[Watching]:
    watching = Watching(
        WatchContext(client, Pulse(client), 0.2), take(LiveStore(connected, "test"), path)
    )
    eventually(lambda: watching.context.tally.reconciled)
    yield watching
    watching.watch.stop()
    watching.greenlet.get(timeout=30)


def revision(database: Mongo, path: str) -> int:
    found = database.boards.find_one({"_id": path})
    assert found is not None
    return int(found["revision"])


def work(zookeeper: KazooClient, database: Mongo, path: str) -> None:
    """Have changes come, alone and many at once, and gaps, until all of it is written."""
    before = revision(database, path)
    for _ in range(5):
        job = post(zookeeper, path)
        claim(zookeeper, path, job)
        consume(zookeeper, path, job)
    jobs = [post(zookeeper, path) for _ in range(50)]
    eventually(lambda: database.jobs.find_one({"board": path, "name": jobs[-1]}))
    assert revision(database, path) > before


def test_nothing_switches_while_a_state_is_handed_on(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str, proxy: Proxy
) -> None:
    tally = watching.context.tally
    with unswitched(*ONE_CALL) as left:
        work(zookeeper, database, path)
        proxy.drop()  # a suspension, and a round that reads everything again
        work(zookeeper, database, path)
        database.jobs.delete_one({"board": path, "state": "UNCLAIMED"})
        eventually(lambda: tally.drift == 1)
    assert left == []


@pytest.mark.parametrize(
    ("where", "name", "call"),
    [(outbox, "weight", "put"), (CLOCK, "now", "show")],
    ids=["put", "show"],
)
def test_it_is_noticed_where_something_does(
    watching: Watching,
    zookeeper: KazooClient,
    database: Mongo,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    call: str,
) -> None:
    called = getattr(where, name)

    def wait(*words: Any) -> Any:
        gevent.sleep(0)
        return called(*words)

    monkeypatch.setattr(where, name, wait)
    with unswitched(*ONE_CALL) as left:
        work(zookeeper, database, path)
        watching.watch._outbox.show(Freshness.CATCHING_UP)
    assert call in left


def test_a_slow_zookeeper_does_not_hold_up_what_is_written(
    watching: Watching, database: Mongo, path: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload that was lost is read again, and meanwhile nothing comes from ZooKeeper."""
    read, reading, readers = BoardReader.payload, Event(), list[Any]()
    go_on = Event()

    def payload(reader: BoardReader, job: Job) -> Payload | None:
        readers.append(gevent.getcurrent())
        reading.set()
        go_on.wait()
        return read(reader, job)

    writers = set[Any]()
    mark = LiveBoard.mark

    def marked(board: LiveBoard, *words: Any) -> None:
        writers.add(gevent.getcurrent())
        mark(board, *words)

    monkeypatch.setattr(BoardReader, "payload", payload)
    monkeypatch.setattr(LiveBoard, "mark", marked)
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": {"payload": None}})
    assert reading.wait(30)
    with proxy.frozen():
        eventually(partial(is_shown, database, path, Freshness.SUSPENDED), 10)
        assert not go_on.is_set()
    go_on.set()
    eventually(partial(is_shown, database, path, Freshness.LIVE))
    eventually(lambda: watching.context.tally.drift == 1)
    found = database.jobs.find_one({"board": path, "state": "CLAIMED"})
    assert found is not None
    assert found["payload"]["text"]
    assert watching.watch.board._pending == []
    assert readers
    assert writers
    assert set(readers).isdisjoint(writers)


def is_shown(database: Mongo, path: str, freshness: Freshness) -> bool:
    found = database.boards.find_one({"_id": path})
    return found is not None and found["freshness"] == freshness.value
