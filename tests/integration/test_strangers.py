"""The server while a stranger tries to occupy it: who signed in is answered all the same."""

import contextlib
import http.client
import itertools
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil
import pytest
import requests
from pymongo.database import Database

from canary.server.http.connection import SEND_LIMIT
from canary.server.protection.places import STRANGERS
from canary.stores.mongo.documents import Document
from tests.integration.conftest import Spawn
from tests.integration.test_protection import People, people
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard
from tests.waiting import eventually

__all__ = ["people"]  # a fixture

CONNECTIONS: Final = 1_750
PIPELINED: Final = 20  # requests on each
SOON: Final = 1.0  # seconds of the server's work within which who signed in is answered
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.5"


@pytest.fixture
def start(spawn: Spawn, database: Database[Document]) -> Callable[..., Server]:
    WrittenBoard(database).beat()
    return lambda **variables: Server(spawn, **variables)


def script(server: Server) -> str:
    """Return the path of the page's largest file."""
    page = requests.get(f"{server.address}/", timeout=30).text
    [name] = re.findall(r'src="\.(/assets/[^"]+\.js)"', page)
    return str(name)


def request(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Stranger:
    """Who opens many connections, asks much on each and reads nothing."""

    def __init__(self, server: Server, address: str, sent: bytes, connections: int) -> None:
        self._server, self._address, self._sent = server, address, sent
        self.connections: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._occupy, args=[connections])

    def _occupy(self, connections: int) -> None:
        for _ in range(connections):
            if self._over.is_set():
                return
            made = socket.socket()
            made.settimeout(30)
            made.bind((self._address, 0))
            self.connections.append(made)
            with contextlib.suppress(OSError):
                made.connect(("127.0.0.1", self._server.port))
                made.setblocking(False)
                made.send(self._sent)

    @property
    def has_asked(self) -> bool:
        return not self._thread.is_alive()

    def held_by(self, worker: psutil.Process) -> int:
        """Return how many of the connections the server still has."""
        ports = {each.getsockname()[1] for each in self.connections}
        found = worker.net_connections("tcp")
        return sum(bool(each.raddr) and each.raddr.port in ports for each in found)

    def statuses(self) -> Counter[int]:
        """Read what came, and return how often each status was in it."""
        found: Counter[int] = Counter()
        for connection in self.connections:
            connection.settimeout(0)
            came = bytearray()
            with contextlib.suppress(OSError):
                while some := connection.recv(2**20):
                    came += some
            for head in re.findall(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n", came, re.DOTALL):
                found[int(head)] += 1
        return found

    def __enter__(self) -> "Stranger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        for connection in self.connections:
            connection.close()


@dataclass(frozen=True)
class Took:
    """How long an answer took, and how much of that time the server worked, both in seconds."""

    wall: float
    worked: float


class Asking:
    """Who signed in and asks all the time, on a new connection each time."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self._server, self._headers = server, headers
        [self.worker] = psutil.Process(server.command.process.pid).children()
        self.took: list[Took] = []
        self.failures: list[Exception] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _worked(self) -> float:
        times = self.worker.cpu_times()
        return float(times.user + times.system)

    def _ask(self) -> None:
        while not self._over.is_set():
            begun, before = time.monotonic(), self._worked()
            try:
                where = f"{self._server.address}/docs"  # nothing but the server itself is needed
                with requests.get(where, headers=self._headers, timeout=90) as answer:
                    assert answer.status_code == 200, answer.text
            except Exception as error:  # noqa: BLE001 -- raised by who waits for this
                self.failures.append(error)
                return
            self.took.append(Took(time.monotonic() - begun, self._worked() - before))

    def __enter__(self) -> "Asking":
        self._thread.start()
        eventually(lambda: self.took or self.failures)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(100)


@pytest.mark.parametrize("address", [HERE, ELSEWHERE])
def test_who_reads_nothing_holds_up_nobody_and_is_cut_off(
    start: Callable[..., Server], people: People, address: str
) -> None:
    server = start(**people.options)
    sent = request(script(server)) * PIPELINED
    with Asking(server, people.bearer) as asking:
        before = len(asking.took)
        with Stranger(server, address, sent, CONNECTIONS) as stranger:
            eventually(lambda: stranger.has_asked, 90, "the stranger has asked on all connections")
            worker = asking.worker
            eventually(
                lambda: stranger.held_by(worker) <= STRANGERS.each, 60, "most are refused at once"
            )
            eventually(
                lambda: stranger.held_by(worker) == 0, SEND_LIMIT + 30, "the others are cut off"
            )
            statuses = stranger.statuses()
            eventually(lambda: len(asking.took) > before + 1 or asking.failures)
    took = asking.took[before:]
    print(
        f"{len(took)} answers, the slowest in {max(each.wall for each in took):.3f} s, for which "
        f"the server worked {max(each.worked for each in took):.3f} s; to the stranger: {statuses}"
    )
    assert not asking.failures
    assert statuses[429] + statuses[503] > CONNECTIONS / 2
    # A server that has a core to itself needs as long as it works; one that shares a core needs
    # more, and works longer for the same.
    assert max(each.worked for each in took) < 2 * SOON
    assert max(each.wall for each in took) < SEND_LIMIT / 2, "nobody waits until one is cut off"


def test_every_request_counts(start: Callable[..., Server], people: People) -> None:
    server = start(OS_SERVER__RATE_LIMIT="3", **people.options)
    paths = ("/", "/assets/none.js", "/nope", "/v2/boards", "/page/x")
    for number, (path, method) in enumerate(
        itertools.product(paths, ("GET", "HEAD", "OPTIONS", "POST")), 10
    ):
        statuses = []
        for _ in range(5):
            connection = http.client.HTTPConnection(
                "127.0.0.1", server.port, timeout=30, source_address=(f"127.0.0.{number}", 0)
            )
            connection.request(method, path)
            with contextlib.closing(connection), connection.getresponse() as answer:
                statuses.append(answer.status)
        assert 429 not in statuses[:3], (path, method, statuses)
        assert statuses[3:] == [429, 429], (path, method, statuses)
        assert answer.headers["Connection"] == "close"
        assert int(answer.headers["Retry-After"]) >= 1
    for _ in range(5):
        assert requests.get(f"{server.address}/livez", timeout=30).status_code == 200
    where = f"{server.address}/docs"
    assert requests.get(where, headers=people.bearer, timeout=30).status_code == 200


def test_a_slow_client_gets_all_of_it(start: Callable[..., Server], people: People) -> None:
    server = start(**people.options)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.settimeout(SEND_LIMIT)
    with slow:
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(request(script(server), Connection="close"))
        came, begun = b"", time.monotonic()
        while some := slow.recv(4_096):
            came += some
            time.sleep(0.5)  # the link's: 8 kB a second
        assert time.monotonic() - begun > SEND_LIMIT
    head, _, body = came.partition(b"\r\n\r\n")
    [length] = re.findall(rb"Content-Length: (\d+)", head)
    assert len(body) == int(length)
