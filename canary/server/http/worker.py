"""gunicorn's gevent worker, with limits on what one connection can do to the others.

Promises:

- The head of a request arrives within ``HEAD_LIMIT`` seconds and has a bounded size, or the
  connection is closed. So a client that sends byte by byte gains nothing.
- At most ``WAITING`` connections wait for a request at a time. If there is one more, a connection
  of the address that has the most is closed; connections of clients that signed in come last
  (`Waiting`). So idle connections do not keep out other clients.
- No body is read. A request with a body is answered, and then its connection is closed. gunicorn
  would read the body to its end, however long, and block all others as long as it comes fast
  enough.
- A client that does not read its response is disconnected (`Connection`), and the number of
  responses in progress is bounded (`Places`).
- If a client has sent many requests at once, other clients get a turn after each of them.
- Data that is not HTTP is answered with a problem document. It is not logged, because it may
  contain a token.
- When the worker is told to stop, it ends its event streams and closes connections that wait for a
  request.
"""

import contextlib
import json
import logging
import socket
from http import HTTPStatus
from typing import Any, Final

import gevent
from gevent.server import StreamServer
from gunicorn.http import errors
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.ggevent import GeventWorker

from canary.clock import CLOCK, Clock
from canary.server.http.connection import Connection
from canary.server.protection.headers import SECURITY
from canary.server.protection.proxies import bucket

LOG = logging.getLogger(__name__)

HEAD_LIMIT: Final = 10  # seconds from the connection, or from the last response, to a full head
HEAD_LINE: Final = 8_190  # bytes of the request's first line: the most that gunicorn takes
HEAD_FIELDS: Final = 50  # a browser sends twenty, and each proxy adds some
HEAD_FIELD: Final = 8_190  # bytes per field; a browser may send many cookies of other applications

WAITING: Final = 500
ACCEPTED: Final = 20  # connections that are accepted before the existing ones get a turn
LINGERING: Final = 100  # connections that linger before they are closed, at a time
LINGER_LIMIT: Final = 2.0  # seconds that a client has to read the answer to a half-read request
LINGER_BYTES: Final = 2**20  # received bytes that are discarded meanwhile

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
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request line is longer than 8 KiB: send a shorter one.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "Too many or too long header fields: send less.",
    HTTPStatus.BAD_REQUEST: "This is not a valid HTTP request.",
}


class Waiting:
    """The connections that wait for a request, at most ``limit``.

    Promises: if there is one too many, the longest waiting connection of the address (for IPv6, of
    the /64) that has the most is closed. No connection of a client that signed in is closed as long
    as there is another one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[Connection, None] = {}  # the longest waiting first
        self._others: dict[str, dict[Connection, None]] = {}  # by client, in the same order
        self._count = 0

    def add(self, connection: Connection) -> None:
        """Add a connection. If there are too many, close one."""
        self.remove(connection)
        if connection.is_known:
            self._known[connection] = None
        else:
            self._others.setdefault(bucket(connection.address), {})[connection] = None
        self._count += 1
        if self._count > self._limit:
            self._close_one()

    def remove(self, connection: Connection) -> None:
        """Remove a connection. May be called more than once."""
        client = bucket(connection.address)
        own = self._others.get(client, {})
        for waiting in (self._known, own):
            if connection in waiting:
                del waiting[connection]
                self._count -= 1
        if not own:
            self._others.pop(client, None)

    def close(self) -> None:
        """Close all waiting connections."""
        while self._count:
            self._close_one()

    def _close_one(self) -> None:
        waiting = max(self._others.values(), key=len, default=self._known)
        connection = next(iter(waiting))
        self.remove(connection)
        connection.cut()


class Worker(GeventWorker):
    """A worker process of gunicorn, which serves the connections of that process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = Waiting(WAITING)
        StreamServer.max_accept = ACCEPTED
        self._lingering = 0

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle SIGTERM: stop the parts, then end as gunicorn does."""
        self.app.stop()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Handle SIGINT and SIGQUIT like SIGTERM, so that Ctrl-C cuts off no responses."""
        self.handle_exit(sig, frame)

    def notify(self) -> None:
        """gunicorn calls this once a second, also while it waits for requests to end."""
        super().notify()
        if not self.alive:
            self._waiting.close()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        connection = Connection(client, addr[0])
        refusal = self.app.foresee(connection.address, connection.peek())
        if refusal is not None:
            connection.end_with(refusal)
            return
        self._waiting.add(connection)
        try:
            super().handle(listener, connection, addr)
        finally:
            self._waiting.remove(connection)

    def handle_request(self, listener_name: Any, req: Any, sock: Connection, addr: Any) -> Any:
        """Serve one request."""
        self._waiting.remove(sock)
        has_body = _drop_body(req)
        sock.begin(req)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.end()
            if has_body or sock.is_refused:
                self._linger(sock)
            self._waiting.add(sock)
            gevent.sleep()  # lets other clients have a turn, if this one sent many requests

    def handle_error(self, _req: Any, client: Connection, addr: Any, exc: BaseException) -> None:
        """Answer a request that can't be served; quote nothing of it in the answer or the log."""
        status = next(
            (status for kind, status in _STATUS if isinstance(exc, kind)),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            LOG.error("a request failed", exc_info=exc)
        else:
            facts = {"status": status.value, "client": addr[0]}
            LOG.info("not a valid HTTP request: %s", type(exc).__name__, extra=facts)
        self._waiting.remove(client)
        client.refuse()
        with contextlib.suppress(OSError):
            client.sendall(_problem(status))
        self._linger(client)

    def _linger(self, connection: Connection) -> None:
        """Give a client time to read its answer before the connection is closed.

        A connection that is closed with unread data is reset. If ``LINGERING`` connections linger
        already, this one gets no time.
        """
        limit = LINGER_LIMIT if self._lingering < LINGERING else 0.0
        self._lingering += 1
        try:
            _linger(connection, limit)
        finally:
            self._lingering -= 1
        if connection.is_refused and connection.has_much_unread():
            connection.cut()  # otherwise the kernel would keep trying to send the rest


def _drop_body(request: Any) -> bool:
    """Remove the body of ``request``, so that nothing reads it; return whether it has one."""
    if not any(name in _BODY and value != "0" for name, value in request.headers):
        return False
    request.headers = [header for header in request.headers if header[0] not in _BODY]
    request.body = Body(LengthReader(request.unreader, 0))
    request._expected_100_continue = False  # noqa: SLF001 -- otherwise gunicorn asks for the body
    request.force_close()
    return True


def _linger(connection: Connection, limit: float, clock: Clock = CLOCK) -> None:
    deadline, left = clock.elapsed() + limit, LINGER_BYTES
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while left > 0:
            connection.settimeout(max(0.0, deadline - clock.elapsed()))
            data = connection.recv(min(left, 65_536))
            if not data:
                return
            left -= len(data)
            gevent.sleep()  # data that comes without a pause would block other greenlets


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
