"""The only place that makes a kazoo client: one that survives, and whose calls have a limit.

The client differs from a plain ``KazooClient`` under gevent in this:

- No more than ``[zookeeper] max_in_flight`` requests are with the server at one time, those of
  kazoo's own recipes included. The others wait. Folders take turns, so a board of 10,000 jobs does
  not hold up a small one. A plain client stops answering for good at about 280 concurrent calls:
  it wakes its connection through a socket pair, whose buffer is full by then; gevent lets only one
  greenlet wait there, and kazoo swallows the error.
- Every watch callback runs in a greenlet of its own. kazoo's recipes read inside their callbacks,
  and in kazoo's one greenlet for all of them one large board would delay every other.
- While the connection is lost, every call fails at once. A plain client keeps calls for later, in a
  queue that grows with the outage, most of it for callers that have given up.
- It tries to reconnect for ever, at least every ``RECONNECT_DELAY`` seconds. That includes an
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
from kazoo.exceptions import (
    ConnectionDropped,
    ConnectionLoss,
    KazooException,
    SessionClosedRequireSaslError,
)
from kazoo.protocol.states import Callback, EventType, KazooState, KeeperState, WatchedEvent
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from canary.clock import CLOCK, Clock
from canary.config import ZooKeeperOptions, tls
from canary.zookeeper.calls import NO_ANSWER
from canary.zookeeper.connect_errors import DEMANDED, full, is_unexplained, why
from canary.zookeeper.fullness import Fullness
from canary.zookeeper.handler import Handler

LOG = logging.getLogger(__name__)

RECONNECT_DELAY: Final = 2.0  # seconds at most between two tries; kazoo's default grows to minutes
REFUSED_DELAY: Final = 10.0  # seconds at most between two tries if the server demands credentials
KAZOO_READ_TIMEOUT: Final = 2 / 3  # of the session timeout; then kazoo gives a server up
RECONNECT_JITTER: Final = 0.4  # share of the delay, so that workers do not reconnect all at once


class _NoCredentials(logging.Filter):
    """Drops kazoo's debug messages about what it sends and receives.

    Its requests may contain a password. Its answers contain payloads: hostile, and full of secrets.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` may be logged."""
        return not record.msg.startswith(("Sending request", "Received response"))


KAZOO_LOG: Final = logging.getLogger("kazoo.client")
KAZOO_LOG.addFilter(_NoCredentials())


def refused_delay(refusals: int) -> float:
    """Return the seconds to wait before the next try, after so many refused sessions."""
    delay = RECONNECT_DELAY
    for _ in range(1, refusals):
        if delay >= REFUSED_DELAY:
            break
        delay *= 2
    return min(delay, REFUSED_DELAY)


class Client(KazooClient):
    """A kazoo client with a limit on requests in flight."""

    def __init__(
        self,
        *args: Any,
        max_in_flight: int,
        call_timeout: float,
        clock: Clock = CLOCK,
        **kwargs: Any,
    ) -> None:
        self.call_timeout, self._clock = call_timeout, clock
        self.session_timeout: float = kwargs["timeout"]  # s; once connected, what the server grants
        self.heard = clock.elapsed()  # when the last call that was answered had been sent
        self.trouble: str | None = None  # why the last try to connect failed, if it did
        self.connections = 0  # so far: the first one, and one after each loss
        self._fullness = Fullness()
        self._refusals = 0  # sessions in a row that were ended for lack of authentication
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting: OrderedDict[str, deque[tuple[Any, Any]]] = OrderedDict()
        super().__init__(*args, **kwargs)
        connection = self._connection
        connection._connect = partial(self._connected, connection._connect)  # noqa: SLF001
        self.add_listener(self._on_state)

    @property
    def session(self) -> int | None:
        """The current session's id, as in ``ephemeralOwner``; None without a connection."""
        identity = self.client_id
        return int(identity[0]) if identity and self.connected else None

    @property
    def is_dead(self) -> bool:
        """Whether kazoo's connection has ended by itself and will never be made again."""
        return self._connection.connection_stopped.is_set() and not self._stopped.is_set()

    def revive(self) -> None:
        """Start again if kazoo has given up: an answer that it can't read ends it for good."""
        if self.is_dead:
            LOG.error("kazoo gave up the connection to ZooKeeper; making a new one")
            self.start_async()

    def drop(self) -> None:
        """Drop the connection; kazoo makes a new one, to another server if there are several.

        kazoo itself does not notice that a server is silent while it has something to send to it.
        """
        connected = self._connection._socket  # noqa: SLF001 -- kazoo has no other way
        if connected is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def forget(self, path: str, watcher: Any) -> None:
        """Stop calling ``watcher`` for ``path``. The server keeps its watch until that fires."""
        for watchers in (self._data_watchers, self._child_watchers):
            if path in watchers:
                watchers[path].discard(watcher)

    def _reset_watchers(self) -> None:
        """Report to each watcher once that its watches are lost; kazoo reports each watch."""
        lost = set[Any]()
        for watchers in (self._data_watchers, self._child_watchers):
            lost.update(*watchers.values())
            watchers.clear()
        event = WatchedEvent(EventType.NONE, self._state, None)
        for watcher in lost:
            self.handler.dispatch_callback(Callback("watch", watcher, (event,)))

    def _call(self, request: Any, async_object: Any) -> bool:
        if self._in_flight >= self._max_in_flight:
            self._waiting.setdefault(_folder(request), deque()).append((request, async_object))
            return True
        return self._send(request, async_object)

    def _send(self, request: Any, async_object: Any) -> bool:
        self._in_flight += 1
        async_object.rawlink(partial(self._answered, self._clock.elapsed()))
        if self.client_state == KeeperState.CONNECTING:
            async_object.set_exception(ConnectionLoss())
            return False
        return super()._call(request, async_object) is not False  # False if it failed

    def _connected(self, connect: Any, host: str, address: str, port: int) -> tuple[float, float]:
        """Connect; keep what kazoo does not: why it fails, and which timeout is granted."""
        if self._refusals:
            # Each connection succeeds and is ended at its first request, for which kazoo does not
            # wait: without a pause that would go on a hundred times a second.
            # Not the clock's sleep: `canary doctor` connects without gevent's patches, and that
            # would hold up its event loop.
            self.handler.sleep_func(refused_delay(self._refusals))
        try:
            read_timeout, connect_timeout = connect(host, address, port)
        except (KazooException, gevent.Timeout) as error:
            server = f"{host}:{port}"
            if is_unexplained(error) and self._fullness.of(address, port):
                self.trouble = full(server)
            else:
                self.trouble = why(error, server, by_tls=self.use_ssl)
            if isinstance(error, ConnectionDropped) and self._is_over():
                # A server refuses a client that has seen a later zxid than it has. Once the session
                # is over, nothing depends on that zxid any more. An ensemble that was rebuilt or
                # restored may not reach it in years and would refuse the client for ever.
                self.last_zxid = 0
            raise
        if not self._refusals:
            self.trouble = None
        self.session_timeout = read_timeout / KAZOO_READ_TIMEOUT / 1000
        return read_timeout, connect_timeout

    def _is_over(self) -> bool:
        """Return whether the session must be over by now, by this process's own clock."""
        return self._clock.elapsed() - self.heard >= self.session_timeout

    def _on_state(self, state: str) -> None:
        if state == KazooState.CONNECTED:
            if not self._refusals:  # a session that is about to be ended is no answer
                self.heard = self._clock.elapsed()
            self.connections += 1

    def _answered(self, sent: float, result: Any) -> None:
        """Send the next folder's first request. Called in the hub, so nothing here may wait."""
        if isinstance(result.exception, SessionClosedRequireSaslError):
            self.trouble, self._refusals = DEMANDED, self._refusals + 1
        elif not isinstance(result.exception, NO_ANSWER):
            self.heard = max(self.heard, sent)
            if self._refusals:
                self.trouble, self._refusals = None, 0
        self._in_flight -= 1
        if self._waiting:
            folder, requests = self._waiting.popitem(last=False)
            request, async_object = requests.popleft()
            if requests:
                self._waiting[folder] = requests  # at the end: the other folders come first
            self._send(request, async_object)


def _folder(request: Any) -> str:
    """Return the parent of the request's node; for a transaction, of its first operation's node.

    Requests of one folder keep their order, so a read that is called after a transaction sees the
    lock that the transaction created.
    """
    operations = getattr(request, "operations", None)
    path = getattr(operations[0] if operations else request, "path", None)
    return (path or "").rpartition("/")[0]


def connect(options: ZooKeeperOptions, clock: Clock = CLOCK) -> Client:
    """Return a client. Its ``start`` connects and waits; ``start_async`` does not wait.

    Raises ConfigError if a file that TLS needs can't be used.
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
        clock=clock,
    )


def disconnect(client: Client, timeout: float) -> None:
    """End the session with its ephemeral znodes, or leave it to expire after ``timeout`` seconds.

    kazoo's own ``stop`` waits ten seconds and more for a server that does not answer.
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
