"""A worker's own small HTTP server: ``GET /metrics``, and nothing else.

Promises: whatever clients do, at most ``CONNECTIONS`` of them are served at a time, and a
connection ends after one request or ``CONNECTION_LIMIT`` seconds. The watches go on meanwhile. No
other server is asked for an answer.
"""

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

import gevent
from gevent.pool import Pool
from gevent.pywsgi import LoggingLogAdapter, WSGIHandler, WSGIServer
from prometheus_client.registry import Collector

from canary.config import MetricsOptions
from canary.errors import ConfigError
from canary.metrics.exposition import exposed

LOG = logging.getLogger(__name__)

PATH: Final = "/metrics"
CONNECTIONS: Final = 8
BACKLOG: Final = 16  # connections that wait to be accepted
CONNECTION_LIMIT: Final = 10.0  # seconds
TEXT: Final = "text/plain; charset=utf-8"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Endpoint:
    """The server, on the address in ``options``. It serves the metrics in ``registry``."""

    def __init__(self, options: MetricsOptions, registry: Collector) -> None:
        self._options, self._registry = options, registry
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port on which it listens; 0 while it does not."""
        return (self._server and self._server.server_port) or 0

    def start(self) -> None:
        """Start to answer. Raises ConfigError if it can't listen on that address."""
        host, port = self._options.host, self._options.port
        try:
            server = _Server(_listener(host, port), self._answer)
        except OSError as error:
            raise ConfigError(
                f"[metrics] port: can't listen on {host}, port {port}: {error.strerror or error}."
                " Give each worker on a machine its own port (OS_METRICS__PORT), or set it to 0 for"
                " no metrics.",
                option="[metrics] port",
                value=str(port),
            ) from error
        server.start()
        self._server = server
        LOG.info("serving metrics on port %d of %s", self.port, host)

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.stop(timeout=0)

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        allow: list[tuple[str, str]] = []
        if environ["PATH_INFO"] != PATH:
            status, body, kind = "404 Not Found", b"metrics are at /metrics\n", TEXT
        elif environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            status, body, kind = "405 Method Not Allowed", b"only GET\n", TEXT
            allow = [("Allow", "GET, HEAD")]
        else:
            status, body, kind = self._exposed(environ.get("HTTP_ACCEPT", ""))
        length = ("Content-Length", str(len(body)))
        start_response(status, [("Content-Type", kind), length, *allow, ("Connection", "close")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _exposed(self, accept: str) -> tuple[str, bytes, str]:
        try:
            return "200 OK", *exposed(self._registry, accept)
        except Exception:
            LOG.exception("the metrics could not be collected")
            return "500 Internal Server Error", b"unexpected error; see the worker's log\n", TEXT


class _Handler(WSGIHandler):
    """gevent's handler, which does not log it as an error if a client was cut off."""

    ignored_socket_errors = (errno.EPIPE, errno.ECONNRESET, errno.EBADF)


class _Server(WSGIServer):
    """gevent's server, with limits, and with clients' errors logged at DEBUG only."""

    def __init__(self, listener: socket.socket, application: Any) -> None:
        quiet = LoggingLogAdapter(LOG, logging.DEBUG)
        super().__init__(
            listener,
            application,
            log=None,
            error_log=quiet,
            spawn=Pool(CONNECTIONS),
            handler_class=_Handler,
        )

    def handle(self, connection: socket.socket, address: Any) -> None:
        """Serve one connection, for at most ``CONNECTION_LIMIT`` seconds.

        After that, the connection is shut down. An exception in the greenlet would not end it:
        gevent's handler would take the exception for the application's own, and go on.
        """
        cutting = gevent.spawn_later(CONNECTION_LIMIT, _cut, connection)
        try:
            super().handle(connection, address)
        finally:
            cutting.kill(block=False)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _listener(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
