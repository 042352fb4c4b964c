"""What the server tells and counts: each metric by name, type, help, labels and value."""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request
from prometheus_client import CollectorRegistry

from canary.errors import StoreUnavailable
from canary.metrics import catalogue
from canary.metrics.boards import LIMIT, Boards
from canary.metrics.server import ServerMetrics
from canary.model.freshness import Freshness
from canary.server import metrics as server_metrics
from canary.server.problems import Crowded
from canary.server.stream.broadcaster import TOO_SLOW, Broadcaster
from canary.server.stream.buffer import ReplayBuffer
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.metrics import BoardFigures, Figures, Missed
from tests.scraping import Scrape, assert_is, only, read
from tests.streamed import change_event
from tests.virtual_clock import VirtualClock

BOARD = "/lbaas/jobs"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def board_now(path: str = BOARD, **fields: Any) -> BoardNow:
    moment = MOMENT + timedelta(hours=1)
    known: dict[str, Any] = {
        "registered": True,
        "epoch": 1,
        "revision": 12,
        "watcher": "w",
        "freshness": Freshness.SUSPENDED,
        "freshness_since": moment - timedelta(seconds=30),
        "watched_since": MOMENT,
        "live_until": moment - timedelta(seconds=31),
        "drift": 1,
        "silent_from": None,
        "now": moment,
        "clock_offset": -3600.5,
        "clock_off": True,
    }
    return BoardNow(path, **(known | fields))


@dataclass
class Store:
    """MongoDB, as far as it is asked."""

    figures: Figures = field(
        default_factory=lambda: Figures(
            (
                BoardFigures(
                    board_now(),
                    {"UNCLAIMED": 4, "CLAIMED": 2},
                    90.5,
                    Missed({"restart": 2}, 5, 6),
                    7_000.5,
                    3,
                ),
                BoardFigures(
                    board_now("/new/jobs", live_until=None, clock_offset=None),
                    {"UNCLAIMED": 0},
                    0.0,
                    Missed(),
                ),
            ),
            3,
        )
    )
    is_away: bool = False
    asked: int = 0
    lasts: float = 0.0

    def __call__(self, timeout: float) -> Figures:
        assert timeout == LIMIT
        self.asked += 1
        gevent.sleep(self.lasts)
        if self.is_away:
            raise StoreUnavailable("MongoDB does not answer")
        return self.figures


def test_what_mongodb_knows() -> None:
    told = read(Boards(Store()))
    assert_is(told, catalogue.ASKED_OF_MONGODB)
    assert told.value("canary_mongodb_up") == 1
    assert told.value("canary_workers") == 3
    assert told.by("state", "canary_board_jobs", board=BOARD) == {"UNCLAIMED": 4, "CLAIMED": 2}
    for name, expected in {
        "canary_board_oldest_unclaimed_seconds": 90.5,
        "canary_board_freshness_age_seconds": 30,
        "canary_board_lag_seconds": 31,
        "canary_board_changes_total": 12,
        "canary_board_drift_total": 1,
        "canary_board_clock_offset_seconds": -3600.5,
        "canary_board_oldest_claimed_seconds": 7_000.5,
        "canary_board_trash_collisions": 3,
    }.items():
        assert told.value(name, board=BOARD) == expected, name
    freshness = told.by("freshness", "canary_board_freshness", board=BOARD)
    assert freshness == only(suspended=1)
    assert told.by("reason", "canary_board_gaps_total", board=BOARD) == {"restart": 2}
    unseen = "canary_board_unseen_total"
    assert told.by("operation", unseen, board=BOARD) == {"create": 5, "delete": 6}
    assert told.by("operation", unseen, board="/new/jobs") == {"create": 0, "delete": 0}
    for unknown in ("canary_board_lag_seconds", "canary_board_clock_offset_seconds"):
        assert told.value(unknown, board="/new/jobs") is None, "nothing is known"


def test_mongodb_is_asked_once_however_often_it_is_scraped() -> None:
    store, clock = Store(lasts=0.01), VirtualClock()
    boards = Boards(store, clock)
    together = [gevent.spawn(read, boards) for _ in range(10)]
    gevent.joinall(together, raise_error=True)
    clock.advance(0.9)
    read(boards)
    assert store.asked == 1
    clock.advance(0.1)
    assert read(boards).value("canary_workers") == 3
    assert store.asked == 2


