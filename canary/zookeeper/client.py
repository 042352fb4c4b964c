"""The one way to make a kazoo client that survives, and to call it with a limit.

What ``connect`` returns differs from a plain ``KazooClient`` under gevent in this:

- No more than ``[zookeeper] max_in_flight`` requests are with the server at one time, kazoo's own
  recipes included; the others wait their turn, one of each folder after the other, so that a board
  of 10,000 jobs does not hold up a small one. A plain client stops answering for good at about 280
  concurrent calls: it wakes its connection through a socket pair, whose buffer is full by then;
  gevent lets only one greenlet wait there and kazoo swallows the error.
- Every watch callback runs in a greenlet of its own: kazoo's recipes read inside their callbacks,
  and in kazoo's one greenlet for all of them one large board would delay every other.
- While the connection is lost every call fails at once. A plain client keeps it for later, and so a
  queue that grows with the outage, most of it for callers that have given up.
- It goes on trying to reconnect for ever, at least every ``RECONNECT_DELAY`` seconds; also to an
  ensemble that was rebuilt or restored, which would refuse a plain client for ever.
- Credentials are not logged; kazoo writes them out at level DEBUG.
"""

import contextlib
import logging
import socket
from collections import OrderedDict, deque
from functools import partial
from typing import Any, Final

import gevent
from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionDropped, ConnectionLoss, KazooException
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from canary import tls
from canary.clock import elapsed
from canary.config import ZooKeeperOptions
from canary.zookeeper.calls import NO_ANSWER
from canary.zookeeper.handler import Handler
from canary.zookeeper.trouble import why

LOG = logging.getLogger(__name__)

RECONNECT_DELAY: Final = 2.0  # seconds at most between two tries; kazoo's default grows to minutes
KAZOO_READ_TIMEOUT: Final = 2 / 3  # of the session timeout: after so long kazoo gives a server up
RECONNECT_JITTER: Final = 0.4  # of the delay, so that workers do not come back all at once


class _NoCredentials(logging.Filter):
    """Leaves out what kazoo logs, for debugging, of what it sends and receives.

    Its requests may hold a password, its answers are payloads: hostile, and full of secrets.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether ``record`` may be written."""
        return not record.msg.startswith(("Sending request", "Received response"))


KAZOO_LOG: Final = logging.getLogger("kazoo.client")
KAZOO_LOG.addFilter(_NoCredentials())


