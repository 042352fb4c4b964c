"""Canary's own board, shown as a board: one of the workers watches it, without a watch job.

A watch job for it would itself be a job on that board. Instead the worker that holds a lock beside
the board watches it. The lock is an ephemeral znode; its czxid is the epoch of the watch, as the
czxid of a watch job's lock is for any other board. This board is never registered, and its document
says so.

Promises: one worker at a time watches it. After that worker has died, another watches it within the
session's timeout. What fails is tried again. A worker that can't do its work leaves it to the
others.
"""

import logging
from collections.abc import Callable
from typing import Final

from gevent.event import Event
from kazoo.exceptions import NodeExistsError, NoNodeError

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.logs.complaint import Complaint
from canary.worker.backoff import RETRY_DELAY
from canary.zookeeper import Client, errors_as_ours, wait
from canary.zookeeper.node_watch import NodeWatch

LOG = logging.getLogger(__name__)

LOCK_FOLDER: Final = ".watched"  # beside the board, as TaskFlow puts .trash and .entities
RELOOK_INTERVAL: Final = 30.0  # seconds between checks of another's lock when nothing wakes it

IsMine = Callable[[], bool]
Watch = Callable[[int, IsMine, Event], None]


def lock_path(board: str) -> str:
    """Return the path of the lock for the watch of Canary's own ``board``."""
    parent, _, name = board.rpartition("/")
    return f"{parent}/{LOCK_FOLDER}/{name}"


class OwnBoard:
    """This worker's part in the watch of Canary's own board.

    ``watch`` is called while the lock is held, with the lock's czxid, with a function that reads
    from ZooKeeper whether it is still held, and with an event that asks it to return.
    """

    def __init__(
        self, client: Client, path: str, owner: str, watch: Watch, clock: Clock = CLOCK
    ) -> None:
        self.path, self._lock = path, lock_path(path)
        self._client, self._owner, self._watch = client, owner.encode(), watch
        self._wake, self._stop = Event(), Event()
        self._clock = clock
        self._is_fit = True
        self.is_watching = False

    def set_fit(self, *, is_fit: bool) -> None:
        """Set whether this worker can do its work; if not, it leaves the board to others."""
        if is_fit is not self._is_fit:
            self._is_fit = is_fit
            self._wake.set()
            if not is_fit:
                self._stop.set()

    def stop(self) -> None:
        """Wake ``run`` to check whether it has to end."""
        self._wake.set()
        self._stop.set()

    def run(self, stopping: Event) -> None:
        """Watch the board whenever nobody else does, until ``stopping`` is set, and ``stop``."""
        node = NodeWatch(self._client, self._lock, self._wake.set)
        unwatched = Complaint(LOG, "Canary's own board is not watched")
        try:
            while not stopping.is_set():
                self._wake.clear()
                pause = RELOOK_INTERVAL
                try:
                    node.refresh()
                    epoch = self._take() if self._is_fit else None
                    unwatched.over()
                    if epoch is not None:
                        self._hold(epoch, stopping)
                        pause = RETRY_DELAY
                except CanaryError as error:
                    unwatched.say(error)
                    pause = RETRY_DELAY
                if not stopping.is_set():
                    self._clock.wait(self._wake, pause)
        finally:
            node.close()

    def _hold(self, epoch: int, stopping: Event) -> None:
        self._stop.clear()
        if stopping.is_set() or not self._is_fit:  # perhaps set before the flag was cleared
            self._stop.set()
        extra = {"board": self.path, "epoch": epoch}
        LOG.info("watching Canary's own board", extra=extra)
        self.is_watching = True
        try:
            self._watch(epoch, lambda: self._held() == epoch, self._stop)
        finally:
            self.is_watching = False
            self._give_up(epoch)
            LOG.info("stopped watching Canary's own board", extra=extra)

    def _take(self) -> int | None:
        """Take the lock; return its czxid, or None if it is another's."""
        timeout = self._client.call_timeout
        folder = self._lock.rpartition("/")[0]
        try:
            with errors_as_ours(timeout, answers=(NodeExistsError, NoNodeError)):
                made = self._client.create_async(self._lock, self._owner, ephemeral=True)
                made.get(timeout=timeout)
        except NodeExistsError:
            pass  # another's, or this one's: the answer to an earlier try was lost
        except NoNodeError:
            wait(self._client.ensure_path_async(folder), timeout)
            return self._take()
        return self._held()

    def _held(self) -> int | None:
        """Return the lock's czxid if it is this session's, else None."""
        stat = wait(self._client.exists_async(self._lock), self._client.call_timeout)
        session = self._client.session
        if session is None:
            raise ZooKeeperUnavailable(
                "the connection was lost; the owner of the lock is not known"
            )
        return stat.czxid if stat is not None and stat.ephemeralOwner == session else None

    def _give_up(self, epoch: int) -> None:
        timeout = self._client.call_timeout
        try:
            if self._held() == epoch:
                with errors_as_ours(timeout, answers=(NoNodeError,)):
                    self._client.delete_async(self._lock).get(timeout=timeout)
        except NoNodeError:
            LOG.debug("the lock was already deleted", extra={"board": self.path})
        except CanaryError as error:
            LOG.debug(
                "the lock was not deleted; it ends with the session: %s",
                error,
                extra={"board": self.path},
            )
