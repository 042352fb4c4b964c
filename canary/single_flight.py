"""Work that is done once at a time, even if several callers ask for it: they share the result.

The name and the two methods follow Go's ``golang.org/x/sync/singleflight``.

Promises: for each key, one call is in progress at a time. Callers that come while it is in progress
get its result, or the exception that it raises. A caller that comes later starts another call.
Results are not kept.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from canary.clock import CLOCK, Clock

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs work by key. May be used from any thread or greenlet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[T]] = {}

    def do(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or what the call in progress for ``key`` returns.

        The first caller runs ``work`` itself; the others wait. Raises what the work raises.
        """
        future, is_first = self._join(key)
        if is_first:
            self._work(key, work, future)
        return future.result()

    def begin(self, key: Hashable, work: Callable[[], T]) -> "Future[T]":
        """Return the future of the result at once.

        If no call for ``key`` is in progress, ``work`` is started in a thread of its own.
        """
        future, is_first = self._join(key)
        if is_first:
            threading.Thread(
                target=self._work, args=(key, work, future), name=f"{key}", daemon=True
            ).start()
        return future

    def _join(self, key: Hashable) -> "tuple[Future[T], bool]":
        with self._lock:
            future = self._under_way.get(key)
            is_first = future is None
            if future is None:
                future = self._under_way[key] = Future()
            return future, is_first

    def _work(self, key: Hashable, work: Callable[[], T], future: "Future[T]") -> None:
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 -- it is raised for everyone who waits
            self._end(key)
            future.set_exception(error)
        else:
            self._end(key)
            future.set_result(answer)

    def _end(self, key: Hashable) -> None:
        with self._lock:
            del self._under_way[key]


def result_within(seconds: float, future: "Future[T]", clock: Clock = CLOCK) -> T:
    """Return the result of a call in progress, or raise the exception that it raises.

    Raises TimeoutError if the call takes longer than ``seconds``; it continues.
    """
    is_over = threading.Event()
    future.add_done_callback(lambda _: is_over.set())
    if not clock.wait(is_over, seconds):
        raise TimeoutError
    return future.result()
