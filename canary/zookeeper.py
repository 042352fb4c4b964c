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
- It goes on trying to reconnect for ever, at least every ``RECONNECT_DELAY`` seconds.
- Credentials are not logged; kazoo writes them out at level DEBUG.

``wait`` gives an asynchronous call a limit and turns kazoo's errors into Canary's own. A call that
timed out may have been done all the same.
"""

import contextlib
import logging
import socket
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gevent
from gevent.socket import wait_write
from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KeeperState
from kazoo.retry import KazooRetry, RetryFailedError
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from canary.config import ZooKeeperOptions
from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable

LOG = logging.getLogger(__name__)

RECONNECT_DELAY: Final = 2.0  # seconds at most between two tries; kazoo's default grows to minutes
RECONNECT_JITTER: Final = 0.4  # of the delay, so that workers do not come back all at once


NO_ANSWER: Final = (
    ConnectionLoss,
    ConnectionClosedError,
    KazooTimeoutError,
    OperationTimeoutError,
    RetryFailedError,
    SessionExpiredError,
    SessionMovedError,
)


class _NoCredentials(logging.Filter):
    """Leaves out what kazoo logs, for debugging, of what it sends and receives.

    Its requests may hold a password, its answers are payloads: hostile, and full of secrets.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether ``record`` may be written."""
        return not record.msg.startswith(("Sending request", "Received response"))


KAZOO_LOG: Final = logging.getLogger("kazoo.client")
KAZOO_LOG.addFilter(_NoCredentials())


class Handler(SequentialGeventHandler):
    """kazoo's gevent handler, with callbacks that do not wait for each other."""

    def create_socket_pair(self) -> tuple[socket.socket, "_Wakeup"]:
        """Return the two ends by which greenlets wake the connection's; the second is written."""
        read, write = super().create_socket_pair()
        return read, _Wakeup(write)

    def dispatch_callback(self, callback: Any) -> None:
        """Run a watch callback in a greenlet of its own. They start in the order of their calls."""
        gevent.spawn(_run_callback, callback)


def _run_callback(callback: Any) -> None:
    try:
        callback.func(*callback.args)
    except Exception:
        LOG.exception("a watch callback failed")


class _Wakeup:
    """The written end of the socket pair: nobody waits for it, and no byte is lost.

    kazoo reads one byte a request, and takes an error here for the end of the connection. Where the
    pair is full, for requests of a connection that was lost leave their bytes behind, one greenlet
    writes the rest as room comes. Most calls are made by the hub, which can't wait.
    """

    def __init__(self, end: Any) -> None:
        end.setblocking(False)
        self._end = end
        self._owed = 0

    def send(self, data: bytes) -> int:
        """Write ``data``, now or as soon as there is room."""
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


class Client(KazooClient):
    """A kazoo client with a limit on requests in flight."""

    def __init__(self, *args: Any, max_in_flight: int, call_timeout: float, **kwargs: Any) -> None:
        self.call_timeout = call_timeout
        self.session_timeout: float = kwargs["timeout"]
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting: OrderedDict[str, deque[tuple[Any, Any]]] = OrderedDict()
        super().__init__(*args, **kwargs)

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
        async_object.rawlink(self._answered)
        if self.client_state == KeeperState.CONNECTING:
            async_object.set_exception(ConnectionLoss())
            return False
        return super()._call(request, async_object) is not False  # which says that it failed

    def _answered(self, _result: Any) -> None:
        """Let the next folder's first request go. Called in the hub: nothing here may wait."""
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
    """Return a client that is connecting; ``start`` waits for it, ``start_async`` does not."""
    auth = [("digest", f"{options.username}:{options.password}")] if options.username else None
    return Client(
        hosts=",".join(options.hosts),
        timeout=options.session_timeout,
        handler=Handler(),
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
        ca=options.ca_file,
        certfile=options.cert_file,
        keyfile=options.key_file,
        keyfile_password=options.key_password,
        verify_certs=options.verify,
        check_hostname=options.verify and options.verify_hostname,
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


def wait(result: Any, timeout: float) -> Any:
    """Return what an asynchronous call of kazoo answers, within ``timeout`` seconds.

    Raises ZooKeeperUnavailable, BoardMissing (NoNode), BoardDenied (NoAuth), or CanaryError for
    whatever else ZooKeeper answers.
    """
    with errors_as_ours(timeout):
        return result.get(timeout=timeout)


@contextmanager
def errors_as_ours(
    timeout: float | None = None, *, answers: tuple[type[KazooException], ...] = ()
) -> Iterator[None]:
    """Turn what kazoo raises in the ``with`` into Canary's own errors; leave ``answers`` alone."""
    try:
        yield
    except answers:
        raise
    except NoNodeError as error:
        raise BoardMissing("ZooKeeper has no such node") from error
    except NoAuthError as error:
        raise BoardDenied("the node's ACL does not let Canary do that") from error
    except AuthFailedError as error:
        raise ZooKeeperUnavailable(
            "ZooKeeper refuses the credentials: check [zookeeper] username and password"
        ) from error
    except NO_ANSWER as error:
        raise ZooKeeperUnavailable(f"ZooKeeper does not answer: {type(error).__name__}") from error
    except gevent.Timeout as error:
        limit = f" within {timeout:g} s" if timeout else ""
        raise ZooKeeperUnavailable(f"ZooKeeper does not answer{limit}") from error
    except KazooException as error:
        raise CanaryError(f"ZooKeeper answers {type(error).__name__}: {error}") from error


def ping(client: Client, timeout: float) -> None:
    """Read something, for real: kazoo may say CONNECTED long after the server froze.

    Raises ZooKeeperUnavailable where no answer comes within ``timeout`` seconds.
    """
    wait(client.exists_async("/"), timeout)
