"""canary-worker with one of its mechanisms switched off, for the suite to notice.

    python -m tests.faults.broken MECHANISM …

Three switch nothing off: ``clock_ahead`` and ``clock_behind`` set the machine's clock an hour off,
for this process, before it has read it for the first time; ``little_room`` lets no more than a few
changes wait for MongoDB.
"""

# ruff: noqa: E402 -- gevent first; and this is surgery
from gevent import monkey

monkey.patch_all()

import sys
import time
from typing import Final

LITTLE_ROOM: Final = 100  # changes
CLOCKS: Final = {"clock_ahead": 3600.0, "clock_behind": -3600.0}  # seconds


def set_clock(seconds: float) -> None:
    """Set the clock so far off."""
    real = time.time
    time.time = lambda: real() + seconds


if __name__ == "__main__":
    for name in CLOCKS.keys() & sys.argv[1:]:
        set_clock(CLOCKS[name])

import math
from collections.abc import Callable
from typing import Any

from canary.errors import StoreError, StoreUnavailable
from canary.stores.writing import board_writer, take
from canary.stores.writing.change_log import entries
from canary.stores.writing.fence import Fence, Moved
from canary.watchers import outbox, reconciler
from canary.watchers.zookeeper import board_watch
from canary.worker import main
from canary.zookeeper import node_watch, pulse


def fence() -> None:
    """Let whoever thinks that it has a board write it."""
    original = take.LiveStore.take

    def taken(self: Any, path: str, epoch: int, _is_mine: Any, now: Any, **more: Any) -> Any:
        taken = original(self, path, epoch, lambda: True, now, **more)
        taken._fence.mine = {"_id": path}
        return taken

    take.LiveStore.take = taken  # type: ignore

    def catch_up(self: Any) -> None:
        found = self._boards.find_one({"_id": self.path})
        if found is None:
            raise StoreUnavailable(f"{self.path}: there is no such document any more")
        self._known = int(found["writes"])
        self._last = max(self._last, self._known)

    Fence.catch_up = catch_up  # type: ignore
    Fence.check = lambda *_: None  # type: ignore
    once = board_writer.LiveBoard._write_once

    def written(self: Any, part: Any, _made: Any, *words: Any) -> None:
        while True:
            found = self._database.boards.find_one({"_id": self.path})
            self.revision = int(found["revision"])
            numbered = enumerate(part.changes, self.revision + 1)
            made = entries(self.path, self.epoch, numbered, self._histories)
            try:
                return once(self, part, made, *words)
            except Moved:
                self._fence.catch_up()

    board_writer.LiveBoard._write_once = written  # type: ignore


def relist() -> None:
    """Go on with the watches that a lost connection took away."""
    node_watch.NodeWatch._on_state = lambda *_: None  # type: ignore
    node_watch.NodeWatch.check = lambda *_: False  # type: ignore
    board_watch.BoardWatch._on_state = lambda *_: None  # type: ignore
    board_watch.BoardWatch._on_contact = lambda *_: None  # type: ignore

    reconciler.Reconciler.left = lambda *_: math.inf  # type: ignore


def own_clock() -> None:
    """Believe kazoo."""
    pulse.Pulse._judge = lambda *_: None  # type: ignore


def all_clocks() -> None:
    """Notice neither by Canary's own clock nor by kazoo's that a session is over."""
    own_clock()
    board_watch.BoardWatch._on_state = lambda *_: None  # type: ignore


def retry() -> None:
    """Give a write one try."""
    write = outbox.Outbox._write

    def once(self: Any) -> None:
        try:
            write(self)
        except StoreError:
            self._board._pending.clear()
            self._finished()

    outbox.Outbox._write = once  # type: ignore


def back_pressure() -> None:
    """Never stop reading, however much waits for the store."""
    outbox.Outbox.is_full = lambda *_: False  # type: ignore


def little_room() -> None:
    """Let no more than a few changes of a board wait."""
    outbox.MAX_CHANGES = LITTLE_ROOM  # type: ignore[misc]


MECHANISMS: Final[dict[str, Callable[[], None]]] = {
    each.__name__: each
    for each in (
        fence,
        relist,
        own_clock,
        all_clocks,
        retry,
        back_pressure,
        little_room,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        if name not in CLOCKS:
            MECHANISMS[name]()
    main.main([])
