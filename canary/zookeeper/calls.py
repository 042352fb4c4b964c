"""Calls of ZooKeeper with a time limit, and kazoo's errors as Canary's own.

A call that timed out may have been done all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gevent
from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NoNodeError,
    OperationTimeoutError,
    SessionClosedRequireSaslError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import RetryFailedError

from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable
from canary.zookeeper.connect_errors import DEMANDED

NO_ANSWER: Final = (
    ConnectionLoss,
    ConnectionClosedError,
    KazooTimeoutError,
    OperationTimeoutError,
    RetryFailedError,
    SessionExpiredError,
    SessionMovedError,
)


def wait(result: Any, timeout: float) -> Any:
    """Return the result of one of kazoo's asynchronous calls, within ``timeout`` seconds.

    Raises ZooKeeperUnavailable, BoardMissing (NoNode), BoardDenied (NoAuth), or CanaryError for any
    other error that ZooKeeper returns.
    """
    with errors_as_ours(timeout):
        return result.get(timeout=timeout)


@contextmanager
def errors_as_ours(
    timeout: float | None = None, *, answers: tuple[type[KazooException], ...] = ()
) -> Iterator[None]:
    """Turn what kazoo raises in the ``with`` into Canary's errors, except ``answers``."""
    try:
        yield
    except answers:
        raise
    except NoNodeError as error:
        raise BoardMissing("ZooKeeper has no such node") from error
    except NoAuthError as error:
        raise BoardDenied(
            "the node's ACL does not let Canary do that:"
            " check it, and [zookeeper] username and password"
        ) from error
    except AuthFailedError as error:
        raise ZooKeeperUnavailable(
            "ZooKeeper refuses the credentials: check [zookeeper] username and password"
        ) from error
    except SessionClosedRequireSaslError as error:
        raise ZooKeeperUnavailable(DEMANDED) from error
    except NO_ANSWER as error:
        raise ZooKeeperUnavailable(f"ZooKeeper does not answer: {type(error).__name__}") from error
    except gevent.Timeout as error:
        limit = f" within {timeout:g} s" if timeout else ""
        raise ZooKeeperUnavailable(f"ZooKeeper does not answer{limit}") from error
    except KazooException as error:
        raise CanaryError(f"ZooKeeper returned {type(error).__name__}: {error}") from error


def ping(client: KazooClient, timeout: float) -> None:
    """Send a read to the server: kazoo may say CONNECTED long after the server froze.

    Raises ZooKeeperUnavailable if no answer comes within ``timeout`` seconds.
    """
    wait(client.exists_async("/"), timeout)
