"""Decode payloads in turns, so that nothing else in the worker waits for them.

A payload may be built to take long, and a board may hold any number of payloads. So payloads are
decoded in steps of a few milliseconds. After ``SLICE`` seconds of steps, everything else has its
turn: the connection to ZooKeeper with its pulse, the stores, other boards. A payload that takes
longer than a slice then rests for as long as it has taken, because an answer of ZooKeeper needs
several turns of the event loop.

Promises: between two turns of the loop no more than ``SLICE`` seconds and one step are decoded,
however many boards decode. A long payload takes at most half of the time. Boards take turns, so a
board with little to decode waits for at most one slice of each other board.
"""

from collections import deque
from collections.abc import Generator
from typing import Final, TypeVar

from gevent.event import Event

from canary.clock import CLOCK, Clock

SLICE: Final = 0.005  # seconds

T = TypeVar("T")


class Turns:
    """The turns of one worker."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._is_taken = False
        self._waiting: deque[Event] = deque()
        self._spent = 0.0  # seconds since everything else had its turn

    def take(self, steps: Generator[None, None, T]) -> T:
        """Run ``steps`` to their end and return their result."""
        is_long = False
        while True:
            self._begin()
            try:
                while self._spent < SLICE:
                    begun = self._clock.elapsed()
                    try:
                        next(steps)
                    except StopIteration as done:
                        found: T = done.value
                        return found
                    finally:
                        self._spent += self._clock.elapsed() - begun
                self._clock.sleep(self._spent if is_long else 0)
                self._spent, is_long = 0.0, True
            finally:
                self._end()

    def _begin(self) -> None:
        """Wait for this board's turn; a semaphore would let new callers overtake waiting ones."""
        if not self._is_taken:
            self._is_taken = True
            return
        mine = Event()
        self._waiting.append(mine)
        try:
            mine.wait()
        except BaseException:  # the watch ends
            if mine.is_set():
                self._end()
            else:
                self._waiting.remove(mine)
            raise

    def _end(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._is_taken = False