def test_nothing_old_is_told_while_mongodb_is_away() -> None:
    store, clock = Store(), VirtualClock()
    boards = Boards(store, clock)
    assert read(boards).value("canary_mongodb_up") == 1
    store.is_away = True
    clock.advance(1)
    told = read(boards)
    assert told.values == {("canary_mongodb_up", frozenset()): 0}
    read(boards)
    assert store.asked == 2, "that it is away is kept as well"


@pytest.fixture
def served(registry: CollectorRegistry) -> ServerMetrics:
    return ServerMetrics(registry, Boards(Store()), None)


def test_what_a_server_counts(served: ServerMetrics) -> None:
    served.answered("/v2/boards", "GET", 200, 0.02)
    served.came()
    served.came()
    served.went()
    served.sent(7)
    served.dropped()
    told = read(served)
    assert_is(told, catalogue.OF_SERVER)
    assert told.value("canary_stream_clients") == 1
    assert told.value("canary_stream_events_sent_total") == 7
    assert told.value("canary_stream_clients_dropped_total") == 1
    about = {"route": "/v2/boards", "method": "GET"}
    assert told.by("status", "canary_http_requests_total", **about) == {"200": 1}
    duration = "canary_http_request_duration_seconds"
    assert told.value(f"{duration}_count", **about) == 1
    assert told.value(f"{duration}_bucket", **about, le="0.01") == 0
    assert told.value(f"{duration}_bucket", **about, le="0.025") == 1


def test_clients_of_the_event_stream(served: ServerMetrics) -> None:
    broadcaster = Broadcaster(limit=2, observer=served, buffer=ReplayBuffer(limit=5))
    slow, quick = broadcaster.subscribe(), broadcaster.subscribe()
    with pytest.raises(Crowded):
        broadcaster.subscribe()
    assert read(served).value("canary_stream_clients") == 2, "who was turned away is none"
    for number in range(6):
        broadcaster.tell(change_event(number))
        quick.take(0)
    assert slow.take(0) == [TOO_SLOW]
    told = read(served)
    assert told.value("canary_stream_clients_dropped_total") == 1
    assert told.value("canary_stream_clients") == 1
    for _ in range(2):
        broadcaster.unsubscribe(slow)
    assert read(served).value("canary_stream_clients") == 1, "it went once"
    broadcaster.unsubscribe(quick)
    assert read(served).value("canary_stream_clients") == 0


@pytest.fixture
def app(served: ServerMetrics) -> Flask:
    app = Flask("test")
    server_metrics.register(app, served)

    @app.get("/v2/jobs/<uuid>")
    def job(uuid: str) -> str:
        return uuid

    @app.get("/refused")
    def refused() -> Response:
        return Response("no", 418)

    @app.get("/defect")
    def defect() -> str:
        raise RuntimeError("a defect")

    @app.before_request
    def turn_away() -> Response | None:
        return Response("who are you?", 401) if "nobody" in request.args else None

    return app


def test_a_request_is_counted_by_its_routes_template(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()
    for path in ("/v2/jobs/1", '/v2/jobs/%22}%0acanary_forged{x="', "/refused", "/defect"):
        client.get(path).close()
    client.get("/v2/jobs/2?nobody").close()
    for path in ("/nowhere/1", "/nowhere/2?uuid=3", "/v2/jobs"):
        client.get(path).close()
    client.open("/refused", method="BREW").close()
    client.head("/v2/jobs/4").close()
    answer = client.get("/metrics")
    told = Scrape(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    requests = {
        tuple(dict(labels)[name] for name in ("route", "method", "status")): value
        for (sample, labels), value in told.values.items()
        if sample == "canary_http_requests_total"
    }
    assert requests == {
        ("/v2/jobs/<uuid>", "GET", "200"): 2,
        ("/v2/jobs/<uuid>", "GET", "401"): 1,
        ("/v2/jobs/<uuid>", "HEAD", "200"): 1,
        ("/refused", "GET", "418"): 1,
        ("/defect", "GET", "500"): 1,
        ("unmatched", "GET", "404"): 3,
        ("unmatched", "other", "405"): 1,
    }
    assert "forged" not in told.text


def test_a_file_that_is_just_being_made_is_waited_for(tmp_path: Path) -> None:
    """As where a process begins; prometheus_client can't read what has no length yet."""
    made = tmp_path / "counter_1.db"
    made.touch()
    served = ServerMetrics(CollectorRegistry(), Boards(lambda _: Figures((), 0)), tmp_path)
    gevent.spawn_later(0.05, made.unlink)
    body, _ = served.exposed("")
    assert b"canary_mongodb_up 1.0" in body
    made.touch()
    with pytest.raises(struct.error):
        served.exposed("")
