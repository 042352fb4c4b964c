"""The server: its answers by Flask's client, and its processes and streams for real."""

import contextlib
import gzip
import http.client
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import jsonschema
import psutil
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from pymongo.database import Database
from werkzeug.test import TestResponse

from canary.clock import CLOCK, Clock
from canary.config import Config, MongoOptions
from canary.errors import CanaryError, PlaceLost, ZooKeeperUnavailable
from canary.model.filters import Field, Filter, Filters
from canary.model.freshness import Freshness
from canary.model.jobs import Outcome
from canary.server import dashboard
from canary.server.app import create_app
from canary.server.health import Check, Health
from canary.server.presence import GRACE, PING_LIMIT
from canary.server.problems import Crowded
from canary.server.protection import gate
from canary.server.representation import iso
from canary.server.stream import endpoint
from canary.server.stream.broadcaster import TOO_SLOW, Broadcaster
from canary.server.stream.buffer import LIMIT, ReplayBuffer
from canary.server.stream.encoding import JSON_LINES, SERVER_SENT_EVENTS, EncodedEvent, Heartbeat
from canary.server.stream.endpoint import Sought
from canary.server.stream.resume import Resumption
from canary.stores.changestream.events import Event, EventName, identity_of
from canary.stores.changestream.follow import Feed
from canary.stores.changestream.replay import Replay
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.mongo.documents import Document
from canary.stores.queries.jobs_at import Queries
from tests.asking import is_not_yet
from tests.integration.conftest import Command, Spawn
from tests.integration.own_mongod import own_mongod
from tests.integration.proxy import Proxy
from tests.integration.stream_client import Client as StreamClient
from tests.integration.written_board import (
    WrittenBoard,
    abandoned,
    ago,
    claimed,
    ended,
    name_of,
    now,
    posted,
)
from tests.ports import free_port
from tests.streamed import a_board, change_event, gap_event, place, ready, taken
from tests.waiting import allowed, eventually

PATH = "/lbaas/jobs"
KEEPS = timedelta(days=7)
JOBS_SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas" / "v1.0-jobs.json").read_text(encoding="utf-8")
)


