"""A client's connection: who reads slowly gets all, who reads nothing is cut off."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from canary.server.http.connection import LOOK, Connection
from canary.server.http.worker import Waiting

SIZE = 2**21


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30)
        client.connect(listener.getsockname())
        accepted, address = listener.accept()
        with accepted:
            yield Connection(accepted, address[0]), client


def test_who_reads_nothing_is_cut_off(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    connection.set_patience(1.0)
    begun = time.monotonic()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(SIZE))
    assert 1.0 <= time.monotonic() - begun < 1.0 + 10 * LOOK
    connection.close()
    came = 0
    with contextlib.suppress(ConnectionResetError):
        while some := client.recv(2**20):
            came += len(some)
    assert came < SIZE


def test_who_reads_slowly_gets_all(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    connection.set_patience(1.0)
    came = bytearray()

    def read() -> None:
        while some := client.recv(65_536):
            came.extend(some)
            time.sleep(0.1)  # the link's

    reader = threading.Thread(target=read)
    reader.start()
    begun = time.monotonic()
    connection.sendall(bytes(SIZE))
    lasted = time.monotonic() - begun
    connection.shutdown(socket.SHUT_WR)
    reader.join(60)
    assert len(came) == SIZE
    assert lasted > 1.0, "it took longer than the client may take nothing"


def test_who_was_refused_is_not_waited_for(ends: tuple[Connection, socket.socket]) -> None:
    connection, _ = ends
    connection.refuse()
    begun = time.monotonic()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(SIZE))
    assert time.monotonic() - begun < 10 * LOOK


class Wait(Connection):
    """A connection that waits, and remembers whether it was cut."""

    def __init__(self, address: str, *, is_known: bool = False) -> None:
        self.address, self.is_known, self.is_cut = address, is_known, False

    def cut(self) -> None:
        self.is_cut = True


class TestWaiting:
    def test_the_one_that_has_waited_longest_of_who_has_most_makes_room(self) -> None:
        waiting = Waiting(4)
        other = Wait("b")
        many = [Wait("a") for _ in range(4)]
        for each in (other, *many):
            waiting.add(each)
        assert [each.is_cut for each in (other, *many)] == [False, True, False, False, False]

    def test_an_ipv6_client_is_its_64(self) -> None:
        waiting = Waiting(4)
        others = [Wait("192.0.2.7"), Wait("192.0.2.8"), Wait("2001:db8:0:1::1")]
        many = [Wait(f"2001:db8::{number:x}") for number in range(1, 6)]
        for each in (*others, *many):
            waiting.add(each)
        assert [each.is_cut for each in others] == [False] * 3
        assert [each.is_cut for each in many] == [True] * 4 + [False]
        waiting.remove(many[-1])
        waiting.add(Wait("192.0.2.9"))
        assert [each.is_cut for each in others] == [False] * 3, "who left is counted no more"

    def test_none_of_who_signed_in_while_there_is_another(self) -> None:
        waiting = Waiting(2)
        known = [Wait("a", is_known=True) for _ in range(3)]
        stranger = Wait("b")
        for each in (known[0], stranger, known[1]):
            waiting.add(each)
        assert stranger.is_cut
        waiting.add(known[2])
        assert [each.is_cut for each in known] == [True, False, False]

    def test_what_is_served_does_not_count(self) -> None:
        waiting = Waiting(1)
        first, second = Wait("a"), Wait("a")
        waiting.add(first)
        waiting.remove(first)
        waiting.remove(first)
        waiting.add(second)
        assert not first.is_cut
        assert not second.is_cut
        waiting.close()
        assert second.is_cut
