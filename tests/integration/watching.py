"""A board's watch, run in the test's own process."""

import gevent
from gevent.event import Event

from canary.clock import now
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.board_watch import BoardWatch


class Watching:
    """A watch and the pulse that it needs, running."""

    def __init__(self, context: WatchContext, board: LiveBoard) -> None:
        self.context, self._stopping = context, Event()
        self.watch = BoardWatch(context, board)
        self.greenlet = gevent.spawn(self._run)
        self.failure: Exception | None = None
        gevent.spawn(context.pulse.run, self._stopping)

    def _run(self) -> None:
        try:
            self.watch.run()
        except Exception as error:  # noqa: BLE001 -- looked at by the test
            self.failure = error
        finally:
            self._stopping.set()


def take(store: LiveStore, path: str, epoch: int = 1) -> LiveBoard:
    """Take a board as who verifiably holds the claim."""
    return store.take(path, epoch, lambda: True, now())
