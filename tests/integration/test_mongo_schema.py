"""MongoDB as Canary finds it: collections, indexes, times to live; servers it can't use; errors."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from bson.errors import InvalidDocument
from pymongo import MongoClient, errors, monitoring
from pymongo.database import Database

from canary.config import MongoOptions
from canary.errors import ConfigError, StoreError, StoreRefused, StoreUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.stores.mongo.client import TTL_FIELDS, connect, ensure_schema, errors_as_ours, within
from canary.stores.mongo.documents import Behind, Document
from canary.stores.queries.jobs_at import Queries
from canary.stores.writing.take import LiveStore
from tests.integration.hand_watch import HandWatch, busy_history, now
from tests.integration.own_mongod import own_mongod

SECRET = "hunter2-and-more"


@pytest.fixture
def options(corner: str) -> MongoOptions:
    return MongoOptions(uri=os.environ["OS_MONGO__URI"], database=corner, timeout=10.0)


@contextmanager
def opened(options: MongoOptions) -> Iterator[Database[Document]]:
    database = connect(options)
    try:
        yield database
    finally:
        database.client.close()


@pytest.fixture
def database(options: MongoOptions) -> Iterator[Database[Document]]:
    with opened(options) as database:
        yield database
        database.client.drop_database(options.database)


def schema_of(database: Database[Document]) -> dict[str, Any]:
    return {name: database[name].index_information() for name in database.list_collection_names()}


def lives_of(database: Database[Document]) -> dict[str, int]:
    return {
        name: database[name].index_information()[f"{field}_ttl"]["expireAfterSeconds"]
        for name, field in TTL_FIELDS.items()
    }


class TestEnsureSchema:
    def test_it_may_be_done_again(
        self, database: Database[Document], options: MongoOptions
    ) -> None:
        ensure_schema(database, options)
        made = schema_of(database)
        collections = {"boards", "jobs", "nodes", "changes", "gaps", "conductors", "workers"}
        assert made.keys() == collections
        ensure_schema(database, options)
        assert schema_of(database) == made

    def test_two_processes_may_do_it_at_once(
        self, database: Database[Document], options: MongoOptions
    ) -> None:
        program = (
            "from gevent import monkey; monkey.patch_all(); import sys;"
            "from canary.config import MongoOptions;"
            "from canary.stores.mongo.client import connect, ensure_schema;"
            "options = MongoOptions(uri=sys.argv[1], database=sys.argv[2]);"
            "database = connect(options); database.command('ping'); print('ready', flush=True);"
            "input(); ensure_schema(database, options)"
        )
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", program, options.uri, options.database],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        with gevent.Timeout(60):
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                process.communicate("\n")
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert len(schema_of(database)) == 7

    def test_greenlets_may_do_it_at_once(
        self, database: Database[Document], options: MongoOptions
    ) -> None:
        doing = [gevent.spawn(ensure_schema, database, options) for _ in range(4)]
        gevent.joinall(doing, raise_error=True)
        assert len(schema_of(database)) == 7

    def test_times_to_live_follow_the_options(
        self, database: Database[Document], options: MongoOptions
    ) -> None:
        ensure_schema(database, replace(options, change_ttl=5000, ended_job_ttl=6000))
        assert lives_of(database) == {"jobs": 6000, "changes": 5000, "gaps": 5000, "workers": 5000}
        ensure_schema(database, replace(options, change_ttl=700, ended_job_ttl=800))
        assert lives_of(database) == {"jobs": 800, "changes": 700, "gaps": 700, "workers": 700}

    def test_a_standalone_mongod_is_refused(self, tmp_path: Path) -> None:
        with own_mongod(tmp_path / "alone") as address:
            options = MongoOptions(uri=f"mongodb://{address}/", database="canary", timeout=2.0)
            with opened(options) as database:
                with pytest.raises(StoreRefused) as refused:
                    ensure_schema(database, options)
                assert str(refused.value) == (
                    "This MongoDB is a standalone mongod; Canary needs transactions and change"
                    " streams. Make it a replica set of one: start it with --replSet rs0, then run"
                    " mongosh --eval 'rs.initiate()'"
                )
                assert database.list_collection_names() == []

    def test_a_replica_set_that_was_not_initiated_is_waited_for(self, tmp_path: Path) -> None:
        with own_mongod(tmp_path / "not-yet", "--replSet", "rs0") as address:
            uri = f"mongodb://{address}/?directConnection=true"
            options = MongoOptions(uri=uri, database="canary", timeout=2.0)
            with (
                opened(options) as database,
                pytest.raises(StoreUnavailable, match=re.escape("rs.initiate()")),
            ):
                ensure_schema(database, options)


class TestErrors:
    def test_a_wrong_password_is_refused_and_not_told(self, options: MongoOptions) -> None:
        wrong = replace(options, username="ann", password=SECRET)
        with opened(wrong) as database, pytest.raises(StoreRefused) as refused:
            ensure_schema(database, wrong)
        assert "check [mongo] username and password" in str(refused.value)
        assert SECRET not in str(refused.value)

    def test_a_server_that_is_not_there_may_come(self, options: MongoOptions) -> None:
        uri = f"mongodb://ann:{SECRET}@127.0.0.1:1/"
        away = replace(options, uri=uri, timeout=0.5)
        began = now()
        with opened(away) as database, pytest.raises(StoreUnavailable) as refused:
            ensure_schema(database, away)
        assert now() - began < timedelta(seconds=5)
        message = str(refused.value)
        assert message.startswith("MongoDB does not answer: 127.0.0.1:1: ")
        assert "Connection refused" in message
        assert "Topology" not in message
        assert "\n" not in message
        assert SECRET not in message

    @pytest.mark.parametrize(
        "uri",
        [
            f"mongodb://ann:{SECRET[:4]}/{SECRET[4:]}@host/",
            f"mongodb://ann:{SECRET[:4]}@{SECRET[4:]}@host/",
            f"mongodb://ann:{SECRET}@host:99999/",
            f"mongodb://ann:{SECRET}@",
        ],
    )
    def test_a_uri_that_is_none_is_refused_and_not_told(
        self, options: MongoOptions, uri: str
    ) -> None:
        with pytest.raises(StoreRefused) as refused:
            connect(replace(options, uri=uri))
        told: BaseException | None = refused.value
        while told is not None:
            assert SECRET[4:] not in str(told)
            told = told.__cause__ or told.__context__

    def test_files_that_are_not_there_are_refused(self, options: MongoOptions) -> None:
        with pytest.raises(ConfigError, match="ca_file"):
            connect(replace(options, tls=True, ca_file="/nowhere/ca.pem"))

    @pytest.mark.parametrize(
        ("error", "ours"),
        [
            (errors.AutoReconnect("x"), StoreUnavailable),
            (errors.NotPrimaryError("x"), StoreUnavailable),
            (errors.NetworkTimeout("x"), StoreUnavailable),
            (errors.ServerSelectionTimeoutError("x"), StoreUnavailable),
            (errors.WaitQueueTimeoutError("x"), StoreUnavailable),
            (errors.ExecutionTimeout("x", 50), StoreUnavailable),
            (errors.WTimeoutError("x", 64), StoreUnavailable),
            (errors.CursorNotFound("x", 43), StoreUnavailable),
            (errors.OperationFailure("x", 251), StoreUnavailable),
            (errors.OperationFailure("x", 112), StoreUnavailable),
            (errors.OperationFailure("x", 11601), StoreUnavailable),
            (
                errors.OperationFailure("x", 1, {"errorLabels": ["TransientTransactionError"]}),
                StoreUnavailable,
            ),
            (errors.OperationFailure("x", 13), StoreRefused),
            (errors.OperationFailure("x", 18), StoreRefused),
            (errors.DuplicateKeyError("x", 11000), StoreRefused),
            (errors.BulkWriteError({"writeErrors": []}), StoreRefused),
            (errors.WriteConcernError("x", 100), StoreRefused),
            (errors.ConfigurationError("x"), StoreRefused),
            (errors.InvalidOperation("x"), StoreRefused),
            (errors.InvalidURI("x"), StoreRefused),
            (errors.CollectionInvalid("x"), StoreRefused),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    def test_each_error_is_of_one_kind(
        self, error: errors.PyMongoError, ours: type[StoreError]
    ) -> None:
        with pytest.raises(StoreError) as raised, errors_as_ours():
            raise error
        assert type(raised.value) is ours
        assert raised.value.__cause__ is error

    def test_what_is_no_error_of_mongodb_comes_through(self) -> None:
        for error in (KeyError("x"), InvalidDocument("x"), StoreRefused("x")):
            with pytest.raises(type(error)) as raised, errors_as_ours():
                raise error
            assert raised.value is error

    def test_a_bound_on_several_calls(self, database: Database[Document]) -> None:
        began = now()
        with pytest.raises(StoreUnavailable):
            ask_for_ever(database, 0.3)
        assert now() - began < timedelta(seconds=5)


def ask_for_ever(database: Database[Document], limit: float) -> None:
    with errors_as_ours(), within(limit):
        while True:
            list(database.x.aggregate([{"$limit": 1}]))
            gevent.sleep(0.01)


class Commands(monitoring.CommandListener):
    """Remembers what was asked, to have it explained."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in {"find", "aggregate", "update"}:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


