"""kazoo's DataWatch and ChildrenWatch on one node, kept alive.

kazoo's own recipes stop silently: a ChildrenWatch once its node is gone or may not be read, and
both when their greenlet meets an error. ``NodeWatch`` builds new ones at every connection, for
every new incarnation of the node, and after any error.

Promises: after ``refresh`` has returned, every change of the node, of its data or of its list of
children calls ``wake``, or the next ``refresh`` builds new watches. ``wake`` may be called
without need, and once for many changes. It is called from kazoo's greenlets, so it must only set a
flag. It does not say what happened: read the node after ``refresh``. ``touched`` is called as soon
as ZooKeeper reports a change, ``wake`` later, when kazoo has read the node again.

One thing ends a watch without any event. If an event falls due while the node's ACL forbids
reading, ZooKeeper drops the event and the watch with it, and a change of an ACL fires no watch. So
call ``distrust`` if reading was denied, ``compare`` with the result of a read, and ``check`` while
nothing wakes.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult
from kazoo.exceptions import KazooException
from kazoo.protocol.states import EventType, KazooState, ZnodeStat
from kazoo.recipe.watchers import ChildrenWatch, DataWatch

from canary.model.observations import Condition
from canary.zookeeper import Client, errors_as_ours, wait
from canary.zookeeper.stats import condition

LOG = logging.getLogger(__name__)


class _Supervised:
    """Mixed into kazoo's recipes: they add no session listener, try once, and report errors."""

    _stopped: bool
    _path: str

    def __init__(
        self,
        client: Client,
        path: str,
        func: Any,
        touched: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        super().__init__(client, path)  # type: ignore[call-arg]
        self._func, self._touched, self._failed = func, touched, failed
        self._retry = client.retry  # DataWatch's own retries for ever

    def retire(self) -> None:
        """Stop calling anybody."""
        self._stopped = True

    def _watcher(self, event: Any) -> None:
        if event.type == EventType.NONE:
            return  # the connection was lost, and the watch with it
        self._touched()
        super()._watcher(event)  # type: ignore[misc]
        if event.type == EventType.DELETED:
            self._failed()

    def _try(self, read: Callable[[Any], None], event: Any) -> None:
        try:
            read(event)
        except KazooException as error:
            LOG.debug("a watch ended with %r", error, extra={"board": self._path})
            self._failed()
        except Exception:
            self._failed()
            raise


class _Data(_Supervised, DataWatch):
    def arm(self) -> None:
        """Begin to watch."""
        super()._get_data()

    def _get_data(self, event: Any = None) -> None:
        self._try(super()._get_data, event)


class _Children(_Supervised, ChildrenWatch):
    def arm(self) -> None:
        """Begin to watch."""
        super()._get_children()

    def _get_children(self, event: Any = None) -> None:
        self._try(super()._get_children, event)


class NodeWatch:
    """Calls ``wake`` at every change of one node. Used by one greenlet."""

    def __init__(
        self,
        client: Client,
        path: str,
        wake: Callable[[], None],
        touched: Callable[[], None] = lambda: None,
    ) -> None:
        self._client, self._path, self._wake, self._touched = client, path, wake, touched
        self._data: _Data | None = None
        self._children: _Children | None = None
        self._generation = 0
        self._stale = True
        self._incarnation: int | None = None  # of the node; None if it does not exist
        self._followed: int | None = None  # the incarnation whose children are watched
        self._built_on: Condition | None = None  # the node's when its data were read
        self._acl: int | None = None  # version of the node's ACL when the watches were built
        client.add_listener(self._on_state)

    def refresh(self) -> None:
        """Build new watches if they may be dead; return at once if they are alive.

        A node that does not exist is watched for its creation. Raises ZooKeeperUnavailable, or
        BoardDenied if the node may not be read.
        """
        while self._stale or self._incarnation != self._followed:
            self._stale = False
            self._retire()
            generation = self._generation
            told = self._touched, partial(self._failed, generation)
            try:
                data = _Data(self._client, self._path, partial(self._on_data, generation), *told)
                self._data = data
                self._bounded(data.arm)
                self._followed = self._incarnation
                if self._followed is not None:
                    children = _Children(self._client, self._path, self._on_children, *told)
                    self._children = children
                    self._bounded(children.arm)
            except BaseException:
                self._stale = True
                raise

    def check(self) -> bool:
        """Return whether a watch may have died silently; then ``refresh`` builds new ones.

        Raises what ``refresh`` raises.
        """
        try:
            stat = wait(self._client.exists_async(self._path), self._client.call_timeout)
        except BaseException:
            self._stale = True
            raise
        return not self.compare(condition(stat), at_rest=True) or self._stale

    def distrust(self) -> None:
        """Make the next ``refresh`` build new watches."""
        self._stale = True

    def compare(self, found: Condition | None, *, at_rest: bool = False) -> bool:
        """Return whether the watches are alive, judged by the condition that a read ``found``.

        If not, call ``distrust``. The ACL must be the one under which the watches were built. With
        ``at_rest``, which means that nothing has woken the owner, nothing else may have changed
        either.
        """
        is_well = self._acl == (found.aversion if found else None)
        if at_rest and found != self._built_on:
            # Perhaps everything was reported; building new watches costs less than finding out.
            is_well = False
        if not is_well:
            self.distrust()
        return is_well

    def close(self) -> None:
        """Stop watching."""
        self._client.remove_listener(self._on_state)
        self._retire()

    def _retire(self) -> None:
        self._generation += 1
        for watch in (self._data, self._children):
            if watch is not None:
                watch.retire()
                self._client.forget(self._path, watch._watcher)  # noqa: SLF001 -- kazoo has no other
        self._data = self._children = None
        self._incarnation = self._followed = self._acl = None

    def _bounded(self, arm: Callable[[], None]) -> None:
        """Arm one of kazoo's recipes, which would wait for an answer for ever."""
        outcome: AsyncResult[None] = AsyncResult()

        def run() -> None:
            try:
                arm()
                outcome.set()
            except Exception as error:  # noqa: BLE001 -- raised again below, whatever it is
                outcome.set_exception(error)

        greenlet = gevent.spawn(run)
        with errors_as_ours(self._client.call_timeout):
            try:
                outcome.get(timeout=self._client.call_timeout)
            finally:
                greenlet.kill(block=False)

    def _on_state(self, state: str) -> None:
        """Called in kazoo's connection greenlet, so it must not call ZooKeeper."""
        if state == KazooState.CONNECTED:
            self._stale = True
        self._wake()

    # kazoo passes its event if the function accepts one, and else calls again without it.
    def _on_data(
        self, generation: int, _data: bytes | None, stat: ZnodeStat | None, _event: Any
    ) -> None:
        if generation == self._generation:
            self._incarnation = stat.czxid if stat else None
            self._built_on = condition(stat)
            if self._acl is None and stat:
                self._acl = stat.aversion
            self._wake()

    def _on_children(self, _children: list[str]) -> None:
        self._wake()

    def _failed(self, generation: int) -> None:
        if generation == self._generation:
            self._stale = True
            self._wake()
