"""The workers of one installation: each an entity beside Canary's own board, as TaskFlow has them.

An entity's znode is ephemeral, so who is listed has a session. Its metadata say how many boards the
worker can watch; from these and the names each worker works out what its share is.

Promises: this worker is listed once a session, again after a lost one; a worker that has withdrawn
is not listed. Does not promise that one that is listed works: a frozen one is listed until its
session ends.
"""

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from kazoo.exceptions import NoAuthError, NoNodeError
from taskflow.types.entity import Entity

from canary.errors import BoardMissing
from canary.jobboard import WatchJobBoard
from canary.model.names import conductor_folder
from canary.watchers.node import NodeWatch
from canary.zookeeper import errors_as_ours, wait

LOG = logging.getLogger(__name__)

CAPACITY = "max_boards"  # in an entity's metadata: how many watch jobs it runs at most


class Members:
    """Who takes part in the watching, this worker among them. Used by one greenlet.

    ``changed`` is called when they may have changed; it must only set a flag.
    """

    def __init__(
        self, board: WatchJobBoard, kind: str, name: str, capacity: int, changed: Callable[[], None]
    ) -> None:
        host, pid = os.uname().nodename, os.getpid()
        metadata = {"hostname": host, "pid": pid, CAPACITY: capacity}
        self.entity = Entity(kind, f"{name}@{host}:{pid}", metadata)
        self.capacity = capacity
        self._board, self._client = board, board.client
        self._folder = conductor_folder(board.path)
        self._node = NodeWatch(self._client, self._folder, changed)
        self._session: int | None = None  # under which this worker is listed

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self.entity.name}"

    def join(self) -> bool:
        """Have this worker listed; tell whether it is.

        It is not while the znode is that of a session before, of this process or of one that had
        its number, and has to expire first. Raises ZooKeeperUnavailable.
        """
        session = self._client.session
        if session is None or session == self._session:
            return session is not None
        with self._board.limited(self._client.call_timeout):
            self._board.register_entity(self.entity)
        stat = wait(self._client.exists_async(self._path), self._client.call_timeout)
        if stat is None or stat.ephemeralOwner != session:
            return False
        self._session = session
        return True

    def withdraw(self) -> bool:
        """Have this worker listed no longer; tell whether ZooKeeper has said that it is not.

        Does not wait for the answer: call it again.
        """
        session = self._client.session
        if self._session is not None and session is not None:
            if session == self._session:
                self._client.delete_async(self._path).rawlink(self._withdrawn)
            else:
                self._session = None
        return self._session is None

    def _withdrawn(self, answer: Any) -> None:
        if answer.exception is None or isinstance(answer.exception, NoNodeError):
            self._session = None

    def capacities(self) -> dict[str, int]:
        """Return how many boards each listed worker can watch, by its name.

        Whoever else is listed there is no worker of Canary's, and passed over.
        """
        self._node.refresh()
        timeout = self._client.call_timeout
        try:
            names = wait(self._client.get_children_async(self._folder), timeout)
        except BoardMissing:
            return {}
        answers = {name: self._client.get_async(f"{self._folder}/{name}") for name in names}
        found = {}
        for name, answer in answers.items():
            try:
                with errors_as_ours(timeout, answers=(NoNodeError, NoAuthError)):
                    data, _ = answer.get(timeout=timeout)
                found[name] = _capacity(data)
            except NoNodeError:
                continue
            except (NoAuthError, ValueError, TypeError, KeyError, RecursionError) as error:
                LOG.debug("passed over: %s is no worker (%s)", json.dumps(name), error)
        return found

    def close(self) -> None:
        """Withdraw, and call ``changed`` no more."""
        self._node.close()
        self.withdraw()


def _capacity(data: bytes) -> int:
    entity: Any = json.loads(data)
    capacity = entity["metadata"][CAPACITY]
    if not isinstance(capacity, int) or capacity < 0:
        raise ValueError("it has no capacity")
    return capacity
