"""What the tests themselves open they close, also where they end in the middle of connecting.

A socket that is left to the garbage collector is a warning, and so the failure of some later test.
"""

import gc
import socket
import warnings
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

from tests.faults.follower import Follower
from tests.integration.lossy_proxy import LossyProxy
from tests.integration.proxy import Proxy
from tests.waiting import eventually

TIMES = 60  # ends, each at another moment of connecting
STEP = 0.0001  # seconds


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(each.message) for each in caught] == []


@pytest.fixture
def target() -> Iterator[StreamServer]:
    """A server that sends back what it is sent."""

    def echo(peer: socket.socket, _address: object) -> None:
        while data := peer.recv(1000):
            peer.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = StreamServer(listener, echo, spawn=Pool())
        server.start()
        yield server
        server.stop()


def turns(number: int) -> None:
    """Let the others have some turns, each time another number of them."""
    for _ in range(number % 20):
        gevent.sleep(0)


def test_of_a_proxy(target: StreamServer) -> None:
    for number in range(TIMES):
        with Proxy(f"127.0.0.1:{target.server_port}") as proxy:
            host, _, port = proxy.address.rpartition(":")
            clients = [socket.create_connection((host, int(port))) for _ in range(3)]
            turns(number)
        for client in clients:
            client.close()


def test_of_a_lossy_proxy(target: StreamServer) -> None:
    for number in range(TIMES):
        proxy = LossyProxy("127.0.0.1", int(target.server_port or 0))
        proxy.start()
        address = proxy.uri.partition("://")[2].partition("/")[0]
        host, _, port = address.rpartition(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(3)]
        turns(number)
        proxy.stop()
        for client in clients:
            client.close()


def test_of_a_follower() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = WSGIServer(listener, stream_and_jobs, log=None)
        server.start()
        for number in range(TIMES):
            follower = Follower(f"http://127.0.0.1:{server.server_port}", "/b/jobs")
            if number % 2:
                eventually(lambda follower=follower: follower.connections > 0)  # type: ignore[misc]
            gevent.sleep(number * STEP)
            follower.stop()
        server.stop()


def stream_and_jobs(
    environ: dict[str, str], start_response: Callable[..., object]
) -> Iterator[bytes]:
    """Answer as canary-server does for a board without jobs."""
    is_stream = environ["PATH_INFO"] == "/v2/stream"
    start_response("200 OK", [("Content-Type", "text/event-stream" if is_stream else "text/json")])
    if not is_stream:
        yield b'[{"jobs": []}]'
        return
    yield b"retry: 1000\n\n"
    while True:
        gevent.sleep(0.05)
        yield b": still here\n\n"
