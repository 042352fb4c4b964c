"""How long a client may take nothing of its answer before it is cut off, in virtual time."""

import fcntl
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from canary.server.http.connection import LOOK, Connection
from canary.server.http.worker import LINGER_LIMIT, _linger
from tests.virtual_clock import SoloClock

ROOM = 8  # bytes that the kernel holds for a client


class Wire:
    """The server's socket. ``taken`` returns how many bytes the client took after some seconds."""

    def __init__(self, clock: SoloClock, taken: Callable[[float], int]) -> None:
        self._clock, self._taken, self._begun = clock, taken, clock.elapsed()
        self._sent = 0
        self._timeout = 0.0
        self.options: dict[tuple[int, int], Any] = {}
        self.is_cut = False

    @property
    def unread(self) -> int:
        return max(0, self._sent - self._taken(self._clock.elapsed() - self._begun))

    def send(self, data: memoryview) -> int:
        if self.unread >= ROOM:
            self._clock.sleep(self._timeout)
        count = min(ROOM - self.unread, len(data))
        if count <= 0:
            raise TimeoutError
        self._sent += count
        return count

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = 0.0 if seconds is None else seconds

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        self.options[level, name] = value

    def shutdown(self, _how: int) -> None:
        self.is_cut = True

    def fileno(self) -> int:
        return 0


Connect = Callable[[Callable[[float], int]], tuple[Connection, Wire]]


@pytest.fixture
def clock() -> SoloClock:
    return SoloClock()


@pytest.fixture
def connect(clock: SoloClock, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(taken: Callable[[float], int]) -> tuple[Connection, Wire]:
        wire = Wire(clock, taken)
        monkeypatch.setattr(fcntl, "ioctl", lambda *_: struct.pack("i", wire.unread))
        return Connection(wire, "192.0.2.7", clock), wire

    return connect


def nothing(_: float) -> int:
    return 0


def test_who_takes_nothing_for_twenty_seconds_is_cut_off(
    connect: Connect, clock: SoloClock
) -> None:
    connection, wire = connect(nothing)
    begun = clock.elapsed()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(100))
    assert 20.0 <= clock.elapsed() - begun <= 20.0 + LOOK
    assert wire.is_cut


@pytest.mark.parametrize("pause", [1.0, 19.9])
def test_who_takes_a_byte_in_less_than_that_gets_all(
    connect: Connect, clock: SoloClock, pause: float
) -> None:
    connection, wire = connect(lambda seconds: int(seconds / pause))
    begun = clock.elapsed()
    connection.sendall(bytes(100))
    assert clock.elapsed() - begun >= (100 - ROOM) * pause
    assert not wire.is_cut


def test_the_limit_counts_from_when_the_client_took_something_last(
    connect: Connect, clock: SoloClock
) -> None:
    connection, _ = connect(lambda seconds: min(50, int(seconds)))
    begun = clock.elapsed()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(100))
    assert 50.0 + 20.0 <= clock.elapsed() - begun <= 50.0 + 20.0 + 2 * LOOK


def test_each_answer_has_its_own_patience(connect: Connect, clock: SoloClock) -> None:
    connection, _ = connect(nothing)
    connection.set_patience(60.0)
    begun = clock.elapsed()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(100))
    assert 60.0 <= clock.elapsed() - begun <= 60.0 + LOOK
    connection.begin(None)
    begun = clock.elapsed()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(100))
    assert 20.0 <= clock.elapsed() - begun <= 20.0 + LOOK


def test_who_was_refused_is_not_waited_for(connect: Connect, clock: SoloClock) -> None:
    connection, _ = connect(nothing)
    connection.refuse()
    begun = clock.elapsed()
    with pytest.raises(ConnectionResetError):
        connection.sendall(bytes(100))
    assert clock.elapsed() - begun <= LOOK


def test_who_has_vanished_is_given_up_by_the_kernel_after_a_minute(connect: Connect) -> None:
    _, wire = connect(nothing)
    assert wire.options[socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT] == 60_000


class Body(Connection):
    """A client that goes on to send, after a pause each time; ``None`` for one that never does."""

    def __init__(self, clock: SoloClock, pause: float | None) -> None:
        self._own_clock, self._pause = clock, pause
        self._timeout = 0.0

    def shutdown(self, _how: int) -> None:
        """Do nothing."""

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def recv(self, _size: int) -> bytes:
        if self._timeout <= 0.0:
            raise BlockingIOError
        if self._pause is None or self._pause > self._timeout:
            self._own_clock.sleep(self._timeout)
            raise TimeoutError
        self._own_clock.sleep(self._pause)
        return b"x"


@pytest.mark.parametrize("pause", [None, 0.3, 1.9, 60.0])
def test_a_connection_lingers_for_two_seconds_whatever_comes(
    clock: SoloClock, pause: float | None
) -> None:
    begun = clock.elapsed()
    _linger(Body(clock, pause), LINGER_LIMIT, clock)
    assert clock.elapsed() - begun == pytest.approx(2.0)