class Registered:
    """Canary's own board, as far as the server asks it."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.is_away = False

    def is_registered(self, path: str) -> bool:
        if self.is_away:
            raise ZooKeeperUnavailable("ZooKeeper does not answer")
        return path in self.paths


@pytest.fixture
def queries(connected: Database[Document]) -> Queries:
    return Queries(connected, KEEPS)


@pytest.fixture
def registered() -> Registered:
    return Registered()


class Client(FlaskClient):
    """Reads each answer to its end, as clients do, unless it is told not to."""

    def open(self, *words: Any, buffered: bool = True, **options: Any) -> TestResponse:
        return super().open(*words, buffered=buffered, **options)


def no_replay(position: str) -> Replay:
    """MongoDB, where it does not know a position."""
    raise PlaceLost(f"nobody knows {position}")


def client_of(
    config: Config,
    queries: Queries,
    registered: Registered,
    checks: dict[str, Check] | None = None,
    broadcaster: Broadcaster | None = None,
) -> FlaskClient:
    app = create_app(
        config,
        queries,
        Resumption(broadcaster or Broadcaster(10), no_replay),
        Health(queries, checks or {}),
        registered,
        gate.make(config),
    )
    app.test_client_class = Client
    return app.test_client()


@pytest.fixture
def client(config: Config, queries: Queries, registered: Registered) -> FlaskClient:
    return client_of(config, queries, registered)


@pytest.fixture
def away(config: Config, registered: Registered) -> Iterator[FlaskClient]:
    """A client of a server whose MongoDB is away."""
    database = connect(MongoOptions(uri="mongodb://127.0.0.1:1/?replicaSet=rs0", timeout=0.5))
    yield client_of(config, Queries(database, KEEPS), registered)
    database.client.close()


def jobs_in(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    assert answer.content_length == len(answer.data)
    jsonschema.validate(answer.json, JOBS_SCHEMA)
    [board] = answer.get_json()
    assert board["job_count"] == len(board["jobs"])
    jobs: list[dict[str, Any]] = board["jobs"]
    return jobs


class TestJobs:
    def test_one_job_in_full(self, client: FlaskClient, database: Database[Document]) -> None:
        at = ago(100)
        payload = {
            "uuid": "uuid-5",
            "name": "build a load balancer",
            "priority": "HIGH",
            "details": {"store": {"size": 3}, "password": "hunter2"},
            "book": {"name": "book of flows", "uuid": "book-1", "meta": {"x": 1}},
        }
        written = WrittenBoard(database, since=ago(1000), watched_since=ago(1000))
        written.beat()
        written.write(posted(5, at, json.dumps(payload).encode()))
        written.write(claimed(5, at + timedelta(seconds=10)))
        answer = client.get("/v1.0/jobs", query_string={"path": PATH, "interval": 60})
        [job] = jobs_in(answer)
        running = job.pop("running")
        assert running > 80
        assert job == {
            "_backend": {},
            "_book": {"name": "book of flows", "uuid": "book-1"},
            "_book_data": payload["book"],
            "_created_on": iso(at),
            "_details": {"store": {"size": 3}, "password": "***"},
            "_lock_path": f"{PATH}/job0000000005.lock",
            "_name": "build a load balancer",
            "_node_not_found": False,
            "_path": f"{PATH}/job0000000005",
            "_root": f"{PATH}/",
            "_sequence": 5,
            "_uuid": "uuid-5",
            "status": "CLAIMED",
            "flow_status": [],
            "owner": "ann",
            "outcome": None,
            "malformed": None,
            "priority": "HIGH",
            "posted_at": iso(at),
            "claimed_at": iso(at + timedelta(seconds=10)),
            "ended_at": None,
            "waiting": 10.0,
        }
        [board] = answer.get_json()
        assert {key: board[key] for key in ("path", "interval", "freshness", "complete")} == {
            "path": PATH,
            "interval": 60,
            "freshness": "live",
            "complete": True,
        }

    def test_a_moment_before_the_first_look_is_not_called_live(
        self, client: FlaskClient, database: Database[Document]
    ) -> None:
        WrittenBoard(database, watched_since=ago(60)).beat()
        told = []
        for moment in (ago(61), ago(30)):
            [board] = client.get(f"/v1.0/jobs?path={PATH}&interval=0&at={iso(moment)}").get_json()
            told.append((board["freshness"], board["freshness_since"] is None, board["complete"]))
        assert told == [("unwatched", True, False), ("live", False, True)]

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"\xff\xfe",
            b"[1, 2]",
            b'{"uuid": "u"}',
            b'{"uuid": "u", "name": "n"}',
            b'{"uuid": "u", "name": "n", "details": [1], "book": "b", "priority": 7}',
            b'{"uuid": "u", "name": "n", "details": null, "book": {"name": 1}}',
            b'{"uuid": "\\ud800", "name": "<script>alert(1)</script>", "details": {"$where": 1}}',
            b'{"uuid": "u", "name": "n", "details": {"big": 1e999, "n": 1000000000000000000000}}',
            b'{"uuid": "u", "name": "n", "details": ' + b'{"a":' * 80 + b"1" + b"}" * 80 + b"}",
            b"[" * 100_000,
        ],
    )
    def test_whatever_a_payload_holds_the_types_are_kept(
        self, client: FlaskClient, database: Database[Document], payload: bytes
    ) -> None:
        WrittenBoard(database).write(posted(1, now(), payload))
        [job] = jobs_in(client.get("/v1.0/jobs", query_string={"path": PATH}))
        assert job["_name"]

    def test_many_large_jobs_come_in_the_order_of_their_posting(
        self, client: FlaskClient, database: Database[Document]
    ) -> None:
        written = WrittenBoard(database)
        for first in range(1, 2001, 500):  # 12 MB: more than the spool holds in memory
            payloads = {
                number: json.dumps(
                    {"uuid": f"u{number}", "name": "n", "details": {"x": "y" * 6000}}
                )
                for number in range(first, first + 500)
            }
            written.write(*(posted(n, now(), text.encode()) for n, text in payloads.items()))
        jobs = jobs_in(client.get("/v1.0/jobs", query_string={"path": PATH}))
        assert [job["_sequence"] for job in jobs] == list(range(1, 2001))

    def test_the_past_in_both_ways_to_write_a_moment(
        self, client: FlaskClient, database: Database[Document]
    ) -> None:
        start = ago(1000)
        written = WrittenBoard(database, watched_since=ago(2000))
        written.write(posted(1, start), claimed(1, start + timedelta(seconds=10)))
        written.write(
            abandoned(1, start + timedelta(seconds=20)), ended(1, ago(5), Outcome.REMOVED, None)
        )
        moment = start + timedelta(seconds=15)
        for at in (iso(moment), moment.isoformat(), str(moment.timestamp())):
            query = {"path": PATH, "at": at, "interval": 0}
            answer = client.get("/v1.0/jobs", query_string=query)
            assert [(job["status"], job["owner"]) for job in jobs_in(answer)] == [
                ("CLAIMED", "ann")
            ]
            assert answer.get_json()[0]["at"] == iso(moment)
        [job] = jobs_in(client.get("/v1.0/jobs", query_string={"path": PATH}))
        assert (job["status"], job["outcome"], job["owner"]) == ("COMPLETE", "removed", None)
        assert job["_node_not_found"] is True

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("", ["path"]),
            ("path=", ["path"]),
            ("path=lbaas", ["path", "'lbaas'", "slash"]),
            ("path=/a/", ["path", "'/a/'"]),
            ("path=/a%00b", ["path"]),
            ("path=/a&interval=x", ["interval", "'x'", "0", "2147483647"]),
            ("path=/a&interval=-1", ["interval", "'-1'"]),
            ("path=/a&interval=1.5", ["interval"]),
            ("path=/a&interval=", ["interval"]),
            ("path=/a&interval=99999999999999999999", ["interval"]),
            ("path=/a&interval=2147483648", ["interval"]),
            ("path=/a&at=yesterday", ["at", "'yesterday'", "ISO 8601"]),
            ("path=/a&at=2026-01-01T00:00:00", ["at", "zone"]),
            ("path=/a&at=0001-01-01T00:00:00Z", ["at"]),
            ("path=/a&at=0001-01-01T00:00:00%2B10:00", ["at"]),
            ("path=/a&at=999999999999", ["at"]),
            ("path=/a&at=nan", ["at"]),
        ],
    )
    def test_a_bad_request_says_what_is_wrong(
        self, client: FlaskClient, query: str, words: list[str]
    ) -> None:
        answer = client.get(f"/v1.0/jobs?{query}")
        assert answer.status_code == 400
        assert answer.content_type == "application/json"
        assert answer.json is not None
        assert answer.json.keys() == {"title", "description"}
        assert answer.json["title"] == "Bad Request"
        assert all(word in answer.json["description"] for word in words), answer.json

    def test_a_path_that_nobody_registered(
        self, client: FlaskClient, database: Database[Document], registered: Registered
    ) -> None:
        for path in ("/nope", "/removed"):
            answer = client.get("/v1.0/jobs", query_string={"path": path})
            assert answer.status_code == 404
            assert answer.json is not None
            assert answer.json["title"] == "Not Found"
            assert f"canary-producer add {path}" in answer.json["description"]
            WrittenBoard(database, "/removed", registered=False) if path == "/nope" else None
        registered.is_away = True
        assert client.get("/v1.0/jobs", query_string={"path": "/nope"}).status_code == 503

    def test_a_path_that_is_registered_and_not_watched_yet(
        self, client: FlaskClient, registered: Registered
    ) -> None:
        registered.paths.add(PATH)
        answer = client.get("/v1.0/jobs", query_string={"path": PATH})
        assert jobs_in(answer) == []
        [board] = answer.get_json()
        assert (board["freshness"], board["complete"]) == ("unwatched", False)

    def test_no_zookeeper_is_needed_for_a_board_that_mongodb_knows(
        self, client: FlaskClient, database: Database[Document], registered: Registered
    ) -> None:
        registered.is_away = True
        WrittenBoard(database)
        assert client.get("/v1.0/jobs", query_string={"path": PATH}).status_code == 200

    def test_mongodb_is_away(self, away: FlaskClient) -> None:
        answer = away.get("/v1.0/jobs", query_string={"path": PATH})
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json.keys() == {"title", "description"}
        assert "Retry-After" in answer.headers


class TestConductors:
    def test_of_all_boards_and_of_one(
        self, client: FlaskClient, database: Database[Document]
    ) -> None:
        since, seen_at = ago(60), now()
        conductor = {"name": "c1@host:7", "host": "host", "pid": 7, "since": since, "session": -2}
        for path in (PATH, "/other"):
            WrittenBoard(database, path)
            database.conductors.insert_one(
                {"_id": path, "board": path, "seen_at": seen_at, "conductors": [conductor]}
            )
        answer = client.get("/v1.0/conductor").json
        assert answer is not None
        assert answer["conductor_count"] == 2
        assert client.get("/v1.0/conductor", query_string={"path": PATH}).json == {
            "conductor_count": 1,
            "conductors": ["c1@host:7"],
            "details": [
                {
                    **conductor,
                    "path": PATH,
                    "paths": [PATH],
                    "since": iso(since),
                    "session": "0xfffffffffffffffe",
                    "seen_at": iso(seen_at),
                    "freshness": "unwatched",  # no worker beats: it may be stale
                }
            ],
        }

    def test_who_serves_boards_that_share_a_folder_is_counted_once(
        self, client: FlaskClient, database: Database[Document]
    ) -> None:
        conductor = {"name": "c1@host:7", "host": "host", "pid": 7, "since": now()}
        paths = ["/a/jobs", "/a/others", "/b/jobs"]
        for path in paths:
            WrittenBoard(database, path)
            told = [{**conductor, "session": 5}, {**conductor, "session": 6, "name": "c2@host:8"}]
            database.conductors.insert_one(
                {"_id": path, "board": path, "seen_at": now(), "conductors": told}
            )
        answer = client.get("/v1.0/conductor").json
        assert answer is not None
        assert answer["conductor_count"] == 4
        assert answer["conductors"] == ["c1@host:7", "c2@host:8"] * 2
        assert [each["path"] for each in answer["details"]] == ["/a/jobs"] * 2 + ["/b/jobs"] * 2
        assert [each["paths"] for each in answer["details"]] == [paths[:2]] * 2 + [paths[2:]] * 2

    def test_a_board_without_conductors_and_one_that_is_none(
        self, client: FlaskClient, registered: Registered
    ) -> None:
        registered.paths.add(PATH)
        query = {"path": PATH}
        answer = client.get("/v1.0/conductor", query_string=query).json
        assert answer == {"conductor_count": 0, "conductors": [], "details": []}
        assert client.get("/v1.0/conductor?path=/nope").status_code == 404
        assert client.get("/v1.0/conductor?path=nope").status_code == 400


class TestErrors:
    def test_what_there_is_not(self, client: FlaskClient, away: FlaskClient) -> None:
        nowhere, wrong = client.get("/v2/nope"), client.post("/v2/boards")
        assert nowhere.status_code == 404
        assert wrong.status_code == 405
        assert "GET" in wrong.headers["Allow"]
        assert client.get("/v1.0/nope").json is not None
        unavailable = away.get("/v2/boards")
        assert unavailable.status_code == 503
        for answer in (nowhere, wrong, unavailable):
            assert answer.content_type == "application/problem+json"


class TestHealth:
    def test_ready_with_what_is_wrong_beside_it(
        self, config: Config, queries: Queries, database: Database[Document]
    ) -> None:
        WrittenBoard(database).beat()
        WrittenBoard(database, "/b").release(now())

        def refuse(timeout: float) -> None:
            raise CanaryError(f"no mongodb://user:secret@host/ within {timeout:g} s")

        client = client_of(config, queries, Registered(), {"zookeeper": refuse})
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json == {
            "ready": True,
            "mongodb": {"ready": True},
            "zookeeper": {"ready": False, "reason": "no mongodb://***@host/ within 2 s"},
            "boards": {"live": 1, "unwatched": 1},
        }
        assert client.get("/livez").json == {"live": True}

    def test_a_check_that_hangs_delays_nothing_else_and_is_asked_once(
        self, config: Config, queries: Queries
    ) -> None:
        hanging, asked = threading.Event(), []

        def hang(timeout: float) -> None:
            asked.append(timeout)
            hanging.wait(60)

        client = client_of(config, queries, Registered(), {"zookeeper": hang})
        begun = time.monotonic()
        first, second = client.get("/readyz"), client.get("/readyz")
        assert time.monotonic() - begun < 20, "nobody waits for what hangs"
        hanging.set()
        for answer in (first, second):
            assert answer.status_code == 200
            assert answer.json is not None
            assert answer.json["zookeeper"] == {"ready": False, "reason": "no answer within 2 s"}
        assert len(asked) == 1

    def test_not_ready_without_mongodb(self, away: FlaskClient) -> None:
        answer = away.get("/readyz")
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["ready"] is answer.json["mongodb"]["ready"] is False
        assert answer.json["mongodb"]["reason"]


class TestPage:
    def test_it_runs_and_loads_nothing_but_its_own_files(self, client: FlaskClient) -> None:
        page = client.get("/")
        assert page.status_code == 200
        assert page.content_type.startswith("text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|style=|javascript:", page.text)
        files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(files) == 3
        for name in files:
            assert name.startswith("./")  # a proxy may show the page below any path
            answer = client.get(urljoin("/", name))
            assert answer.status_code == 200, name
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            is_hashed = "/assets/" in name
            assert ("immutable" in answer.headers["Cache-Control"]) is is_hashed
        assert page.headers["Cache-Control"] == "no-cache"
        assert client.get("/assets/nothing.js").status_code == 404
        assert client.get("/assets/..%2findex.html").status_code == 404

    def test_it_is_small_and_comes_compressed(self, client: FlaskClient) -> None:
        page = client.get("/").text
        sizes = {"br": 0, "gzip": 0}
        for name in ["", *re.findall(r'(?:src|href)="./([^"]+)"', page)]:
            plain = client.get(f"/{name}").data
            for encoding, unpack in (("br", None), ("gzip", gzip.decompress)):
                answer = client.get(f"/{name}", headers={"Accept-Encoding": encoding})
                assert answer.headers["Content-Encoding"] == encoding
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.content_type == client.get(f"/{name}").content_type
                assert unpack is None or unpack(answer.data) == plain
                sizes[encoding] += len(answer.data)
        assert sizes["br"] < sizes["gzip"] < 150_000

    def test_a_copy_without_it_says_how_to_build_it(self, tmp_path: Path) -> None:
        app = Flask(__name__)
        app.register_blueprint(dashboard.blueprint(tmp_path))
        answer = app.test_client().get("/")
        assert (answer.status_code, "make setup" in answer.text) == (503, True)


class Listener:
    """Remembers what a feed tells."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reached: list[str] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def reach(self, position: str) -> None:
        self.reached.append(position)

    def names(self) -> list[EventName]:
        return [event.name for event in self.events]

    def of(self, name: EventName) -> list[Event]:
        return [event for event in self.events if event.name is name]

    def revisions(self) -> list[int]:
        return [int((event.document or {})["revision"]) for event in self.of(EventName.CHANGE)]

    def has_revision(self, number: int) -> Callable[[], bool]:
        return lambda: number in self.revisions()

    def is_available(self) -> bool:
        stores = self.of(EventName.STORE)
        return bool(stores) and stores[-1].available


