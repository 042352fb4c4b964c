"""A watch job whose board can't be taken: what a real store's failure does to it, and what not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.clock import now
from canary.config import Config
from canary.errors import StoreRefused, StoreUnavailable
from canary.stores.mongo.client import connect as connect_mongodb
from canary.stores.writing.take import LiveStore
from canary.worker.claims import Claim
from canary.zookeeper import Client, connect, disconnect
from tests.integration.conducted import Conducted, add
from tests.ports import free_port
from tests.waiting import eventually

FAILING, SOUND = "/failing/jobs", "/sound/jobs"

Mongo = Database[dict[str, Any]]


@pytest.fixture
def store(connected: Mongo) -> LiveStore:
    return LiveStore(connected, "worker")


@pytest.fixture
def away(config: Config) -> Iterator[LiveStore]:
    """A MongoDB that is not there."""
    uri = f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0"
    connected = connect_mongodb(replace(config.mongo, uri=uri, timeout=0.2))
    yield LiveStore(connected, "worker")
    connected.client.close()


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def conducted(client: Client, config: Config) -> Iterator[Conducted]:
    conducted = Conducted(client, config.canary.jobboard)
    yield conducted
    conducted.conductor.stop()
    conducted.greenlet.get(timeout=30)
    assert set(conducted.most.values()) == {1}, "one run of a watch job at a time"


def unavailable(store: LiveStore, away: LiveStore, mended: list[bool]) -> Callable[[Claim], object]:
    def take(claim: Claim) -> object:
        chosen = away if claim.job.path == FAILING and not mended else store
        return chosen.take(claim.job.path, claim.epoch, lambda: True, now())

    return take


def refused(store: LiveStore, _: LiveStore, mended: list[bool]) -> Callable[[Claim], object]:
    """MongoDB has been told to take no document of that board."""
    store.database.command("collMod", "boards", validator={"_id": {"$ne": FAILING}})

    def take(claim: Claim) -> object:
        if mended:
            store.database.command("collMod", "boards", validator={})
        return store.take(claim.job.path, claim.epoch, lambda: True, now())

    return take


def unexpected(store: LiveStore, _: LiveStore, mended: list[bool]) -> Callable[[Claim], object]:
    """The board's document is of somebody else's making."""
    store.database.boards.insert_one({"_id": FAILING, "colour": "yellow"})

    def take(claim: Claim) -> object:
        if mended:
            store.database.boards.delete_one({"_id": FAILING, "colour": "yellow"})
        return store.take(claim.job.path, claim.epoch, lambda: True, now())

    return take


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (unavailable, StoreUnavailable, "the watch failed: MongoDB does not answer"),
        (refused, StoreRefused, "the watch failed: MongoDB refuses: "),
        (unexpected, KeyError, "Traceback"),
    ],
)
def test_a_store_that_fails_at_dispatch(
    failure: Callable[..., Callable[[Claim], object]],
    error: type[Exception],
    words: str,
    store: LiveStore,
    away: LiveStore,
    conducted: Conducted,
    zookeeper: KazooClient,
    config: Config,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The job stays, is free between two tries, and comes back after one second, then two."""
    board = config.canary.jobboard
    mended: list[bool] = []
    raised: list[type[BaseException]] = []
    attempt = failure(store, away, mended)

    def take(claim: Claim) -> None:
        try:
            attempt(claim)
        except Exception as caught:
            raised.append(type(caught))
            raise

    conducted.take = take
    failing, sound = add(zookeeper, board, FAILING, SOUND)
    eventually(lambda: conducted.boards() == [SOUND], why="the other one is not held up")
    eventually(lambda: len(raised) == 3)
    eventually(lambda: not zookeeper.exists(f"{board}/{failing}.lock"), why="it is given back")
    assert zookeeper.exists(f"{board}/{failing}"), "it is neither consumed nor trashed"
    assert set(raised) == {error}
    assert words in caplog.text
    mended.append(True)
    eventually(lambda: conducted.boards() == [FAILING, SOUND])

    waits = [later - earlier for earlier, later in pairwise(conducted.tries[FAILING])]
    assert [wait >= least for wait, least in zip(waits, (1.0, 2.0, 4.0), strict=True)] == [True] * 3
    epochs = [claim.epoch for claim in conducted.claims if claim.job.path == FAILING]
    assert len(set(epochs)) == 4, "abandoned, and claimed anew each time"
    assert len(conducted.tries[SOUND]) == 1
    assert zookeeper.exists(f"{board}/{failing}.lock").czxid == epochs[-1]
    assert zookeeper.exists(f"{board}/{sound}.lock")
    assert not conducted.greenlet.dead
    stored = store.database.boards.find_one({"_id": FAILING})
    assert stored is not None
    assert stored["epoch"] == epochs[-1]
