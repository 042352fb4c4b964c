"""Reading a board: ZooKeeper's answers as the model's observations.

Only reads: list, get, exists, sync. Calls are pipelined; the client bounds how many are in flight.

Promises: what is read at once is bounded, however many jobs there are and however large each is: of
all boards of a worker ``MAX_ANSWERS`` raw answers are in memory, of a board's decoded payloads
``PORTION_BYTES`` and what those answers come to. Names, owners and stats are not counted: they are
small, and the board's state holds them anyway.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import gevent
from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.protocol.states import EventType, ZnodeStat

from canary.clock import now
from canary.errors import BoardDenied
from canary.model import payload
from canary.model.jobs import Job
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
from canary.watchers.budget import Budget
from canary.watchers.stats import condition, zookeeper_time
from canary.zookeeper import Client, errors_as_ours, wait

PORTION_JOBS: Final = 10_000  # of which all is read for one step
PORTION_BYTES: Final = 8 * 2**20  # of payloads as they are kept, the same

Found = tuple[bytes | None, ZnodeStat]
T = TypeVar("T")


class BoardReader:
    """Reads one board for one watcher.

    ``lock_changed`` is called with a lock's name, once, when a lock that was read is changed or
    deleted; it is called before an answer that shows the change is given to anybody. What is read
    is charged to ``budget`` until ``let_go``.
    """

    def __init__(
        self, client: Client, path: str, lock_changed: Callable[[str], None], budget: Budget
    ) -> None:
        self._client, self._path, self._lock_changed = client, path, lock_changed
        self._budget, self._held = budget, 0
        self._hides_stats = False  # whether the server is one that does
        self._watchers: dict[str, Callable[[Any], None]] = {}  # by the lock's name, one a lock

    def close(self) -> None:
        """Call ``lock_changed`` no more."""
        for name, watcher in self._watchers.items():
            self._client.forget(f"{self._path}/{name}", watcher)
        self._watchers.clear()
        self.let_go()

    def let_go(self) -> None:
        """Charge what was read to the budget no more: it is another's, or forgotten."""
        self._budget.charge(-self._held)
        self._held = 0

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
            condition(stat),
        )

    def portion(self, names: Iterable[str]) -> dict[str, JobRead | Unread]:
        """Read as many of the jobs called ``names``, the first ones, as one step may hold.

        Raises ZooKeeperUnavailable if any of it has no answer.
        """
        found: dict[str, JobRead | Unread] = {}
        before = self._held

        def is_enough() -> bool:
            is_large = self._held - before >= PORTION_BYTES or len(found) >= PORTION_JOBS
            return is_large or (bool(found) and self._budget.is_spent())

        for name, read in self._each(names, self._get, self._job, is_enough):
            found[name] = read
            self._hold(read)
        return found

    def read(
        self,
        wanted: Wanted,
        known: Mapping[str, Job],
        jobs: Mapping[str, JobRead | Unread],
    ) -> Reads:
        """Read the znodes of ``wanted``, but for ``jobs``, which were read just now.

        Of jobs that are ``known`` only the stat is read, which does not tell of the payload, and
        the rest where that tells of another job under the same name. Raises ZooKeeperUnavailable
        if any of it has no answer.
        """
        again = wanted.jobs - jobs.keys()
        answers = {name: self._client.exists_async(f"{self._path}/{name}") for name in again}
        stats = {name: self._stat(answers.pop(name)) for name in again}
        made_anew = [
            name
            for name, read in stats.items()
            if isinstance(read, JobRead) and (name not in known or read.czxid != known[name].czxid)
        ]
        for name, read in self._each(made_anew, self._get, self._job):
            self._hold(read)
            stats[name] = read if self._held < PORTION_BYTES else _shortened(read)
        return Reads(
            {**stats, **jobs}, self.locks(wanted.locks), dict(self._trashed_of(wanted.trash))
        )

    def locks(self, names: Iterable[str]) -> dict[str, LockRead | Unread]:
        """Read the locks called ``names``, and watch each until it is changed or deleted."""

        def get(name: str) -> Any:
            return self._client.get_async(f"{self._path}/{name}", watch=self._watcher(name))

        return dict(self._each(names, get, self._lock))

    def _trashed_of(self, names: Iterable[str]) -> Iterator[tuple[str, TrashRead | Unread]]:
        def get(name: str) -> Any:
            return self._client.get_async(trash_path(self._path, name))

        return self._each(names, get, lambda _, answer: self._trashed(answer))

    def payload(self, job: Job) -> Payload | None:
        """Return a job's payload; None where it can't be read, or another job has its name."""
        [(_, read)] = self._each([job.name], self._get, self._job)
        is_same = isinstance(read, JobRead) and read.czxid == job.czxid
        return read.payload if isinstance(read, JobRead) and is_same else None

    def _each(
        self,
        names: Iterable[str],
        ask: Callable[[str], Any],
        decode: Callable[[str, Any], T],
        is_enough: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, T]]:
        """Yield what each of ``names`` is read as, in order; ask for no more when ``is_enough``.

        Each answer is let go as soon as it is decoded: it may be large.
        """
        permits = self._budget.answers
        asked: deque[tuple[str, Any]] = deque()
        try:
            for name in names:
                # Who waits for others to decode holds nothing that others may wait for.
                while not permits.acquire(blocking=not asked):
                    yield self._oldest(asked, decode)
                asked.append((name, None))
                if is_enough():
                    permits.release()
                    asked.pop()
                    break
                asked[-1] = (name, ask(name))
            while asked:
                yield self._oldest(asked, decode)
        finally:
            for _ in asked:
                permits.release()

    def _oldest(
        self, asked: deque[tuple[str, Any]], decode: Callable[[str, Any], T]
    ) -> tuple[str, T]:
        name, answer = asked.popleft()
        try:
            return name, decode(name, answer)
        finally:
            self._budget.answers.release()
            if self._budget.answers.linkcount():
                gevent.sleep(0)  # another board has waited for it

    def _get(self, name: str) -> Any:
        return self._client.get_async(f"{self._path}/{name}")

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
        return JobRead(stat.czxid, zookeeper_time(stat.ctime), None, stat.dataLength)

    def _hold(self, read: JobRead | Unread) -> None:
        weight = read.payload.weight if isinstance(read, JobRead) and read.payload else 0
        self._held += weight
        self._budget.charge(weight)

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


def _shortened(read: JobRead | Unread) -> JobRead | Unread:
    if not isinstance(read, JobRead) or read.payload is None:
        return read
    return replace(read, payload=read.payload.shortened())


def suspects_after(listing: Listing, reads: Reads) -> Iterable[str]:
    """Return the locks that must be read again in the next round.

    Their names were listed, but what was read was gone or came later than the listing.
    """
    return (
        name
        for name, read in reads.locks.items()
        if read is Unread.GONE or (isinstance(read, LockRead) and read.czxid > listing.stat.pzxid)
    )
