"""A worker's own small server: what it answers, and that its clients can hold up nobody."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.registry import Collector

from canary.config import MetricsOptions
from canary.errors import ConfigError
from canary.metrics import endpoint
from canary.metrics.endpoint import CONNECTIONS, Endpoint
from tests.scraping import scrape
from tests.waiting import eventually


def started(registry: Collector, host: str = "127.0.0.1") -> Endpoint:
    """Start one on a port that is free: of 0 the kernel chooses one."""
    made = Endpoint(MetricsOptions(host, 0), registry)
    made.start()
    return made


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("canary_one", "One.", registry=registry).set(1)
    return registry


@pytest.fixture
def running(registry: CollectorRegistry) -> Iterator[Endpoint]:
    running = started(registry)
    yield running
    running.stop()


def url(running: Endpoint) -> str:
    return f"http://127.0.0.1:{running.port}"


def ask(running: Endpoint, method: str, path: str) -> requests.Response:
    with requests.request(method, url(running) + path, timeout=10) as answer:
        assert answer.headers["Connection"] == "close"
        return answer


def connect(running: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=10)


def test_it_shows_the_registry(running: Endpoint) -> None:
    assert scrape(url(running)).value("canary_one") == 1
    head = ask(running, "HEAD", "/metrics")
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) > 0
    assert head.content == b""
    open_metrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    with requests.get(f"{url(running)}/metrics", headers=open_metrics, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "path", ["/", "/metrics/", "/metric", "/favicon.ico", "/livez", "//metrics"]
)
def test_it_shows_nothing_else(running: Endpoint, path: str) -> None:
    with connect(running) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_it_is_only_read(running: Endpoint, method: str) -> None:
    answer = ask(running, method, "/metrics")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_it_listens_on_an_ipv6_address_too(registry: CollectorRegistry) -> None:
    running = started(registry, "::1")
    try:
        with requests.get(f"http://[::1]:{running.port}/metrics", timeout=10) as answer:
            assert answer.status_code == 200
    finally:
        running.stop()


def test_a_port_that_is_taken_is_a_wrong_option(running: Endpoint) -> None:
    again = Endpoint(MetricsOptions(port=running.port), CollectorRegistry())
    with pytest.raises(ConfigError, match=r"Address already in use.*OS_METRICS__PORT") as caught:
        again.start()
    assert caught.value.option == "[metrics] port"


def test_nobody_answers_after_its_end(running: Endpoint) -> None:
    address = ("127.0.0.1", running.port)
    with connect(running):
        running.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=10)


def test_clients_that_say_nothing_are_sent_away(
    running: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "CONNECTION_LIMIT", 1.0)
    with ExitStack() as silent:
        clients = [silent.enter_context(connect(running)) for _ in range(CONNECTIONS)]
        clients[0].sendall(b"GET /metrics HTTP/1.1\r\n")  # and then no more
        # All places are taken: who comes now has a turn once they are gone.
        assert scrape(url(running)).value("canary_one") == 1
        for client in clients:
            assert client.recv(1) == b""


def test_a_client_that_does_not_read_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "CONNECTION_LIMIT", 0.3)
    registry = CollectorRegistry()
    large = Gauge("canary_large", "Large.", ["board"], registry=registry)
    for number in range(2_000):
        large.labels(f"/{number}/" + 5_000 * "x").set(1)  # 10 MB: more than sockets hold
    running = started(registry)
    try:
        with connect(running) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: places_taken(running) == 1)
            eventually(lambda: places_taken(running) == 0)
        monkeypatch.setattr(endpoint, "CONNECTION_LIMIT", 60.0)  # 10 MB take their time
        assert scrape(url(running)).value("canary_large", board=f"/7/{5_000 * 'x'}") == 1
    finally:
        running.stop()
    assert capsys.readouterr().err == ""


def places_taken(running: Endpoint) -> int:
    server: Any = running._server
    return CONNECTIONS - int(server.pool.free_count())


def test_garbage_is_answered_and_not_logged(
    running: Endpoint, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for garbage in (
        b"\x00\xff\n\n",
        b"GET\n\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"x" * 20_000 + b"\n\n",
    ):
        with connect(running) as client:
            client.sendall(garbage)
            assert client.recv(12) in {b"HTTP/1.1 400", b"HTTP/1.1 414"}
    assert caplog.records == []
    assert capsys.readouterr().err == ""


def test_a_collector_that_fails_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def collect(self) -> Iterator[Any]:
            raise RuntimeError("a defect with a secret")

    running = started(Failing())
    try:
        answer = ask(running, "GET", "/metrics")
        assert answer.status_code == 500
        assert "secret" not in answer.text
    finally:
        running.stop()
    assert [record.message for record in caplog.records if record.exc_info] == [
        "the metrics could not be collected"
    ]
