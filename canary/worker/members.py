"""The workers of one installation: each is a TaskFlow entity beside Canary's own board.

An entity's znode is ephemeral, so every listed worker has a session. Its metadata contain the
number of boards that the worker can watch. From the names and these numbers, each worker computes
its share.

Promises: this worker is listed once per session. After a lost session, it is listed again. A worker
that has withdrawn is not listed. Does not promise that a listed worker works: a frozen one is
listed until its session ends.
"""

import json
import logging
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kazoo.exceptions import NoAuthError, NoNodeError
from taskflow.types.entity import Entity

from canary.clock import now
from canary.errors import BoardMissing
from canary.model.names import conductor_folder
from canary.registry.jobboard import WatchJobBoard
from canary.zookeeper import errors_as_ours, wait
from canary.zookeeper.node_watch import NodeWatch
from canary.zookeeper.stats import zookeeper_time

LOG = logging.getLogger(__name__)

CAPACITY = "max_boards"  # in an entity's metadata: the maximum of watch jobs that it runs


class Members:
    """The workers that share the boards, this one among them. Used by one greenlet.

    ``changed`` is called when the workers may have changed; it must only set a flag.
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
        """Register this worker; return whether it is listed.

        It is not listed if the znode belongs to an earlier session, which has to expire first: of
        this process, or of another one with the same pid. Raises ZooKeeperUnavailable.
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

    def ask_time(self) -> tuple[datetime, datetime, datetime] | None:
        """Return ZooKeeper's time, and the two moments between which it was read.

        ZooKeeper gives its time only to what is written, so this writes the worker's own znode
        again, unchanged. Returns None while it is not listed. Raises ZooKeeperUnavailable.
        """
        timeout = self._client.call_timeout
        if self._session is None or self._session != self._client.session:
            return None
        try:
            with errors_as_ours(timeout, answers=(NoNodeError,)):
                data, _ = self._client.get_async(self._path).get(timeout=timeout)
                sent = now()
                stat = self._client.set_async(self._path, data).get(timeout=timeout)
        except NoNodeError:
            return None
        return zookeeper_time(stat.mtime), sent, now()

    def withdraw(self) -> bool:
        """Withdraw this worker; return whether ZooKeeper has confirmed that it is not listed.

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

        Entities that are not Canary's workers are skipped.
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
                LOG.debug("ignored: %s is not a worker (%s)", json.dumps(name), error)
        return found

    def close(self) -> None:
        """Withdraw, and stop calling ``changed``."""
        self._node.close()
        self.withdraw()


def _capacity(data: bytes) -> int:
    entity: Any = json.loads(data)
    capacity = entity["metadata"][CAPACITY]
    if not isinstance(capacity, int) or capacity < 0:
        raise ValueError("it has no capacity")
    return capacity
