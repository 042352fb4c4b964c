"""The one way to make a kazoo client that survives, and to call it with a limit.

What ``connect`` returns differs from a plain ``KazooClient`` under gevent in this:

- No more than ``[zookeeper] max_in_flight`` requests are with the server at one time, kazoo's own
  recipes included; the others wait their turn, one of each folder after the other, so that a board
  of 10,000 jobs does not hold up a small one. A plain client stops answering for good at about 280
  concurrent calls: it wakes its connection through a socket pair, whose buffer is full by then;
  gevent lets only one greenlet wait there and kazoo swallows the error.
- Every watch callback runs in a greenlet of its own: kazoo's recipes read inside their callbacks,
  and in kazoo's one greenlet for all of them one large board would delay every other.
- It goes on trying to reconnect for ever, at least every ``RECONNECT_DELAY`` seconds.

``wait`` gives an asynchronous call a limit and turns kazoo's errors into Canary's own. A call that
timed out may have been done all the same.
"""

import logging
import socket
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gevent
from gevent.lock import RLock
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
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from canary.config import ZooKeeperOptions
from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable

LOG = logging.getLogger(__name__)

RECONNECT_DELAY: Final = 2.0  # seconds at most between two tries; kazoo's default grows to minutes


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
    except (KazooException, KazooTimeoutError, gevent.Timeout) as error:
        # The watches of canary.watchers report their own errors; what is left is kazoo's retrying
        # recipes at a connection that is gone.
        LOG.debug("a watch callback ended with %r", error)
    except Exception:
        LOG.exception("a watch callback failed")


class _Wakeup:
    """The written end of the socket pair, used by one greenlet at a time."""

    def __init__(self, end: Any) -> None:
        self._end = end
        self._lock = RLock()

    def send(self, data: bytes) -> int:
        """Write ``data``; other greenlets wait until it is written."""
        if gevent.getcurrent() is gevent.get_hub():
            # kazoo's completions call from the hub, which cannot wait. It need not: with few
            # requests in flight the buffer has room.
            return int(self._end.send(data))
        with self._lock:
            return int(self._end.send(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)


class Client(KazooClient):
    """A kazoo client with a limit on requests in flight."""

    def __init__(self, *args: Any, max_in_flight: int, call_timeout: float, **kwargs: Any) -> None:
        self.call_timeout = call_timeout
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting: OrderedDict[str, deque[tuple[Any, Any]]] = OrderedDict()
        super().__init__(*args, **kwargs)

    @property
    def session(self) -> int | None:
        """The current session's id, as ``ephemeralOwner`` shows it; None without a connection."""
        identity = self.client_id
        return int(identity[0]) if identity and self.connected else None

    def _call(self, request: Any, async_object: Any) -> bool | None:
        if self._in_flight >= self._max_in_flight:
            folder = (getattr(request, "path", None) or "").rpartition("/")[0]
            self._waiting.setdefault(folder, deque()).append((request, async_object))
            return None
        return self._send(request, async_object)

    def _send(self, request: Any, async_object: Any) -> bool | None:
        self._in_flight += 1
        async_object.rawlink(self._answered)
        sent: bool | None = super()._call(request, async_object)
        return sent

    def _answered(self, _result: Any) -> None:
        """Let the next folder's first request go. Called in the hub: nothing here may wait."""
        self._in_flight -= 1
        if self._waiting:
            folder, requests = self._waiting.popitem(last=False)
            request, async_object = requests.popleft()
            if requests:
                self._waiting[folder] = requests  # at the end: its next turn comes after the others
            self._send(request, async_object)


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
            max_delay=RECONNECT_DELAY,
            sleep_func=gevent.sleep,
        ),
        command_retry=KazooRetry(max_tries=1, sleep_func=gevent.sleep),
        logger=logging.getLogger("kazoo.client"),
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
        raise BoardDenied("the node's ACL does not let Canary read it") from error
    except AuthFailedError as error:
        raise ZooKeeperUnavailable(
            "ZooKeeper refuses the credentials: check [zookeeper] username and password"
        ) from error
    except (
        ConnectionLoss,
        ConnectionClosedError,
        OperationTimeoutError,
        SessionExpiredError,
        SessionMovedError,
        KazooTimeoutError,
    ) as error:
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