class Client(KazooClient):
    """A kazoo client with a limit on requests in flight."""

    def __init__(self, *args: Any, max_in_flight: int, call_timeout: float, **kwargs: Any) -> None:
        self.call_timeout = call_timeout
        self.session_timeout: float = kwargs["timeout"]  # once connected, what the server grants
        self.heard = elapsed()  # when the last call that was answered had been sent
        self.trouble: str | None = None  # why the last try to connect failed, if it did
        self.connections = 0  # so far: the first one, and one for every time that it was lost
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting: OrderedDict[str, deque[tuple[Any, Any]]] = OrderedDict()
        super().__init__(*args, **kwargs)
        connection = self._connection
        connection._connect = partial(self._connected, connection._connect)  # noqa: SLF001
        self.add_listener(self._on_state)

    @property
    def session(self) -> int | None:
        """The current session's id, as ``ephemeralOwner`` shows it; None without a connection."""
        identity = self.client_id
        return int(identity[0]) if identity and self.connected else None

    @property
    def is_dead(self) -> bool:
        """Whether kazoo's connection has ended by itself, and will never be made again."""
        return self._connection.connection_stopped.is_set() and not self._stopped.is_set()

    def revive(self) -> None:
        """Begin again where kazoo has given up: an answer that it can't read ends it for good."""
        if self.is_dead:
            LOG.error("kazoo has given the connection to ZooKeeper up; a new one is made")
            self.start_async()

    def drop(self) -> None:
        """Drop the connection for another to be made, to another server where there are several.

        kazoo itself does not notice that a server is silent while it has something to send to it.
        """
        connected = self._connection._socket  # noqa: SLF001 -- kazoo has no other way
        if connected is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def forget(self, path: str, watcher: Any) -> None:
        """Call ``watcher`` for ``path`` no more. The server keeps its watch until it fires."""
        for watchers in (self._data_watchers, self._child_watchers):
            if path in watchers:
                watchers[path].discard(watcher)

    def _call(self, request: Any, async_object: Any) -> bool:
        if self._in_flight >= self._max_in_flight:
            self._waiting.setdefault(_folder(request), deque()).append((request, async_object))
            return True
        return self._send(request, async_object)

    def _send(self, request: Any, async_object: Any) -> bool:
        self._in_flight += 1
        async_object.rawlink(partial(self._answered, elapsed()))
        if self.client_state == KeeperState.CONNECTING:
            async_object.set_exception(ConnectionLoss())
            return False
        return super()._call(request, async_object) is not False  # which says that it failed

    def _connected(self, connect: Any, host: str, address: str, port: int) -> tuple[float, float]:
        """Connect, and note what kazoo keeps to itself: why it fails, what timeout is granted."""
        try:
            read_timeout, connect_timeout = connect(host, address, port)
        except (KazooException, gevent.Timeout) as error:
            self.trouble = why(error, f"{host}:{port}", by_tls=self.use_ssl)
            if isinstance(error, ConnectionDropped) and self._is_over():
                # A server hangs up on who has seen a later zxid than it has. Once the session is
                # over nothing depends on that any more, and an ensemble that was rebuilt or
                # restored, which may not come to that zxid in years, would refuse it for ever.
                self.last_zxid = 0
            raise
        self.trouble = None
        self.session_timeout = read_timeout / KAZOO_READ_TIMEOUT / 1000
        return read_timeout, connect_timeout

    def _is_over(self) -> bool:
        """Tell whether the session must be over by now, by this process's own clock."""
        return elapsed() - self.heard >= self.session_timeout

    def _on_state(self, state: str) -> None:
        if state == KazooState.CONNECTED:
            self.heard = elapsed()
            self.connections += 1

    def _answered(self, sent: float, result: Any) -> None:
        """Let the next folder's first request go. Called in the hub: nothing here may wait."""
        if not isinstance(result.exception, NO_ANSWER):
            self.heard = max(self.heard, sent)
        self._in_flight -= 1
        if self._waiting:
            folder, requests = self._waiting.popitem(last=False)
            request, async_object = requests.popleft()
            if requests:
                self._waiting[folder] = requests  # at the end: its next turn comes after the others
            self._send(request, async_object)


def _folder(request: Any) -> str:
    """Return the parent of the node that a request is about: of a transaction, of its first one.

    Requests of one folder keep their order, so that a lock that a transaction makes is there for a
    read that was called after it.
    """
    operations = getattr(request, "operations", None)
    path = getattr(operations[0] if operations else request, "path", None)
    return (path or "").rpartition("/")[0]


def connect(options: ZooKeeperOptions) -> Client:
    """Return a client that is connecting; ``start`` waits for it, ``start_async`` does not.

    Raises ConfigError where a file that TLS needs can't be used.
    """
    auth = [("digest", f"{options.username}:{options.password}")] if options.username else None
    return Client(
        hosts=",".join(options.hosts),
        timeout=options.session_timeout,
        handler=Handler(tls.of_zookeeper(options)),
        auth_data=auth,
        default_acl=CREATOR_ALL_ACL if auth else OPEN_ACL_UNSAFE,
        connection_retry=KazooRetry(
            max_tries=-1,
            delay=0.1,
            backoff=2,
            max_jitter=RECONNECT_JITTER,
            max_delay=RECONNECT_DELAY / (1 + RECONNECT_JITTER),
            sleep_func=gevent.sleep,
        ),
        command_retry=KazooRetry(max_tries=1, sleep_func=gevent.sleep),
        logger=KAZOO_LOG,
        use_ssl=options.use_tls,
        max_in_flight=options.max_in_flight,
        call_timeout=options.call_timeout,
    )


def disconnect(client: Client, timeout: float) -> None:
    """End the session, and what it holds with it, or after ``timeout`` seconds leave it to expire.

    kazoo's own ``stop`` waits for a server that does not answer, for ten seconds and more.
    """
    stopping = gevent.spawn(_stop, client)
    stopping.join(timeout)
    if not stopping.dead:
        LOG.warning("ZooKeeper does not answer; the session is left to expire")


def _stop(client: Client) -> None:
    try:
        client.stop()
        client.close()
    except Exception:
        LOG.exception("the connection to ZooKeeper was not closed")
