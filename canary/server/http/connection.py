"""A client's connection: a socket for gunicorn's worker, with limits for clients that do not read.

Promises: `sendall` continues as long as the client takes data, however slowly. It raises
ConnectionResetError once the client has taken nothing for as many seconds as `set_patience` set.
Data counts as taken when the client's TCP acknowledges it, because that shows progress of a slow
client even while the send buffer has no room.
"""

import contextlib
import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, Final

from canary.clock import CLOCK, Clock

SEND_LIMIT: Final = 20.0  # seconds in which a client takes nothing of its response
LOOK: Final = 0.5  # seconds between two checks whether it did
VANISHED: Final = 60.0  # seconds without an acknowledgement by TCP, after which streams end, too
AHEAD: Final = (
    2**17
)  # unsent bytes in the kernel: the memory that a client costs that does not read
PIECE: Final = 2**16  # bytes
PEEKED: Final = 2**14  # bytes

_NO_LINGER: Final = struct.pack("ii", 1, 0)  # close with a reset, and discard unsent data


class Connection:
    """A client's connection. All other attributes are those of the socket."""

    def __init__(self, sock: Any, address: str, clock: Clock = CLOCK) -> None:
        self._socket, self._clock = sock, clock
        self.address = address
        #: Whether the client signed in with its last request.
        self.is_known = False
        #: Whether the last request was refused because of the client's earlier requests.
        self.is_refused = False
        self._request: Any = None
        self._patience = SEND_LIMIT
        self._at_end: list[Callable[[], None]] = []
        with contextlib.suppress(OSError):  # a system may lack these options
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, AHEAD)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(VANISHED * 1000))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def begin(self, request: Any) -> None:
        """Begin the response to a request."""
        self._request, self._patience = request, SEND_LIMIT
        self.is_known = self.is_refused = False

    def at_end(self, call: Callable[[], None]) -> None:
        """Register ``call`` to be called when the current response is over."""
        self._at_end.append(call)

    def end(self) -> None:
        """End the current response: call what `at_end` registered."""
        calls, self._at_end = self._at_end, []
        for call in calls:
            call()

    def refuse(self) -> None:
        """Make the current response the last one of this connection, with no patience.

        If the client has not taken the responses before, `sendall` does not wait for it.
        """
        self.is_refused = True
        self._patience = 0.0
        if self._request is not None:
            self._request.force_close()

    def set_patience(self, seconds: float) -> None:
        """Set how many seconds the client may take nothing of the current response."""
        self._patience = seconds

    def peek(self) -> bytes:
        """Return up to ``PEEKED`` received bytes without consuming them and without blocking."""
        try:
            return self._raw.recv(PEEKED, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def end_with(self, answer: bytes) -> None:
        """Send ``answer`` and end the connection, without blocking."""
        with contextlib.suppress(OSError):
            self._raw.recv(PIECE, socket.MSG_DONTWAIT)  # unread data would reset the connection
            self._raw.send(answer, socket.MSG_DONTWAIT)
            self._raw.shutdown(socket.SHUT_WR)
            self._raw.recv(PIECE, socket.MSG_DONTWAIT)

    @property
    def _raw(self) -> socket.socket:
        # Not gevent's socket, which blocks, and raises in a greenlet that reads a closed socket.
        return getattr(self._socket, "_sock", self._socket)  # type: ignore[no-any-return]

    def cut(self) -> None:
        """End the connection now, even if a greenlet waits for it; unsent data is discarded."""
        with contextlib.suppress(OSError):
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._raw.shutdown(socket.SHUT_RDWR)

    def sendall(self, data: Any, _flags: int = 0) -> None:
        """Send all of ``data``. Raises ConnectionResetError if the client takes nothing."""
        left = memoryview(data).cast("B")
        heard, unread = self._clock.elapsed(), None
        self._socket.settimeout(LOOK)
        try:
            while left:
                sent = self._send(left[:PIECE])
                left = left[sent:]
                before, unread = unread, self._unread()
                now = self._clock.elapsed()
                if sent or (before is not None and unread is not None and unread < before):
                    heard = now
                elif now - heard >= self._patience:
                    self.cut()
                    raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        finally:
            self._socket.settimeout(None)

    def has_much_unread(self) -> bool:
        """Return whether the client has not taken what was sent to it before a refusal."""
        unread = self._unread()
        return unread is not None and unread > PIECE

    def _send(self, data: memoryview) -> int:
        try:
            return int(self._socket.send(data))
        except TimeoutError:
            return 0

    def _unread(self) -> int | None:
        """Return the number of sent bytes without an acknowledgement by TCP; None if unknown."""
        try:
            answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        except OSError:
            return None
        return int(struct.unpack("i", answer)[0])
