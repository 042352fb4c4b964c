"""kazoo's DataWatch and ChildrenWatch on one node, kept alive.

kazoo's own recipes stop without a word: a ChildrenWatch once its node is gone or may not be read,
both when their greenlet meets an error. ``NodeWatch`` builds them anew at every connection, for
every new incarnation of the node, and after any error.

Promises: after ``refresh`` has returned, whatever happens to the node, to its data or to the list
of its children calls ``wake``, or the next ``refresh`` builds the watches anew. ``wake`` may be
called without need, and once for many changes; it is called from kazoo's greenlets, so it must only
set a flag. It does not tell what happened: read the node after ``refresh``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult
from kazoo.protocol.states import EventType, KazooState, ZnodeStat
from kazoo.recipe.watchers import ChildrenWatch, DataWatch

from canary.zookeeper import Client, errors_as_ours


class _Supervised:
    """Mixed into kazoo's recipes: their errors are told, and their reconnecting is left to us."""

    _stopped: bool
    failed: Callable[[], None]
    is_current: Callable[[], bool]

    def _watcher(self, event: Any) -> None:
        if event.type == EventType.NONE:
            return  # the connection was lost, and the watch with it
        try:
            super()._watcher(event)  # type: ignore[misc]
        except Exception:
            self.failed()
            raise
        if event.type == EventType.DELETED:
            self.failed()

    def _session_watcher(self, state: str) -> bool:  # noqa: ARG002 -- kazoo's signature
        """Return whether kazoo may forget this listener."""
        return not self.is_current()

    def retire(self) -> None:
        """Call nobody any more."""
        self._stopped = True


class _Data(_Supervised, DataWatch):
    def __init__(
        self,
        client: Client,
        path: str,
        func: Any,
        failed: Callable[[], None],
        is_current: Callable[[], bool],
    ) -> None:
        self.failed, self.is_current = failed, is_current
        super().__init__(client, path, func)


class _Children(_Supervised, ChildrenWatch):
    def __init__(
        self,
        client: Client,
        path: str,
        func: Any,
        failed: Callable[[], None],
        is_current: Callable[[], bool],
    ) -> None:
        self.failed, self.is_current = failed, is_current
        super().__init__(client, path, func, allow_session_lost=False)


class NodeWatch:
    """Wakes its owner at every change of one node. Used by one greenlet."""

    def __init__(self, client: Client, path: str, wake: Callable[[], None]) -> None:
        self._client, self._path, self._wake = client, path, wake
        self._data: _Data | None = None
        self._children: _Children | None = None
        self._generation = 0
        self._stale = True
        self._incarnation: int | None = None
        client.add_listener(self._on_state)

    def refresh(self) -> None:
        """Build the watches anew if they may be dead; returns at once if they are alive.

        Raises ZooKeeperUnavailable, or BoardDenied where the node may not be read. A node that does
        not exist is watched for its creation.
        """
        while self._stale:
            self._stale = False
            self._retire()
            generation = self._generation
            supervision = partial(self._failed, generation), partial(self._is_current, generation)
            try:
                on_data = partial(self._on_data, generation)
                self._data = self._bounded(_Data, on_data, supervision)
                if self._incarnation is not None:
                    self._children = self._bounded(_Children, self._on_children, supervision)
            except BaseException:
                self._stale = True
                raise

    def close(self) -> None:
        """Stop watching."""
        self._client.remove_listener(self._on_state)
        self._retire()

    def _retire(self) -> None:
        self._generation += 1
        for watch in (self._data, self._children):
            if watch is not None:
                watch.retire()
        self._data = self._children = None
        self._incarnation = None

    def _bounded(self, recipe: Any, func: Any, supervision: tuple[Any, Any]) -> Any:
        """Make one of kazoo's recipes, which would wait for a connection for ever."""
        outcome: AsyncResult[Any] = AsyncResult()

        def make() -> None:
            try:
                outcome.set(recipe(self._client, self._path, func, *supervision))
            except Exception as error:  # noqa: BLE001 -- raised again below, whatever it is
                outcome.set_exception(error)

        greenlet = gevent.spawn(make)
        with errors_as_ours(self._client.call_timeout):
            try:
                return outcome.get(timeout=self._client.call_timeout)
            finally:
                greenlet.kill(block=False)

    def _on_state(self, state: str) -> None:
        """Called in kazoo's connection greenlet: no call of ZooKeeper from here."""
        if state == KazooState.CONNECTED:
            self._stale = True
        self._wake()

    # kazoo calls with its event as well where the function takes it, else again without: take it.
    def _on_data(
        self, generation: int, _data: bytes | None, stat: ZnodeStat | None, _event: Any
    ) -> None:
        if not self._is_current(generation):
            return
        incarnation = stat.czxid if stat else None
        if self._data is not None and incarnation != self._incarnation:
            self._stale = True  # deleted, created, or both: the watch on its children is gone
        self._incarnation = incarnation
        self._wake()

    def _on_children(self, _children: list[str]) -> None:
        self._wake()

    def _is_current(self, generation: int) -> bool:
        return generation == self._generation

    def _failed(self, generation: int) -> None:
        if self._is_current(generation):
            self._stale = True
            self._wake()