@contextmanager
def feeding(
    database: Database[Document], queries: Queries, listener: Any, clock: Clock = CLOCK
) -> Iterator[Feed]:
    feed = Feed(database, queries, listener, clock)
    threads = set(threading.enumerate())
    feed.start()
    mine = set(threading.enumerate()) - threads
    try:
        yield feed
    finally:
        feed.end()
        for thread in mine:
            thread.join(10)


class TestFeed:
    def test_boards_are_told_before_the_store_is_available(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        WrittenBoard(database).beat()
        listener = Listener()
        with feeding(connected, queries, listener):
            eventually(listener.is_available)
            store = listener.names().index(EventName.STORE)
            assert EventName.BOARD in listener.names()[:store]

    def test_every_change_and_gap_once_and_in_order(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        written, listener = WrittenBoard(database), Listener()
        with feeding(connected, queries, listener):
            eventually(listener.is_available)
            for first in range(1, 3001, 1000):
                written.write(*(posted(number, now()) for number in range(first, first + 1000)))
            written.gap(ago(5), now(), 3, None)
            eventually(lambda: listener.of(EventName.GAP))
            assert listener.revisions() == list(range(1, 3001))
            [gap] = listener.of(EventName.GAP)
            assert gap.path == PATH
            places = [event.position or "" for event in listener.events if event.document]
            assert places == sorted(set(places))
            assert listener.reached == sorted(listener.reached)
            eventually(lambda: listener.reached[-1] >= places[-1])

    def test_the_process_goes_by_mongodb_s_clock(
        self,
        database: Database[Document],
        connected: Database[Document],
        queries: Queries,
    ) -> None:
        clock = Clock()
        clock._start += timedelta(hours=1)
        WrittenBoard(database)
        with feeding(connected, queries, Listener(), clock):
            eventually(lambda: abs(clock.now() - now()) < timedelta(seconds=30))

    def test_a_board_whose_worker_dies_silently_is_told_of(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        written, listener = WrittenBoard(database), Listener()
        written.beat(lasting=0)
        with feeding(connected, queries, listener):

            def last() -> Freshness | None:
                boards = listener.of(EventName.BOARD)
                return boards[-1].board.freshness if boards and boards[-1].board else None

            def is_live() -> bool:
                written.beat(lasting=0)
                return last() is Freshness.LIVE

            eventually(is_live)
            begun = time.monotonic()
            eventually(lambda: last() is Freshness.UNWATCHED)
            assert time.monotonic() - begun > 2
            assert len(listener.of(EventName.BOARD)) == 2

    def test_a_board_is_told_when_it_changes_and_when_it_goes(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        written, listener = WrittenBoard(database), Listener()
        written.beat()
        with feeding(connected, queries, listener):
            eventually(listener.is_available)
            written.mark(Freshness.SUSPENDED, now())
            eventually(lambda: len(listener.of(EventName.BOARD)) == 2)
            written.unregister()
            eventually(lambda: len(listener.of(EventName.BOARD)) == 3)
            assert listener.of(EventName.BOARD)[-1] == Event(EventName.BOARD, PATH)

    def test_nothing_is_lost_with_its_cursor(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        written, listener = WrittenBoard(database), Listener()
        admin = database.client.admin
        with feeding(connected, queries, listener):
            eventually(listener.is_available)
            for number in range(1, 6):
                written.write(posted(number, now()))
                eventually(listener.has_revision(number))
                operations = admin.aggregate(
                    [
                        {"$currentOp": {"allUsers": True, "idleCursors": True}},
                        {"$match": {"ns": re.compile(f"^{database.name}\\.")}},
                    ]
                )
                cursors = [op["cursor"]["cursorId"] for op in operations if "cursor" in op]
                database.command("killCursors", "$cmd.aggregate", cursors=cursors)
            written.write(posted(6, now()))
            eventually(lambda: len(listener.revisions()) == 6)
            assert listener.revisions() == list(range(1, 7))

    def test_a_lost_history_is_told_and_the_feed_goes_on(
        self,
        database: Database[Document],
        connected: Database[Document],
        queries: Queries,
        config: Config,
    ) -> None:
        listener = Listener()
        WrittenBoard(database)
        with feeding(connected, queries, listener):
            eventually(listener.is_available)
            resets = len(listener.of(EventName.RESET))
            database.client.drop_database(database.name)
            eventually(lambda: len(listener.of(EventName.RESET)) > resets)
            ensure_schema(database, config.mongo)
            written = WrittenBoard(database)

            def comes() -> bool:
                written.write(posted(written.revision + 1, now()))
                return bool(listener.revisions())

            eventually(comes)

    def test_a_token_that_mongodb_does_not_know_is_told_as_reset(
        self, database: Database[Document], connected: Database[Document], queries: Queries
    ) -> None:
        written, listener = WrittenBoard(database), Listener()
        feed = Feed(connected, queries, listener)
        feed._token = {"_data": "82"}
        feed.start()
        try:
            eventually(listener.is_available)
            assert EventName.RESET in listener.names()
            written.write(posted(1, now()))
            eventually(listener.revisions)
        finally:
            feed.end()

    def test_mongodb_away_is_no_end(self, config: Config) -> None:
        database = connect(MongoOptions(uri="mongodb://127.0.0.1:1/?replicaSet=rs0", timeout=0.3))
        listener = Listener()
        threads = threading.active_count()
        with feeding(database, Queries(database, KEEPS), listener):
            eventually(lambda: threading.active_count() >= threads + 2)
            assert not listener.is_available()
        database.client.close()
        assert config.mongo.uri


def said(wave: Sequence[EncodedEvent | Heartbeat]) -> Any:
    """Return the one thing that a wave holds, as JSON lines have it."""
    [one] = wave
    return json.loads(one.sent(JSON_LINES))


def only_filter(field: Field, *values: str, negated: bool = False) -> Filters:
    return frozenset({Filter(field, values, negated)})


class TestAudience:
    def test_a_slow_client_is_dropped_with_a_reason_and_delays_no_other(self) -> None:
        broadcaster = Broadcaster(10, buffer=ReplayBuffer(limit=100))
        slow, quick = broadcaster.subscribe(), broadcaster.subscribe()
        count = 0
        for number in range(101):
            broadcaster.tell(change_event(number))
            count += len(quick.take(0) or [])
        assert count == 101
        assert slow.take(0) == [TOO_SLOW]
        assert slow.take(0) is None
        assert broadcaster.size == 1

    def test_only_what_was_asked_for(self) -> None:
        broadcaster = Broadcaster(10)
        for path in ("/a", "/b"):
            broadcaster.tell(Event(EventName.BOARD, path))
        asked = {
            "path": only_filter(Field.PATH, "/a"),
            "not path": only_filter(Field.PATH, "/a", negated=True),
            "owner": only_filter(Field.OWNER, "ann"),
            "not owner": only_filter(Field.OWNER, "ann", negated=True),
            "all": frozenset[Filter](),
        }
        clients = {name: broadcaster.subscribe(Sought(each)) for name, each in asked.items()}
        broadcaster.tell(change_event(1, "/a", "ann"))
        broadcaster.tell(change_event(2, "/b", "bob"))
        broadcaster.tell(gap_event(3, "/a"))
        broadcaster.tell(gap_event(4, "/b"))
        broadcaster.tell(Event(EventName.STORE, available=False, since=now()))
        broadcaster.tell(Event(EventName.BOARD, "/a"))
        one, two, store = ("change", 1), ("change", 2), ("store", None)
        gaps, board = [("gap", 3), ("gap", 4)], ("board", None)
        assert {name: taken(client) for name, client in clients.items()} == {
            "path": [store, board, one, gaps[0]],
            "not path": [store, two, gaps[1]],
            "owner": [store, board, one],
            "not owner": [store, board, two, *gaps],
            "all": [store, board, one, two, *gaps],
        }

    def test_an_event_is_judged_once_for_all_who_ask_the_same_and_written_once(self) -> None:
        judged = []

        class Judge:
            def __call__(self, event: Event) -> bool:
                judged.append(event.name)
                return True

        broadcaster, judge = Broadcaster(10), Judge()
        clients = [broadcaster.subscribe(judge) for _ in range(5)]
        broadcaster.tell(change_event(1))
        assert judged == ["change"]
        encode_all = {told for client in clients for told in client.take(0) or []}
        [told] = encode_all
        for form in (SERVER_SENT_EVENTS, JSON_LINES):
            assert told.sent(form) is told.sent(form)

    def test_no_more_than_there_may_be(self) -> None:
        broadcaster = Broadcaster(1)
        first = broadcaster.subscribe()
        with pytest.raises(Crowded):
            broadcaster.subscribe()
        broadcaster.unsubscribe(first)
        broadcaster.subscribe()

    def test_who_comes_while_mongodb_is_away_is_told_so(self) -> None:
        broadcaster = Broadcaster(10)
        broadcaster.tell(Event(EventName.STORE, available=False, since=now()))
        assert not broadcaster.wait_until_known(0)
        [away] = broadcaster.subscribe().take(0) or []
        assert '"available": false' in away.data
        broadcaster.tell(Event(EventName.STORE, available=True, since=now()))
        assert not broadcaster.wait_until_known(0), "it is not known yet where that is"
        broadcaster.reach(place(0))
        assert broadcaster.wait_until_known(0)
        assert broadcaster.subscribe().take(0) == []

    def test_who_comes_back_gets_what_it_missed_and_then_what_comes(self) -> None:
        broadcaster = ready()
        for number in range(1, 6):
            broadcaster.tell(change_event(number, owner="ann" if number % 2 else "bob"))
        back = broadcaster.resubscribe(Sought(only_filter(Field.OWNER, "ann")), place(2))
        broadcaster.tell(change_event(6, owner="ann"))
        assert taken(back) == [("change", 3), ("change", 5), ("change", 6)]
        assert broadcaster.place_of(back) == place(6)

    def test_who_knows_more_than_this_process_is_told_nothing_twice(self) -> None:
        broadcaster = ready()
        broadcaster.tell(change_event(1))
        back = broadcaster.resubscribe(Sought(frozenset()), place(3))
        assert broadcaster.place_of(back) is None, "that would go back to what it had"
        for number in (2, 3, 4):
            broadcaster.tell(change_event(number))
        assert taken(back) == [("change", 4)]
        assert broadcaster.place_of(back) == place(4)

    def test_a_heartbeat_says_whether_all_has_been_sent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endpoint, "HEARTBEAT", 0.0)
        broadcaster = ready()
        ahead = broadcaster.resubscribe(Sought(frozenset()), place(3))
        waves = endpoint._waves(broadcaster, ahead, None)
        assert said(next(waves)) == {"event": "heartbeat", "id": None, "data": {"reached": False}}
        broadcaster.reach(place(3))
        identity = identity_of(place(3))
        assert said(next(waves)) == {
            "event": "heartbeat",
            "id": identity,
            "data": {"reached": True},
        }

    def test_no_place_is_told_before_all_up_to_it_is_sent(self) -> None:
        broadcaster = ready()
        client = broadcaster.subscribe()
        broadcaster.tell(change_event(1))
        assert broadcaster.place_of(client) is None
        client.take(0)
        assert broadcaster.place_of(client) == place(1)
        broadcaster.reach(place(5))
        assert broadcaster.place_of(client) == place(5)

    def test_what_the_feed_lost_is_told_and_nothing_from_before_is_kept(self) -> None:
        broadcaster = ready()
        broadcaster.tell(Event(EventName.BOARD, "/a", a_board("/a")))
        client = broadcaster.subscribe()
        assert taken(client) == [("board", None)]
        broadcaster.tell(change_event(1))
        broadcaster.tell(Event(EventName.RESET))
        assert not broadcaster.covers(place(1))
        assert not broadcaster.wait_until_known(0)
        assert [name for name, _ in taken(client)] == ["reset", "board"]

    def test_a_place_comes_when_nothing_happens(
        self, config: Config, queries: Queries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endpoint, "HEARTBEAT", 0.1)
        monkeypatch.setattr(endpoint, "TURN", 0.05)
        broadcaster = ready()
        client = client_of(config, queries, Registered(), broadcaster=broadcaster)
        with client.get("/v2/stream", buffered=False) as answer:
            parts = answer.iter_encoded()
            assert next(parts).startswith(b"retry: ")
            assert next(parts) == f"id: {identity_of(place(0))}\n\n".encode()
            broadcaster.reach(place(7))
            assert next(parts) == f"id: {identity_of(place(7))}\n\n".encode()
            broadcaster.is_ending = True
            assert list(parts) == []

    def test_places_come_though_something_without_one_happens_all_the_time(
        self, config: Config, queries: Queries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endpoint, "HEARTBEAT", 0.1)
        broadcaster = ready()
        client = client_of(config, queries, Registered(), broadcaster=broadcaster)
        with client.get("/v2/stream", buffered=False) as answer:
            parts = answer.iter_encoded()
            assert [next(parts)[:3] for _ in range(2)] == [b"ret", b"id:"]
            broadcaster.reach(place(9))

            def comes() -> bool:
                broadcaster.tell(Event(EventName.BOARD, "/a"))
                return identity_of(place(9)).encode() in next(parts)

            eventually(comes)

    def test_json_lines(self, config: Config, queries: Queries) -> None:
        broadcaster = ready()
        client = client_of(config, queries, Registered(), broadcaster=broadcaster)
        accept = {"Accept": "application/x-ndjson"}
        with client.get("/v2/stream", headers=accept, buffered=False) as answer:
            assert answer.content_type == "application/x-ndjson"
            parts = answer.iter_encoded()
            broadcaster.tell(Event(EventName.STORE, available=False))
            broadcaster.tell(change_event(1))
            lines = [json.loads(line) for _ in range(2) for line in next(parts).splitlines()]
        assert [line["event"] for line in lines] == ["store", "change", "heartbeat"][: len(lines)]
        assert lines[0] == {
            "event": "store",
            "id": None,
            "data": {"available": False, "since": None, "reason": None},
        }
        assert lines[1]["id"] == identity_of(place(1))
        assert lines[1]["data"]["revision"] == 1

    @pytest.mark.parametrize("identity", ["/lbaas/jobs#7", "AAAA", "\x7f", "gg", "="])
    def test_who_comes_back_from_nowhere_is_told_that_something_may_be_missing(
        self, config: Config, queries: Queries, identity: str
    ) -> None:
        client = client_of(config, queries, Registered(), broadcaster=ready())
        ways: list[dict[str, Any]] = [
            {"headers": {"Last-Event-ID": identity}},
            {"query_string": {"last_event_id": identity}},
        ]
        for asked in ways:
            with client.get("/v2/stream", buffered=False, **asked) as answer:
                parts = answer.iter_encoded()
                assert next(parts).startswith(b"retry: ")
                told = f"id: {identity_of(place(0))}\nevent: reset\ndata: {{}}\n\n"
                assert next(parts).startswith(told.encode())

    def test_too_many_streams_are_told_to_try_later(self, config: Config, queries: Queries) -> None:
        broadcaster = ready(limit=1)
        client = client_of(config, queries, Registered(), broadcaster=broadcaster)
        first = client.get("/v2/stream", buffered=False)
        assert first.status_code == 200
        assert first.headers["X-Accel-Buffering"] == "no"
        assert first.headers["Cache-Control"] == "no-store"
        for headers in ({}, {"Last-Event-ID": identity_of(place(0))}, {"Last-Event-ID": "x"}):
            second = client.get("/v2/stream", headers=headers)
            assert second.status_code == 503
            assert "Retry-After" in second.headers
        first.close()
        assert broadcaster.size == 0
        assert client.head("/v2/stream").status_code == 200
        assert broadcaster.size == 0

    def test_one_client_may_not_take_all_streams(self, config: Config, queries: Queries) -> None:
        broadcaster = ready(limit=8)
        few = replace(config, server=replace(config.server, max_streams=8))
        client = client_of(few, queries, Registered(), broadcaster=broadcaster)
        mine = [client.get("/v2/stream", buffered=False) for _ in range(6)]
        assert {answer.status_code for answer in mine} == {200}
        for headers in ({}, {"Last-Event-ID": identity_of(place(0))}, {"Last-Event-ID": "x"}):
            refused = client.get("/v2/stream", headers=headers)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"].isdecimal()
            assert refused.content_type == "application/problem+json"
            assert "[server] streams_per_client" in refused.get_json()["detail"]
        elsewhere = {"REMOTE_ADDR": "127.0.0.2"}
        other = client.get("/v2/stream", buffered=False, environ_base=elsewhere)
        assert other.status_code == 200
        mine.pop().close()
        again = client.get("/v2/stream", buffered=False)
        assert again.status_code == 200
        assert client.get("/v2/stream?kind=gone").status_code == 400, "what is wrong takes nothing"
        for answer in [*mine, other, again]:
            answer.close()
        for _ in range(10):
            client.get("/v2/stream", buffered=False).close()
        assert broadcaster.size == 0

    def test_a_share_is_given_back_where_no_stream_came_of_it(
        self, config: Config, queries: Queries
    ) -> None:
        broadcaster = ready(limit=0)
        one = replace(config, server=replace(config.server, streams_per_client=1))
        client = client_of(one, queries, Registered(), broadcaster=broadcaster)
        for _ in range(3):
            assert client.get("/v2/stream").status_code == 503

    @pytest.mark.parametrize("query", ["state=LOST", "kind!=gone", "age>=soon", "what=1", "q="])
    def test_what_is_asked_wrongly_is_refused(
        self, config: Config, queries: Queries, query: str
    ) -> None:
        answer = client_of(config, queries, Registered(), broadcaster=ready()).get(
            f"/v2/stream?{query}"
        )
        assert answer.status_code == 400
        assert query.partition("=")[0] in answer.get_json()["detail"]


class Server:
    """A canary-server, for real."""

    def __init__(self, spawn: Spawn, **variables: str) -> None:
        self.port = int(variables.get("OS_SERVER__PORT") or free_port())
        self.address = f"http://127.0.0.1:{self.port}"
        variables |= {"OS_SERVER__PORT": str(self.port)}
        self.command: Command = spawn("canary-server", **variables)
        eventually(self.is_alive, 90, "canary-server answers")

    def is_alive(self) -> bool:
        assert self.command.process.poll() is None, self.command.output
        try:
            return self.get("/livez").ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def get(self, where: str, **query: Any) -> requests.Response:
        return requests.get(self.address + where, params=query, timeout=20)

    def listeners(self) -> int:
        """Return how many clients of the event stream there are."""
        found = re.search(r"^canary_stream_clients (\d+)", self.get("/metrics").text, re.MULTILINE)
        assert found, self.get("/metrics").text
        return int(found[1])


class Stream:
    """A client of the event stream, read by a thread of its own."""

    def __init__(self, server: Server, *paths: str) -> None:
        self._server, self._query = server, urlencode({"path": paths}, doseq=True)
        eventually(self._connect, why="the server is ready to stream")
        assert self._response.status == 200
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.is_over = False
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _connect(self) -> bool:
        self._connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self._connection.request("GET", f"/v2/stream?{self._query}")
        self._response = self._connection.getresponse()
        if is_not_yet(self._response.status, self._response.getheader("Retry-After")):
            self._connection.close()
            return False
        return True

    def _read(self) -> None:
        name = ""
        try:
            while line := self._response.readline().decode():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ").strip()
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))
        except (http.client.HTTPException, OSError) as error:
            self.failure = error
        self.is_over = True

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == name]

    def close(self) -> None:
        """Leave, as a browser does that is closed."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._response.close()
        self._connection.close()


@pytest.fixture
def start(spawn: Spawn, queries: Queries) -> Callable[..., Server]:
    assert queries  # its schema is there
    return lambda **variables: Server(spawn, **variables)


@pytest.fixture
def listen() -> Iterator[Callable[..., Stream]]:
    with contextlib.ExitStack() as streams:
        yield lambda *words: streams.enter_context(contextlib.closing(Stream(*words)))


def patient_with(mongod: str) -> dict[str, str]:
    """Return the options of a server that gives this mongod minutes to answer a question."""
    uri = f"mongodb://{mongod}/?directConnection=true"
    return {"OS_MONGO__URI": uri, "OS_MONGO__TIMEOUT": "120"}


def assert_it_says_soon_that_mongodb_is_away(server: Server) -> None:
    eventually(lambda: server.get("/readyz").status_code == 503)
    for where in ("/v2/boards", "/v2/jobs", f"/v1.0/jobs?path={PATH}", "/v2/boards"):
        answer = server.get(where)
        assert answer.status_code == 503
        assert answer.elapsed < timedelta(seconds=allowed(PING_LIMIT + GRACE))
        assert "MongoDB" in answer.text, "it says why"
        assert answer.headers["Retry-After"]
    assert server.get("/livez").status_code == 200


class TestProcess:
    def test_changes_reach_every_client_and_streams_end_with_the_process(
        self,
        start: Callable[..., Server],
        listen: Callable[..., Stream],
        database: Database[Document],
    ) -> None:
        written = WrittenBoard(database)
        written.beat()
        other = WrittenBoard(database, "/other")
        server = start()
        everything, one = listen(server), listen(server, "/other")
        eventually(lambda: len(everything.of("board")) == 2 and len(one.of("board")) == 1)
        assert {board["freshness"] for board in everything.of("board")} == {"live"}

        first = now()
        written.write(posted(1, first))
        other.write(posted(2, now()))
        eventually(lambda: len(everything.of("change")) == 2 and len(one.of("change")) == 1)
        assert one.of("change")[0]["path"] == "/other"
        change = next(each for each in everything.of("change") if each["path"] == PATH)
        assert change == {
            "path": PATH,
            "revision": 1,
            "kind": "posted",
            "uuid": "uuid-1",
            "name": name_of(1),
            "owner": None,
            "session": None,
            "outcome": None,
            "at": iso(first),
            "seen_at": iso(first),
            "state": "UNCLAIMED",
            "state_before": None,
            "job_name": "build 1",
            "posted_at": iso(first),
            "waiting": 0.0,
            "running": None,
            "creates": 1,
            "deletes": 0,
            "moment": iso(first),
            "edit": None,
        }
        start_of_gap, end_of_gap = ago(9), ago(3)
        written.gap(start_of_gap, end_of_gap, 2, None)
        eventually(lambda: everything.of("gap"))
        assert everything.of("gap") == [
            {
                "path": PATH,
                "from": iso(start_of_gap),
                "to": iso(end_of_gap),
                "reason": "coalesced",
                "creates": 2,
                "deletes": None,
            }
        ]
        jobs = server.get("/v1.0/jobs", path=PATH).json()
        jsonschema.validate(jobs, JOBS_SCHEMA)
        assert jobs[0]["job_count"] == 1

        assert server.command.end() == 0
        eventually(lambda: everything.is_over and one.is_over)
        assert everything.failure is one.failure is None  # their last chunk came
        assert "Traceback" not in server.command.output

    def test_a_burst_reaches_a_client_that_reads(
        self, start: Callable[..., Server], database: Database[Document]
    ) -> None:
        """All of it at once: who reads is not dropped for what others wrote."""
        written = WrittenBoard(database)
        client = StreamClient(start()).start()
        count = LIMIT // 2

        def write() -> None:
            for first in range(1, count + 1, 1_000):
                written.write(*(posted(n, now()) for n in range(first, first + 1_000)))

        writer = threading.Thread(target=write)
        writer.start()
        client.read_until(count)
        writer.join()
        assert client.revisions == list(range(1, count + 1))
        assert client.names <= {"board", "change"}

    def test_streams_of_clients_that_left_make_room(
        self,
        start: Callable[..., Server],
        listen: Callable[..., Stream],
        database: Database[Document],
    ) -> None:
        written = WrittenBoard(database)
        server = start(OS_SERVER__MAX_STREAMS="2", OS_SERVER__STREAMS_PER_CLIENT="3")
        stays, gone = listen(server), listen(server)
        assert server.get("/v2/stream").status_code == 503
        gone.close()

        def has_room() -> bool:
            written.write(posted(written.revision + 1, now()))  # it is noticed by writing
            with requests.get(f"{server.address}/v2/stream", stream=True, timeout=20) as answer:
                return answer.status_code == 200

        eventually(has_room)
        assert stays.of("board")

    @pytest.mark.faults
    def test_a_frozen_mongodb_is_told_and_nothing_is_lost(
        self,
        start: Callable[..., Server],
        listen: Callable[..., Stream],
        database: Database[Document],
    ) -> None:
        written = WrittenBoard(database)
        server = start(OS_MONGO__TIMEOUT="1")
        client = listen(server)
        eventually(lambda: client.of("board"))
        mongod = psutil.Process(
            json.loads(Path(os.environ["DEVSTACK_PIDS"]).read_text())["mongodb"]
        )
        mongod.suspend()
        try:
            eventually(lambda: [each["available"] for each in client.of("store")] == [False])
            assert server.get("/v1.0/jobs", path=PATH).status_code == 503
            assert server.get("/readyz").status_code == 503
            assert server.get("/livez").status_code == 200
        finally:
            mongod.resume()
        written.write(posted(1, now()))
        eventually(lambda: [each["available"] for each in client.of("store")] == [False, True])
        written.write(posted(2, now()))
        eventually(lambda: len(client.of("change")) == 2)
        assert [change["revision"] for change in client.of("change")] == [1, 2]
        assert client.of("reset") == []
        assert server.get("/v1.0/jobs", path=PATH).status_code == 200

    @pytest.mark.faults
    def test_who_asks_hears_soon_that_mongodb_is_frozen(self, spawn: Spawn, tmp_path: Path) -> None:
        with own_mongod(tmp_path / "mongod") as address, Proxy(address) as proxy:
            server = Server(spawn, **patient_with(proxy.address))
            eventually(lambda: server.get("/v2/boards").status_code == 200)
            with proxy.frozen():
                assert_it_says_soon_that_mongodb_is_away(server)
            eventually(lambda: server.get("/v2/boards").status_code == 200)

    @pytest.mark.faults
    def test_who_asks_hears_soon_that_mongodb_is_gone(self, spawn: Spawn, tmp_path: Path) -> None:
        with own_mongod(tmp_path / "mongod") as address:
            server = Server(spawn, **patient_with(address))
            eventually(lambda: server.get("/v2/boards").status_code == 200)
        assert_it_says_soon_that_mongodb_is_away(server)

    def test_it_starts_and_answers_with_everything_away(self, spawn: Spawn) -> None:
        server = Server(
            spawn,
            OS_MONGO__URI="mongodb://127.0.0.1:1/?replicaSet=rs0",
            OS_MONGO__TIMEOUT="0.5",
            OS_ZOOKEEPER__HOSTS="127.0.0.1:1",
            OS_CASSANDRA__ENABLED="true",
            OS_CASSANDRA__PORT="1",
        )
        ready = server.get("/readyz")
        assert ready.status_code == 503
        for name in ("mongodb", "zookeeper", "cassandra"):
            assert ready.json()[name]["ready"] is False
            assert ready.json()[name]["reason"]
        assert server.get("/v1.0/jobs", path=PATH).status_code == 503
        assert server.get("/v2/stream").status_code == 503
        assert server.command.end() == 0

    @pytest.mark.cassandra
    def test_a_cassandra_that_stood_still_at_first_is_heard_later(self, spawn: Spawn) -> None:
        def reason() -> str:
            told: str = server.get("/readyz").json()["cassandra"]["reason"]
            return told

        with Proxy(os.environ["DEVSTACK_CASSANDRA"]) as proxy:
            host, _, port = proxy.address.rpartition(":")
            where = {"OS_CASSANDRA__CLUSTER": host, "OS_CASSANDRA__PORT": port}
            with proxy.frozen():
                server = Server(spawn, OS_CASSANDRA__ENABLED="true", **where)
                assert re.search("does not answer|no answer", reason())
            eventually(lambda: "no table" in reason(), why="it answers: nobody made its tables")

    def test_zookeeper_tells_what_is_registered(
        self, start: Callable[..., Server], run: Callable[..., Any]
    ) -> None:
        server = start()
        eventually(lambda: server.get("/readyz").json()["zookeeper"]["ready"])
        assert server.get("/v1.0/jobs", path=PATH).status_code == 404
        added = run("canary-producer", "add", PATH)
        assert added.returncode == 0, added.stderr
        answer = server.get("/v1.0/jobs", path=PATH)
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), JOBS_SCHEMA)

    def test_a_wrong_option_is_one_line(self, run: Callable[..., Any]) -> None:
        ended_at_once = run("canary-server", OS_SERVER__PORT="many")
        assert ended_at_once.returncode == 2
        assert len(ended_at_once.stderr.splitlines()) == 1
        assert "[server] port" in ended_at_once.stderr
