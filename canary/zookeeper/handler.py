"""kazoo's gevent handler, made fit for many calls and slow callbacks.

A plain handler stops for good at about 280 concurrent calls: it wakes its connection through a
socket pair, whose buffer is full by then; gevent lets only one greenlet wait there, and kazoo
swallows the error.
"""

import contextlib
import logging
import select
import socket
import ssl
from typing import Any, Final

import gevent
from gevent import monkey
from gevent.socket import wait_write
from kazoo.handlers.gevent import SequentialGeventHandler

CONNECT_TIMEOUT: Final = 2.0  # seconds for TCP, and for each step of TLS

LOG = logging.getLogger(__name__)

_poll = monkey.get_original("select", "poll")  # gevent's own asks its event loop


class Handler(SequentialGeventHandler):
    """kazoo's gevent handler, with concurrent callbacks and Canary's TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._tls = tls

    def create_socket_pair(self) -> tuple[socket.socket, "_Wakeup"]:
        """Return the socket pair that wakes the connection; the second end is written."""
        read, write = super().create_socket_pair()
        return read, _Wakeup(write)

    def create_connection(
        self,
        address: tuple[str, int],
        hostname: str | None = None,
        timeout: float = CONNECT_TIMEOUT,
        **_: Any,
    ) -> socket.socket:
        """Connect. A host that is down must not use up the time that a session has left.

        kazoo's own method leaves the socket open if TLS fails, and trusts the system's authorities
        beside those that it is given.
        """
        connected = socket.create_connection(address, min(timeout, CONNECT_TIMEOUT))
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connected = self._tls.wrap_socket(
                    connected, server_hostname=hostname, do_handshake_on_connect=False
                )
                connected.do_handshake()
        except BaseException:
            connected.close()
            raise
        return connected

    def select(self, readers: Any, writers: Any, errors: Any, timeout: Any = None) -> Any:
        """Wait for sockets; what TLS has already decrypted can be read at once.

        In the middle of a packet kazoo waits for one socket alone, which is mostly ready already.
        Between two packets kazoo waits for both of its sockets; other greenlets run then.
        """
        if len(readers) + len(writers) == 1 and _is_ready(*readers, *writers, write=bool(writers)):
            return readers, writers, []
        decrypted = [each for each in readers if isinstance(each, ssl.SSLSocket) and each.pending()]
        if not decrypted:
            return super().select(readers, writers, errors, timeout)
        others = [each for each in readers if each not in decrypted]
        found, writable, wrong = super().select(others, writers, errors, 0)
        return decrypted + list(found), writable, wrong

    def dispatch_callback(self, callback: Any) -> None:
        """Run a watch callback in a greenlet of its own; these start in the order of calls."""
        gevent.spawn(_run_callback, callback)


def _is_ready(end: socket.socket, *, write: bool) -> bool:
    """Return whether a socket can be read, or written, without waiting, or has an error."""
    if end.fileno() < 0:  # closed; kazoo's own select reports that
        return False
    now = _poll()
    now.register(end, select.POLLOUT if write else select.POLLIN)
    return bool(now.poll(0))


def _run_callback(callback: Any) -> None:
    try:
        callback.func(*callback.args)
    except Exception:
        LOG.exception("a watch callback failed")


class _Wakeup:
    """The written end of the socket pair: no greenlet waits for it, and no byte is lost.

    kazoo reads one byte per request, and treats an error here as the end of the connection. The
    pair may be full, because requests of a lost connection leave their bytes behind. Then one
    greenlet writes the rest when there is room. Most calls are made by the hub, which can't wait.
    """

    def __init__(self, end: Any) -> None:
        end.setblocking(False)
        self._end = end
        self._owed = 0

    def send(self, data: bytes) -> int:
        """Write ``data``, now or as soon as there is room. Returns its length."""
        if self._owed == 0:
            try:
                return int(self._end.send(data))
            except BlockingIOError:
                gevent.spawn(self._pay)
        self._owed += len(data)
        return len(data)

    def _pay(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            while self._owed:
                wait_write(self._end.fileno())
                self._end.send(b"\0")
                self._owed -= 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)
