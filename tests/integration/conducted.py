"""A conductor in the test's own process, with watches that watch nothing."""

import time
from collections import Counter
from collections.abc import Callable

import gevent
from gevent.event import Event
from kazoo.client import KazooClient

from canary.registry.jobboard import WatchJobBoard
from canary.registry.registry import Registered
from canary.worker.claims import Claim
from canary.worker.conductor import WatchConductor
from canary.zookeeper import Client
from tests.integration.boards import post, posting


class Conducted:
    """A conductor, and what it was seen to do."""

    def __init__(
        self, client: Client, jobboard: str, max_boards: int = 100, name: str = "test"
    ) -> None:
        self.looks = 0
        self.running: list[Claim] = []
        self.claims: list[Claim] = []
        self.fails: set[str] = set()  # paths of boards whose watch fails at once
        self.take: Callable[[Claim], object] = lambda _: None  # what a watch does first
        self.tries: dict[str, list[float]] = {}  # when each board's watch was begun
        self.most: Counter[str] = Counter()  # how many of its watches ran at one time
        self.during_look: Callable[[], None] = lambda: None
        board = WatchJobBoard(name, client, jobboard)
        self.conductor = WatchConductor(name, board, self._watch, self._looked, max_boards)
        self._together: Counter[str] = Counter()
        self.greenlet = gevent.spawn(self.conductor.run)

    def boards(self) -> list[str]:
        return sorted(claim.job.path for claim in self.running)

    def _watch(self, claim: Claim, stop: Event) -> None:
        self.claims.append(claim)
        path = claim.job.path
        self.tries.setdefault(path, []).append(time.monotonic())
        self._together[path] += 1
        self.most[path] = max(self.most[path], self._together[path])
        try:
            self._watch_one(claim, stop)
        finally:
            self._together[path] -= 1

    def _watch_one(self, claim: Claim, stop: Event) -> None:
        self.take(claim)
        if claim.job.path in self.fails:
            raise RuntimeError("it fails")
        self.running.append(claim)
        try:
            stop.wait()
        finally:
            self.running.remove(claim)

    def _looked(self, _seen: Registered) -> None:
        self.looks += 1
        self.during_look()


def add(zookeeper: KazooClient, jobboard: str, *paths: str) -> list[str]:
    zookeeper.ensure_path(jobboard)
    return [post(zookeeper, jobboard, posting("watch", path=path)) for path in paths]
