"""MongoDB, behind a proxy that loses what is on its way, keeps the contract of a board's store."""

import os
from collections.abc import Iterator

import pytest
from bson import CodecOptions
from pymongo import MongoClient
from pymongo.database import Database

from canary.config import MongoOptions
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.mongo.documents import Document
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore
from tests.board_contract import NOW, PATH, BoardContract, Lost, Store, Stored
from tests.integration.databases import empty
from tests.integration.lossy_proxy import Lose, LossyProxy

FOREVER = 2**31 - 1  # seconds: what the tests write is old
LOSE = {Lost.REQUEST: Lose.REQUEST, Lost.ANSWER: Lose.ANSWER}


class MongoStore(Store):
    """The real store. Each that takes the board has connections through the proxy."""

    def __init__(self, database: Database[Document], far: LiveStore, proxy: LossyProxy) -> None:
        self._database, self._far, self._proxy = database, far, proxy
        self._epoch = 0

    def take(self) -> LiveBoard:
        self._epoch += 1
        return self._far.take(PATH, self._epoch, lambda: True, NOW)

    def lose(self, what: Lost) -> None:
        self._proxy.lose(LOSE[what])

    def mend(self) -> None:
        self._proxy.mend()

    def stored(self) -> Stored:
        board = self._database.boards.find_one({"_id": PATH})
        assert board is not None
        changes = list(self._database.changes.find({"board": PATH}).sort("revision", 1))
        assert [change["revision"] for change in changes] == list(range(1, len(changes) + 1))
        return Stored(
            tuple(change["name"] for change in changes),
            self._database.gaps.count_documents({"board": PATH}),
            Freshness(board["freshness"]),
            board["freshness_since"],
            board["seen_at"],
            Reason(board["released"]) if board["released"] else None,
        )


@pytest.fixture(scope="module")
def options() -> MongoOptions:
    return MongoOptions(
        uri=os.environ["OS_MONGO__URI"],
        database=f"contract-{os.getpid()}",
        change_ttl=FOREVER,
        ended_job_ttl=FOREVER,
    )


@pytest.fixture(scope="module")
def database(options: MongoOptions) -> Iterator[Database[Document]]:
    database = connect(options)
    ensure_schema(database, options)
    yield database.with_options(codec_options=CodecOptions(tz_aware=True))
    database.client.drop_database(options.database)
    database.client.close()


class TestMongoBoard(BoardContract):
    @pytest.fixture
    def store(self, options: MongoOptions, database: Database[Document]) -> Iterator[MongoStore]:
        empty(database)
        with MongoClient[Document](options.uri) as client:
            client.admin.command("ping")
            address = client.address
        assert address is not None
        proxy = LossyProxy(*address)
        proxy.start()
        far = proxy.connect(options.database)
        try:
            yield MongoStore(database, LiveStore(far, "far"), proxy)
        finally:
            proxy.mend()
            far.client.close()
            proxy.stop()
