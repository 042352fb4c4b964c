"""Reading a board: ZooKeeper's answers as the model's observations.

Only reads: list, get, exists, sync. Calls are pipelined; the client bounds how many are in flight.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.protocol.states import EventType, ZnodeStat

from canary.clock import now
from canary.errors import BoardDenied
from canary.model import payload
from canary.model.names import trash_path
from canary.model.observations import (
    JobRead,
    Listing,
    LockRead,
    Reads,
    Stat,
    TrashRead,
    Unread,
    Wanted,
)
from canary.model.payload import Payload
from canary.zookeeper import Client, errors_as_ours, wait

Found = tuple[bytes | None, ZnodeStat]


def zookeeper_time(milliseconds: int) -> datetime:
    """Return ZooKeeper's time, milliseconds since 1970, as a datetime."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(
        microsecond=milliseconds % 1000 * 1000
    )


class BoardReader:
    """Reads one board for one watcher.

    ``lock_changed`` is called with a lock's name, once, when a lock that was read is changed or
    deleted; it is called before an answer that shows the change is given to anybody.
    """

    def __init__(self, client: Client, path: str, lock_changed: Callable[[str], None]) -> None:
        self._client, self._path, self._lock_changed = client, path, lock_changed
        self._hides_stats = False  # whether the server is one that does
        self._watchers: dict[str, Callable[[Any], None]] = {}  # by the lock's name, one a lock

    def close(self) -> None:
        """Call ``lock_changed`` no more."""
        for name, watcher in self._watchers.items():
            self._client.forget(f"{self._path}/{name}", watcher)
        self._watchers.clear()

    def sync(self) -> None:
        """Make sure that what is read from now on is not older than this moment."""
        wait(self._client.sync_async(self._path), self._client.call_timeout)

    def list(self) -> Listing:
        """Return the board's children and stat. Raises BoardMissing, BoardDenied, or no answer."""
        children, stat = wait(
            self._client.get_children_async(self._path, include_data=True),
            self._client.call_timeout,
        )
        return Listing(
            Stat(stat.czxid, stat.pzxid, stat.cversion, stat.numChildren),
            frozenset(children),
            now(),
        )

    def read(self, wanted: Wanted, known: Collection[str] = ()) -> Reads:
        """Read the znodes of ``wanted``; of jobs that are ``known`` only the stat, no payload.

        Raises ZooKeeperUnavailable if any of it has no answer.
        """
        get = self._client.get_async
        again = wanted.jobs & set(known)
        stats = {name: self._client.exists_async(f"{self._path}/{name}") for name in again}
        jobs = {name: get(f"{self._path}/{name}") for name in wanted.jobs - again}
        locks = {
            name: get(f"{self._path}/{name}", watch=self._watcher(name)) for name in wanted.locks
        }
        trash = {name: get(trash_path(self._path, name)) for name in wanted.trash}
        # Each answer is let go when it is decoded: together they may be large.
        return Reads(
            {name: self._job(name, jobs.pop(name)) for name in wanted.jobs - again}
            | {name: self._stat(stats.pop(name)) for name in again},
            {name: self._lock(name, locks.pop(name)) for name in wanted.locks},
            {name: self._trashed(trash.pop(name)) for name in wanted.trash},
        )

    def _watcher(self, name: str) -> Callable[[Any], None]:
        return self._watchers.setdefault(name, partial(self._on_lock, name))

    def _on_lock(self, name: str, event: Any) -> None:
        self._watchers.pop(name, None)
        if event.type != EventType.NONE:  # it was not lost with the connection
            self._lock_changed(name)

    def _job(self, name: str, answer: Any) -> JobRead | Unread:
        found = self._found(f"{self._path}/{name}", answer)
        if isinstance(found, Unread):
            return found
        data, stat = found
        content = None if data is None else payload.decode(data)
        return JobRead(stat.czxid, zookeeper_time(stat.ctime), content)

    def _stat(self, answer: Any) -> JobRead | Unread:
        try:
            stat = wait(answer, self._client.call_timeout)
        except BoardDenied:
            return Unread.DENIED
        if stat is None:
            return Unread.GONE
        return JobRead(stat.czxid, zookeeper_time(stat.ctime), None)

    def payload(self, name: str) -> Payload | None:
        """Return the payload of the job called ``name``, None where it can't be read."""
        read = self._job(name, self._client.get_async(f"{self._path}/{name}"))
        return read.payload if isinstance(read, JobRead) else None

    def _lock(self, name: str, answer: Any) -> LockRead | Unread:
        found = self._found(f"{self._path}/{name}", answer)
        if isinstance(found, Unread):
            self._watchers.pop(name, None)  # a read that fails leaves no watch
            return found
        data, stat = found
        if data is None:
            self._watchers.pop(name, None)
        owner = None if data is None else payload.owner(data)
        return LockRead(stat.czxid, zookeeper_time(stat.ctime), stat.ephemeralOwner, owner)

    def _trashed(self, answer: Any) -> TrashRead | Unread:
        try:
            data, stat = self._answer(answer)
        except NoNodeError:
            return Unread.GONE
        except NoAuthError:
            return Unread.DENIED
        return TrashRead(stat.czxid, zookeeper_time(stat.ctime), payload.decode(data).uuid)

    def _found(self, path: str, answer: Any) -> Found | Unread:
        """Return data and stat; without data where only the stat may be read.

        Servers before 3.9 let everybody read a stat, newer ones only who may read the data.
        """
        try:
            return self._answer(answer)
        except NoNodeError:
            return Unread.GONE
        except NoAuthError:
            pass
        if not self._hides_stats:
            try:
                stat = wait(self._client.exists_async(path), self._client.call_timeout)
            except BoardDenied:
                self._hides_stats = True
            else:
                return Unread.GONE if stat is None else (None, stat)
        return Unread.DENIED

    def _answer(self, answer: Any) -> tuple[bytes, ZnodeStat]:
        """Await an answer; NoNode and NoAuth are answers, all else is none."""
        with errors_as_ours(self._client.call_timeout, answers=(NoNodeError, NoAuthError)):
            data, stat = answer.get(timeout=self._client.call_timeout)
        return data or b"", stat  # a znode may be without data, not even empty


def suspects_after(listing: Listing, reads: Reads) -> Iterable[str]:
    """Return the locks that must be read again in the next round.

    Their names were listed, but what was read was gone or came later than the listing.
    """
    return (
        name
        for name, read in reads.locks.items()
        if read is Unread.GONE or (isinstance(read, LockRead) and read.czxid > listing.stat.pzxid)
    )
