"""Read a board: turn ZooKeeper's answers into the model's observations.

Uses only get_children, get, exists and sync. Calls are pipelined; the client bounds how many are in
flight.

Promises: what is held at once is bounded, however many jobs there are and however large each is.
All boards of a worker together hold at most ``MAX_ANSWERS`` raw answers. One board holds at most
``PAGE_BYTES`` of decoded payloads, and what those answers decode to. Names, owners and stats are
not counted: they are small, and the board's state holds them anyway. Payloads are decoded in turns
with other boards.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from kazoo.protocol.states import EventType

from canary.errors import BoardDenied
from canary.model.editing import is_of_another
from canary.model.jobs import Edition, Job
from canary.model.observations import (
    JobRead,
    Listing,
    LockRead,
    Reads,
    ReadSet,
    Stat,
    Unread,
)
from canary.model.payload import payload
from canary.model.payload.payload import Payload
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.lock_reader import LockReader
from canary.watchers.zookeeper.pipeline import Pipeline
from canary.watchers.zookeeper.trash import TrashReader
from canary.watchers.zookeeper.znode_reader import ZnodeReader
from canary.zookeeper import wait
from canary.zookeeper.stats import condition, edition, zookeeper_time

PAGE_JOBS: Final = 10_000  # that are read completely for one step
PAGE_BYTES: Final = 8 * 2**20  # of payloads as they are kept, for one step

Version = tuple[int | None, Edition | None]  # of a job's znode: its czxid and its edition


class BoardReader:
    """Reads one board for one watch.

    ``changed`` is called once, with a name, when a job or a lock that was read is changed or
    deleted. Its second argument is whether a job was deleted, which the watch on the children
    reports as well. It is called before anybody gets an answer that shows the change. What is read
    is charged to the context's budget until ``let_go``.
    """

    def __init__(
        self, context: WatchContext, path: str, changed: Callable[[str, bool], None]
    ) -> None:
        self._client, self._path, self._changed = context.client, path, changed
        self._turns, self._masker = context.turns, context.masker
        self._budget, self._held, self._clock = context.budget, 0, context.clock
        self._pipeline = Pipeline(context.budget)
        self._trash = TrashReader(context, path, self._pipeline)
        self._znodes = ZnodeReader(context.client, path)
        self._locks = LockReader(context, path, self._pipeline, self._znodes, self._lock_changed)
        # By name, what was read when a job's watch was set; None until that is known.
        self._watched: dict[str, Version | None] = {}
        # The same for deleted jobs whose watch had fired for nothing else before. A round that
        # failed may have read the job, so the state need not know it.
        self._unedited: dict[str, Version | None] = {}
        self._doubted: set[str] = set()  # jobs whose stats do not match their data

    def close(self) -> None:
        """Stop calling ``changed``."""
        for name in self._watched:
            self._client.forget(f"{self._path}/{name}", self._on_job)
        self._locks.close()
        self._watched.clear()
        self.let_go()

    def let_go(self) -> None:
        """Stop charging what was read to the budget: it was handed on or forgotten."""
        self._budget.charge(-self._held)
        self._held = 0

    def sync(self) -> None:
        """Make sure that what is read from now on is not older than this moment."""
        wait(self._client.sync_async(self._path), self._client.call_timeout)

    def list(self) -> Listing:
        """Return the board's children and stat.

        Raises BoardMissing, BoardDenied or ZooKeeperUnavailable.
        """
        children, stat = wait(
            self._client.get_children_async(self._path, include_data=True),
            self._client.call_timeout,
        )
        return Listing(
            Stat(stat.czxid, stat.pzxid, stat.cversion, stat.numChildren),
            frozenset(children),
            self._clock.now(),
            condition(stat),
        )

    def page(self, names: Iterable[str]) -> dict[str, JobRead | Unread]:
        """Read the first of the jobs ``names``, as many as one round may hold.

        Raises ZooKeeperUnavailable if any read has no answer.
        """
        found: dict[str, JobRead | Unread] = {}
        before = self._held

        def is_enough() -> bool:
            is_large = self._held - before >= PAGE_BYTES or len(found) >= PAGE_JOBS
            return is_large or (bool(found) and self._budget.is_spent())

        for name, read in self._pipeline.each(names, self._get, self._job, is_enough):
            found[name] = read
            self._hold(read)
        return found

    def read(
        self,
        wanted: ReadSet,
        known: Mapping[str, Job],
        jobs: Mapping[str, JobRead | Unread],
    ) -> Reads:
        """Read the znodes of ``wanted``, except ``jobs``, which were read just now.

        Of jobs that are ``known`` only the stat is read, which does not contain the payload. The
        data are read as well if the stat shows another job under the same name or an edit, or if
        ``payload`` found other data than are known. Raises ZooKeeperUnavailable if any read has no
        answer.
        """
        again = wanted.jobs - jobs.keys()
        answers = {name: self._exists(name) for name in again}
        stats = {name: self._stat(name, answers.pop(name)) for name in again}
        doubted, self._doubted = self._doubted, set()
        other = [
            name
            for name, read in stats.items()
            if name in doubted or _is_other(read, known.get(name))
        ]
        for name, read in self._pipeline.each(other, self._get, self._job):
            self._hold(read)
            stats[name] = read if self._held < PAGE_BYTES else _shortened(read)
        gone = {name: self._unedited.pop(name) for name in self._unedited.keys() & wanted.trash}
        unedited = frozenset(
            name
            for name, version in gone.items()
            if name in known and version == _version(known[name])
        )
        return Reads(
            {**stats, **jobs},
            self.locks(wanted.locks),
            self._trash.read(wanted.trash),
            unedited,
        )

    def locks(self, names: Iterable[str]) -> dict[str, LockRead | Unread]:
        """Read the locks ``names``, and watch each until it is changed or deleted."""
        return self._locks.read(names)

    def payload(self, job: Job) -> Payload | None:
        """Return a job's payload; None if it can't be read, or if the job or edition differs.

        If its uuid or name differs from the known one, the next round reads the whole job.
        """
        [(_, read)] = self._pipeline.each([job.name], self._get, self._job)
        if not isinstance(read, JobRead) or read.payload is None or _is_other(read, job):
            return None
        if is_of_another(job, read.payload):
            self._doubted.add(job.name)
            self._changed(job.name, False)
            return None
        return read.payload

    def _get(self, name: str) -> Any:
        return self._client.get_async(f"{self._path}/{name}", watch=self._watching(name))

    def _exists(self, name: str) -> Any:
        # exists leaves a watch even if the node is gone, so it sets one only where there is none.
        watch = None if name in self._watched else self._watching(name)
        return self._client.exists_async(f"{self._path}/{name}", watch=watch)

    def _watching(self, name: str) -> Callable[[Any], None]:
        self._watched[name] = None
        self._unedited.pop(name, None)
        return self._on_job  # one function for all jobs: kazoo keeps it once per path

    def _on_job(self, event: Any) -> None:
        if event.type == EventType.NONE:  # the watch was lost with the connection
            self._watched.clear()
            return
        name = event.path.rpartition("/")[2]
        version = self._watched.pop(name, None)
        is_deleted = event.type == EventType.DELETED
        if is_deleted and len(self._unedited) < PAGE_JOBS:
            self._unedited[name] = version  # a watch fires once
        if event.type != EventType.CREATED:
            self._changed(name, is_deleted)

    def _lock_changed(self, name: str) -> None:
        self._changed(name, False)

    def _job(self, name: str, answer: Any) -> JobRead | Unread:
        found = self._znodes.found(name, answer)
        if isinstance(found, Unread):
            self._watched.pop(name, None)  # a read that fails leaves no watch
            return found
        data, stat = found
        content = None if data is None else self._turns.take(payload.decoding(data, self._masker))
        for seen in (self._watched, self._unedited):
            if name in seen:
                seen[name] = stat.czxid, edition(stat)
        return JobRead(stat.czxid, zookeeper_time(stat.ctime), content, edition=edition(stat))

    def _stat(self, name: str, answer: Any) -> JobRead | Unread:
        try:
            stat = wait(answer, self._client.call_timeout)
        except BoardDenied:
            self._watched.pop(name, None)
            return Unread.DENIED
        if stat is None:
            self._watched.pop(name, None)
            self._client.forget(f"{self._path}/{name}", self._on_job)
            return Unread.GONE
        if name in self._watched and self._watched[name] is None:
            self._watched[name] = stat.czxid, edition(stat)
        made = zookeeper_time(stat.ctime)
        return JobRead(stat.czxid, made, None, stat.dataLength, edition(stat))

    def _hold(self, read: JobRead | Unread) -> None:
        weight = read.payload.weight if isinstance(read, JobRead) and read.payload else 0
        self._held += weight
        self._budget.charge(weight)


def _is_other(read: JobRead | Unread, known: Job | None) -> bool:
    """Return whether a stat shows data that are not known."""
    if not isinstance(read, JobRead):
        return False
    return known is None or _version(read) != _version(known)


def _version(job: JobRead | Job) -> Version:
    return job.czxid, job.edition


def _shortened(read: JobRead | Unread) -> JobRead | Unread:
    if not isinstance(read, JobRead) or read.payload is None:
        return read
    return replace(read, payload=read.payload.shortened())


def suspects_after(listing: Listing, reads: Reads) -> Iterable[str]:
    """Return the locks that must be read again in the next round.

    These were listed, but they were gone when they were read, or are newer than the listing.
    """
    return (
        name
        for name, read in reads.locks.items()
        if read is Unread.GONE or (isinstance(read, LockRead) and read.czxid > listing.stat.pzxid)
    )
