"""A TCP proxy before MongoDB that loses what MongoDB answers, or what it is asked."""

from contextlib import suppress
from enum import Enum
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from pymongo import MongoClient
from pymongo.database import Database

CHUNK = 65536
END_LIMIT = 30.0  # seconds for all greenlets to end
#: Seconds until a client that gets no connection gives up, and one whose answer does not come: on a
#: busy machine a large transaction takes a second or two.
SELECTION_LIMIT, ANSWER_LIMIT = 0.7, 20.0
COMMIT = b"commitTransaction\0"
UPDATE = b"\x02update\0\x07\0\0\0boards\0"  # of a board's document, as BSON has it


class Lose(Enum):
    """What is lost; from then on the proxy lets nobody through until it is mended."""

    REQUEST = "what was asked, so that it is not done"
    ANSWER = "the answer to what was done"


class LossyProxy:
    """Forwards to ``host:port``. One request, or its answer, is lost after ``lose``."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._losing: Lose | None = None
        self._wanted = COMMIT
        self._is_cut = False
        self.losses = 0
        self._sockets: set[Any] = set()
        self._serving = Pool()
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=self._serving)

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._server.server_port}/?directConnection=true"

    def connect(self, name: str) -> Database[dict[str, Any]]:
        """Return a database as Canary's programs have it, through the proxy; to be closed."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            self.uri,
            tz_aware=True,
            w="majority",
            socketTimeoutMS=int(ANSWER_LIMIT * 1000),
            serverSelectionTimeoutMS=int(SELECTION_LIMIT * 1000),
        )
        return client[name]

    def start(self) -> None:
        self._server.start()

    def lose(self, what: Lose, wanted: bytes = COMMIT) -> None:
        """Lose the next request that holds ``wanted``, or the answer to it."""
        self._losing, self._wanted = what, wanted

    def mend(self) -> None:
        self._losing, self._is_cut = None, False

    def stop(self) -> None:
        self._server.close()
        self._cut()
        # Not killed: inside a connect that leaves a socket which nobody closes.
        assert self._serving.join(timeout=END_LIMIT), "a proxy does not end"

    def _cut(self) -> None:
        self._is_cut = True
        for each in list(self._sockets):
            # Shut down, for the other end and for who is reading here; closed by who serves it.
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._sockets.discard(each)

    def _serve(self, client: Any, _address: object) -> None:
        if self._is_cut:
            client.close()
            return
        with client, socket.create_connection(self._target) as server:
            if self._is_cut:
                return
            self._sockets |= {client, server}
            doomed = Event()
            back = gevent.spawn(self._answers, server, client, doomed)
            try:
                self._requests(client, server, doomed)
            finally:
                for each in (client, server):
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                back.join()
                self._sockets -= {client, server}

    def _requests(self, client: Any, server: Any, doomed: Event) -> None:
        while data := _receive(client):
            if self._losing and self._wanted in data:
                losing, self._losing = self._losing, None
                self.losses += 1
                if losing is Lose.REQUEST:
                    self._cut()
                    return
                doomed.set()
            server.sendall(data)

    def _answers(self, server: Any, client: Any, doomed: Event) -> None:
        while data := _receive(server):
            if doomed.is_set():
                self._cut()
                return
            try:
                client.sendall(data)
            except OSError:
                return


def _receive(peer: Any) -> bytes:
    try:
        data: bytes = peer.recv(CHUNK)
    except OSError:
        return b""
    return data
