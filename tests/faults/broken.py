"""canary-worker with one of its mechanisms switched off, for the suite to notice.

    python -m tests.faults.broken MECHANISM …

The last two switch nothing off: ``clock`` sets the machine's clock an hour ahead for this process,
``little_room`` lets no more than a few changes wait for MongoDB.
"""

# ruff: noqa: E402 -- gevent first; and this is surgery
from gevent import monkey

monkey.patch_all()

import math
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from canary import worker
from canary.errors import StoreError
from canary.stores import live, writer
from canary.watchers import board, node, outbox
from canary.zookeeper import pulse


def fence() -> None:
    """Let whoever thinks that it has a board write it."""
    take = live.LiveStore.take

    def taken(self: Any, path: str, epoch: int, _is_mine: Any, now: Any) -> Any:
        taken = take(self, path, epoch, lambda: True, now)
        taken._mine = {"_id": path}
        return taken

    live.LiveStore.take = taken  # type: ignore
    once = writer.LiveBoard._write_once

    def written(self: Any, *words: Any) -> None:
        while True:
            found = self._database.boards.find_one({"_id": self.path})
            self.revision = int(found["revision"])
            try:
                return once(self, *words)
            except writer._Moved:
                continue

    writer.LiveBoard._write_once = written  # type: ignore
    all_clocks()


def relist() -> None:
    """Go on with the watches that a lost connection took away."""
    node.NodeWatch._on_state = lambda *_: None  # type: ignore
    node.NodeWatch.check = lambda *_: False  # type: ignore
    board.BoardWatch._on_state = lambda *_: None  # type: ignore
    board.BoardWatch._on_contact = lambda *_: None  # type: ignore

    def never(self: Any, _reader: Any) -> None:
        self._due = math.inf

    board.BoardWatch._reconcile = never  # type: ignore


def own_clock() -> None:
    """Believe kazoo."""
    pulse.Pulse._judge = lambda *_: None  # type: ignore


def all_clocks() -> None:
    """Notice neither by Canary's own clock nor by kazoo's that a session is over."""
    own_clock()
    board.BoardWatch._on_state = lambda *_: None  # type: ignore


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


def clock() -> None:
    """Set the clock an hour ahead."""
    real = time.time
    time.time = lambda: real() + 3600.0


def little_room() -> None:
    """Let no more than a hundred changes of a board wait."""
    outbox.MAX_CHANGES = 100  # type: ignore[misc]


MECHANISMS: Final[dict[str, Callable[[], None]]] = {
    each.__name__: each
    for each in (
        fence,
        relist,
        own_clock,
        all_clocks,
        retry,
        back_pressure,
        clock,
        little_room,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        MECHANISMS[name]()
    worker.main([])
