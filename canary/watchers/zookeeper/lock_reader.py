"""Read the locks of a board's jobs, and watch each until it is changed or deleted."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kazoo.protocol.states import EventType

from canary.model.observations import LockRead, Unread
from canary.model.payload import payload
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.pipeline import Pipeline
from canary.watchers.zookeeper.znode_reader import ZnodeReader
from canary.zookeeper.stats import edition, zookeeper_time


class LockReader:
    """Reads the locks below ``path``. ``changed`` is called once for each lock that was read."""

    def __init__(
        self,
        context: WatchContext,
        path: str,
        pipeline: Pipeline,
        znodes: ZnodeReader,
        changed: Callable[[str], None],
    ) -> None:
        self._client, self._masker, self._path = context.client, context.masker, path
        self._pipeline, self._znodes, self._changed = pipeline, znodes, changed
        self._watchers: dict[str, Callable[[Any], None]] = {}  # by name, one per lock

    def close(self) -> None:
        """Stop calling ``changed``."""
        for name, watcher in self._watchers.items():
            self._client.forget(f"{self._path}/{name}", watcher)
        self._watchers.clear()

    def read(self, names: Iterable[str]) -> dict[str, LockRead | Unread]:
        """Read the locks ``names``. Raises ZooKeeperUnavailable if there is no answer."""

        def get(name: str) -> Any:
            watcher = self._watchers.setdefault(name, partial(self._on_lock, name))
            return self._client.get_async(f"{self._path}/{name}", watch=watcher)

        return dict(self._pipeline.each(names, get, self._lock))

    def _on_lock(self, name: str, event: Any) -> None:
        self._watchers.pop(name, None)
        if event.type != EventType.NONE:  # it was not lost with the connection
            self._changed(name)

    def _lock(self, name: str, answer: Any) -> LockRead | Unread:
        found = self._znodes.found(name, answer)
        if isinstance(found, Unread):
            self._watchers.pop(name, None)  # a read that fails leaves no watch
            return found
        data, stat = found
        if data is None:
            self._watchers.pop(name, None)
        owner = None if data is None else payload.owner(data, self._masker)
        made = zookeeper_time(stat.ctime)
        return LockRead(stat.czxid, made, stat.ephemeralOwner, owner, edition(stat))
