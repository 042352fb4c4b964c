"""canary-worker with one of its mechanisms switched off, for the suite to notice.

    python -m tests.faults.broken MECHANISM …

The last three switch nothing off: ``clock_ahead`` and ``clock_behind`` set the machine's clock an
hour off for this process, ``little_room`` lets no more than a few changes wait for MongoDB.
"""

# ruff: noqa: E402 -- gevent first; and this is surgery
from gevent import monkey

monkey.patch_all()

import math
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from canary import worker
from canary.clock import CLOCK
from canary.errors import StoreError
from canary.stores import live, writer
from canary.stores.entries import entries
from canary.watchers import audit, board, node, outbox
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

    def written(self: Any, part: Any, _made: Any, *words: Any) -> None:
        while True:
            found = self._database.boards.find_one({"_id": self.path})
            self.revision = int(found["revision"])
            numbered = enumerate(part.changes, self.revision + 1)
            made = entries(self.path, self.epoch, numbered, self._pasts)
            try:
                return once(self, part, made, *words)
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

    audit.Audit.left = lambda *_: math.inf  # type: ignore


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


def clock_ahead() -> None:
    """Set the clock an hour ahead."""
    _set_clock(3600.0)


def clock_behind() -> None:
    """Set the clock an hour back."""
    _set_clock(-3600.0)


def _set_clock(seconds: float) -> None:
    real = time.time
    time.time = lambda: real() + seconds
    CLOCK._start += timedelta(seconds=seconds)  # it has looked already, as it was imported


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
        clock_ahead,
        clock_behind,
        little_room,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        MECHANISMS[name]()
    worker.main([])
