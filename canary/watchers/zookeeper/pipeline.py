"""Pipelined requests to ZooKeeper, within what a worker may hold in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import gevent

from canary.watchers.budget import Budget

T = TypeVar("T")


class Pipeline:
    """The pipeline of one board. All boards of a worker share ``budget``."""

    def __init__(self, budget: Budget) -> None:
        self._permits = budget.answers

    def each(
        self,
        names: Iterable[str],
        ask: Callable[[str], Any],
        decode: Callable[[str, Any], T],
        is_enough: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, T]]:
        """Yield each of ``names`` and its decoded answer, in order, until ``is_enough``.

        ``ask`` sends the request for a name, ``decode`` awaits and decodes its answer. Each answer
        is released as soon as it is decoded, because it may be large.
        """
        asked: deque[tuple[str, Any]] = deque()
        try:
            for name in names:
                # While it waits for others to decode, a board holds no permit that they may wait
                # for.
                while not self._permits.acquire(blocking=not asked):
                    yield self._oldest(asked, decode)
                asked.append((name, None))
                if is_enough():
                    self._permits.release()
                    asked.pop()
                    break
                asked[-1] = (name, ask(name))
            while asked:
                yield self._oldest(asked, decode)
        finally:
            for _ in asked:
                self._permits.release()

    def _oldest(
        self, asked: deque[tuple[str, Any]], decode: Callable[[str, Any], T]
    ) -> tuple[str, T]:
        name, answer = asked.popleft()
        try:
            return name, decode(name, answer)
        finally:
            self._permits.release()
            if self._permits.linkcount():
                gevent.sleep(0)  # another board is waiting for a permit
