"""gunicorn's gevent worker as Canary uses it: what one connection can't do to the others.

Promises:

- The head of a request is there within ``HEAD_LIMIT`` seconds and has a bounded size, or the
  connection is closed: whoever sends byte by byte gains nothing.
- ``WAITING`` connections wait for a request at a time. One more, and the one that has waited
  longest is closed: an idle one holds up nobody.
- No body is read. A request that has one is answered, and then the connection is closed. gunicorn
  would read it to its end, however long, and hold up all others as long as it comes fast enough.
- A client that takes nothing of its answer for ``SEND_LIMIT`` seconds is as good as gone.
- What is no HTTP is answered by a problem document, and what it was is not logged: it may hold a
  token.
- Told to stop, the worker ends its event streams, and closes what waits for a request.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import time
from collections import OrderedDict
from http import HTTPStatus
from typing import Any, Final

import gevent
from gunicorn.http import errors
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.ggevent import GeventWorker

from canary.server.protection.headers import SECURITY

LOG = logging.getLogger(__name__)

HEAD_LIMIT: Final = 10  # seconds, from the connection or the answer before until the head is there
HEAD_LINE: Final = 8_190  # bytes of the request's first line: the most that gunicorn takes
HEAD_FIELDS: Final = 50  # a browser sends twenty, each proxy adds some
HEAD_FIELD: Final = 8_190  # bytes of each; a browser may send many cookies that are not Canary's

WAITING: Final = 500
SEND_LIMIT: Final = 60.0  # seconds
LINGER_LIMIT: Final = 2.0  # seconds that a client has to read the answer to what was not read whole
LINGER_BYTES: Final = 2**20  # that are thrown away meanwhile

_BODY: Final = ("CONTENT-LENGTH", "TRANSFER-ENCODING")

_STATUS: Final = (
    (errors.InvalidResponseHeader, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.InvalidResponseHeaderName, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (errors.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (errors.ParseException, HTTPStatus.BAD_REQUEST),
)
_DETAILS: Final = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request line is longer than 8 KiB: ask for less at once.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The header fields are too many, or too long.",
    HTTPStatus.BAD_REQUEST: "That is no request by HTTP's rules.",
}


class Waiting:
    """The connections that wait for a request, ``limit`` of them at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._connections: OrderedDict[socket.socket, None] = OrderedDict()

    def add(self, connection: socket.socket) -> None:
        """Begin to wait. Where there are too many, close the one that has waited longest."""
        self._connections[connection] = None
        if len(self._connections) > self._limit:
            self._close_oldest()

    def remove(self, connection: socket.socket) -> None:
        """Wait no more; may be called again."""
        self._connections.pop(connection, None)

    def close(self) -> None:
        """Close all of them."""
        while self._connections:
            self._close_oldest()

    def _close_oldest(self) -> None:
        oldest, _ = self._connections.popitem(last=False)
        # Not gevent's own, which raises in who reads from it: that is to see the end, no error.
        raw: socket.socket = getattr(oldest, "_sock", oldest)
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)


class Worker(GeventWorker):
    """One process's connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = Waiting(WAITING)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take SIGTERM."""
        self.app.stop()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Take SIGINT and SIGQUIT as SIGTERM: Ctrl-C need not cut answers off either."""
        self.handle_exit(sig, frame)

    def notify(self) -> None:
        """Called once a second, also while what is under way is awaited at the end."""
        super().notify()
        if not self.alive:
            self._waiting.close()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection."""
        self._waiting.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._waiting.remove(client)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> Any:
        """Serve one request."""
        self._waiting.remove(sock)
        has_body = _drop_body(req)
        sock.settimeout(SEND_LIMIT)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
        finally:
            if has_body:
                _linger(sock)
            self._waiting.add(sock)

    def handle_error(self, _req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what can't be served, without a word of it in the answer or the log."""
        status = next(
            (status for kind, status in _STATUS if isinstance(exc, kind)),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            LOG.error("a request failed", exc_info=exc)
        else:
            facts = {"status": status.value, "client": addr[0]}
            LOG.info("not understood: %s", type(exc).__name__, extra=facts)
        with contextlib.suppress(OSError):
            client.settimeout(LINGER_LIMIT)
            client.sendall(_problem(status))
        _linger(client)


def _drop_body(request: Any) -> bool:
    """Let nobody read the body of ``request``; return whether it has one."""
    if not any(name in _BODY and value != "0" for name, value in request.headers):
        return False
    request.headers = [header for header in request.headers if header[0] not in _BODY]
    request.body = Body(LengthReader(request.unreader, 0))
    request._expected_100_continue = False  # noqa: SLF001 -- or gunicorn asks for the body
    request.force_close()
    return True


def _linger(connection: socket.socket) -> None:
    """Let a client read its answer: a connection closed with something unread is reset."""
    deadline, left = time.monotonic() + LINGER_LIMIT, LINGER_BYTES
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (remaining := deadline - time.monotonic()) > 0:
            connection.settimeout(remaining)
            data = connection.recv(min(left, 65_536))
            if not data:
                return
            left -= len(data)
            gevent.sleep()  # what comes without a pause would keep all others waiting


def _problem(status: HTTPStatus) -> bytes:
    detail = _DETAILS.get(status, status.description)
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
    body = json.dumps(problem | {"detail": detail})
    headers = {
        "Connection": "close",
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        **SECURITY,
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()