class TestIndexes:
    def test_no_question_walks_a_collection_of_jobs_or_changes(
        self, database: Database[Document], options: MongoOptions
    ) -> None:
        ensure_schema(database, replace(options, change_ttl=2**31 - 1, ended_job_ttl=2**31 - 1))
        for number in range(4):
            store = LiveStore(database, "w")
            watch = HandWatch(busy_history(150), store.take(f"/{number}", 7, lambda: True, now()))
            watch.round()
            for name in watch.history.jobs()[:100]:
                watch.history.claim(name, 1)
                watch.history.consume(name)
            watch.round()
        recent = [{"board": "/0", "to": now(), "from": now()} for _ in range(200)]
        database.gaps.insert_many(recent)
        commands = Commands()
        client: MongoClient[Document] = MongoClient(
            options.uri, tz_aware=True, event_listeners=[commands]
        )
        asked = client[options.database]
        store = LiveStore(asked, "w")
        watch = HandWatch(watch.history, store.take("/3", 8, lambda: True, now()))
        watch.history.remove(watch.history.jobs()[0])
        watch.history.delete_child("folder")
        watch.round()
        store.beat({}, now(), [Behind("/3", 1, now(), now(), watched=True)])
        queries = Queries(asked, timedelta(days=10_000))
        hour = timedelta(hours=1)
        for at in (None, now()):
            with queries.jobs("/3", hour, at) as found:
                assert found is not None
                list(found.jobs)
        queries.tallies.on_boards(["/1", "/2"])
        queries.tallies.happened(["/1", "/2"], now() - hour)
        queries.tallies.unseen(["/1", "/2"], now() - hour)
        queries.lists.story({"board": "/3", "_id": "/3#0000000000000001"})
        queries.lists.jobs_of("uuid-3")
        queries.board("/3")
        asked.jobs.find_one({"uuid": "uuid-3"})
        watch.board.mark(Freshness.SUSPENDED, now())
        watch.board.conductors.show([], now())
        watch.board.release(now(), None, Reason.HANDOVER)
        client.close()
        collections = set()
        for command in commands.commands:
            for query in explainable(command):
                plan = database.command("explain", query, verbosity="executionStats")
                collection = next(iter(query.values()))
                collections.add(collection)
                assert "COLLSCAN" not in str(plan), query
                stats = plan if "executionStats" in plan else plan["stages"][0]["$cursor"]
                # Of the four boards' 600 jobs, 1,400 changes and 200 gaps, no more than what there
                # is to say, twice, of the 51 jobs that are on one of them.
                assert stats["executionStats"]["totalDocsExamined"] <= 110, query
        assert {"boards", "jobs", "nodes", "changes", "gaps"} <= collections


def explainable(command: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what ``explain`` takes of a command: one write at a time, and no session."""
    plain = {
        name: value
        for name, value in command.items()
        if not name.startswith("$")
        and name not in {"lsid", "txnNumber", "startTransaction", "autocommit", "readConcern"}
        and name not in {"writeConcern", "maxTimeMS"}
    }
    if "update" not in plain:
        yield plain
        return
    for update in plain["updates"]:
        yield plain | {"updates": [update]}
