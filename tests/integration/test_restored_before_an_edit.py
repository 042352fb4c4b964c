"""A job of which half was told, in an ensemble that forgot the other half.

It was posted and edited before it was first read, which is told as two changes. The worker died
after the first of them was stored, and then ZooKeeper was restored from a copy in which the job was
never edited: nothing in its stat tells that what is stored of it is the edited one's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.model.changes import Kind
from canary.stores.mongo.documents import Document
from canary.stores.writing.batches import Batch
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.change_log import Entries
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.integration.boards import kinds, post, posting
from tests.integration.own_zookeeper import own_zookeeper
from tests.integration.watching import Watching, take
from tests.waiting import eventually

OFTEN = 0.2  # seconds between two comparisons
PATH = "/watched/jobs"


@pytest.fixture
def store(connected: Database[Document]) -> LiveStore:
    return LiveStore(connected, "test")


@contextmanager
def client_of(config: Config, host: str) -> Iterator[Client]:
    client = connect(replace(config.zookeeper, hosts=(host,)))
    client.start(timeout=30)
    try:
        yield client
    finally:
        disconnect(client, 1.0)


@contextmanager
def hand(host: str) -> Iterator[KazooClient]:
    client = KazooClient(host)
    client.start(30)
    try:
        yield client
    finally:
        client.stop()
        client.close()


@pytest.mark.parametrize(
    "edited", [posting("edited", n=1), b"", b"no JSON"], ids=["job", "empty", "no JSON"]
)
def test_it_is_known_by_its_data_that_it_is_another(
    config: Config,
    store: LiveStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edited: bytes,
) -> None:
    with own_zookeeper(tmp_path / "first") as host, hand(host) as zookeeper:
        zookeeper.ensure_path(PATH)
        job = post(zookeeper, PATH, posting("as posted"))
        posted = zookeeper.get(f"{PATH}/{job}")[0]
    database: Database[Document] = store.database
    insert = LiveBoard._insert

    def die_at_the_edit(board: LiveBoard, part: Batch, made: Entries) -> None:
        if any(change.kind is Kind.EDITED for change in part.changes):
            raise ZeroDivisionError
        insert(board, part, made)

    with (
        own_zookeeper(tmp_path / "edited", copy_of=tmp_path / "first") as host,
        hand(host) as zookeeper,
        client_of(config, host) as client,
        monkeypatch.context() as patched,
    ):
        zookeeper.set(f"{PATH}/{job}", edited)
        patched.setattr(LiveBoard, "_insert", die_at_the_edit)
        board = take(store, PATH, 1)
        board._batch_changes = 1
        watching = Watching(WatchContext(client, Pulse(client), 3_600.0), board)
        watching.greenlet.get(timeout=30)
        assert isinstance(watching.failure, ZeroDivisionError)
        assert kinds(database, PATH) in (["posted"], ["malformed"])

    with (
        own_zookeeper(tmp_path / "restored", copy_of=tmp_path / "first") as host,
        hand(host) as zookeeper,
        client_of(config, host) as client,
    ):
        assert zookeeper.get(f"{PATH}/{job}")[0] == posted
        watching = Watching(WatchContext(client, Pulse(client), OFTEN), take(store, PATH, 2))

        def is_right() -> dict[str, Any] | None:
            return database.jobs.find_one(
                {"board": PATH, "name": job, "job_name": "as posted", "payload.size": len(posted)}
            )

        found = eventually(is_right)
        assert found is not None
        assert found["uuid"] in posted.decode()
        assert found["state"] == "UNCLAIMED"
        assert kinds(database, PATH)[1:] == ["edited"], "that it was set back is told, once"
        watching.watch.stop()
        watching.greenlet.get(timeout=30)
        assert watching.failure is None
