"""A TCP proxy between a client and a real server, for what happens to connections.

It drops them, refuses new ones, lets them hang, and slips in bytes of its own. The server itself
goes on, and so do its other clients.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import gevent
from gevent.event import Event

CHUNK = 65_536  # bytes
CONNECT_LIMIT = 5.0  # seconds for the server to take a connection
END_LIMIT = 30.0  # seconds for all greenlets to end


class Proxy:
    """Listens on a free port of loopback; ``address`` is what to give to the client."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(",")[0].rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.attempts: list[float] = []  # when somebody tried to connect, by the monotonic clock
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._refusing = False
        self._drops = 0
        self._ending = Event()
        self._last: bytes | None = None
        self._delay = 0.0
        self._flowing = Event()
        self._flowing.set()
        self._greenlets: list[gevent.Greenlet[..., None]] = [gevent.spawn(self._accept)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Nothing is killed: inside a connect that leaves a socket which nobody closes.
        self._refusing = True
        self._ending.set()
        self._flowing.set()
        self._listener.close()
        self.drop()
        gevent.joinall(self._greenlets, timeout=END_LIMIT)
        assert all(greenlet.dead for greenlet in self._greenlets), "a proxy does not end"

    def drop(self) -> None:
        """Close every connection, now, also one that is just being made."""
        self._drops += 1
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Close every connection, and refuse new ones in the ``with``."""
        self._refusing = True
        self.drop()
        try:
            yield
        finally:
            self._refusing = False

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold back every byte in the ``with``, both ways; what was held flows afterwards."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    @contextlib.contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Hold back what a client sends for so long, in the ``with``."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    @contextlib.contextmanager
    def silent_after(self, request: bytes) -> Iterator[None]:
        """Hold back every byte in the ``with``, once a client has sent what holds ``request``."""
        self._last = request
        try:
            yield
        finally:
            self._last = None
            self._flowing.set()

    def slip_in(self, data: bytes) -> None:
        """Send ``data`` to every client, as though the server had."""
        for client, _ in self._pairs:
            client.sendall(data)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts.append(time.monotonic())
            if self._refusing:
                client.close()
                continue
            drops = self._drops
            try:
                server = socket.create_connection(self._target, CONNECT_LIMIT)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            if self._drops != drops:
                client.close()
                server.close()
                continue
            self._pairs.append((client, server))
            self._greenlets.append(gevent.spawn(self._pump, client, server, is_request=True))
            self._greenlets.append(gevent.spawn(self._pump, server, client, is_request=False))

    def _pump(self, source: socket.socket, sink: socket.socket, *, is_request: bool) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if is_request:
                    self._ending.wait(self._delay)
                self._flowing.wait()
                sink.sendall(data)
                if self._last is not None and self._last in data:
                    self._flowing.clear()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
