"""Compares one listing of a board with what was known of it: ``rounds.advance`` in detail."""

from dataclasses import replace

from canary.model import account
from canary.model.changes import Change, Gap, Kind, Reason, ending_of, node_change
from canary.model.editing import edited, edits_of
from canary.model.jobs import Job, Lock, Outcome
from canary.model.names import is_job, lock_name, locked_job
from canary.model.observations import (
    JobRead,
    Listing,
    LockRead,
    Reads,
    TrashRead,
    Unread,
)
from canary.model.state import BoardState, Step
from canary.model.trash import is_in_trash


class Comparison:
    """Compares one listing with one state; used for one call of ``advance``.

    Apart from operations on whole sets of names, the work is in proportion to what changed: a board
    of 10,000 jobs is not searched for one of them.

    Zxids say what a name stands for. A znode whose czxid is above the listing's pzxid was created
    after the listing. A znode whose czxid is not above it existed when it was listed. A znode whose
    czxid is not above the last listing's pzxid was counted then, though it was not noticed.
    """

    def __init__(
        self, state: BoardState, listing: Listing, reads: Reads, *, is_era: bool = False
    ) -> None:
        self.state, self.listing, self.reads, self.is_era = state, listing, reads, is_era
        self.incarnation, self.pzxid = listing.stat.czxid, listing.stat.pzxid
        self.counted = state.stat.pzxid if state.stat and not is_era else -1
        self.deletions: list[Change] = []
        self.creations: list[tuple[int, Change]] = []  # with the zxid to sort by
        self.undecided: list[tuple[int, Outcome]] = []  # endings, if the account closes
        self.jobs: dict[str, Job] = dict(state.jobs)
        self.surviving: set[str] = set()  # locks that outlived their job
        self.added = listing.children - state.children
        self.touched = self._touched()

    def _touched(self) -> list[str]:
        """Return the names of the jobs to compare, in order."""
        names = self.added | (self.state.children - self.listing.children)
        names |= self.reads.jobs.keys() | self.reads.locks.keys()
        jobs = {name if is_job(name) else locked_job(name) for name in names}
        return sorted(name for name in jobs if name is not None)

    def step(self, reason: Reason, before: tuple[Change, ...], gaps: tuple[Gap, ...]) -> Step:
        """Compare everything, close the account, and put the changes in order."""
        for name in self.touched:
            known = self.jobs.get(name)
            if known is not None:
                self._known(name, known)
            if name in self.listing.children and name not in self.jobs:
                self._new(name)
            self._follow(name)
        others = self._others()
        listing = self.listing
        told = (*self.deletions, *(change for _, change in self.creations))
        gap = account.unseen(self.state, listing, told, reason, is_era=self.is_era)
        if gap is None:
            self._decide()
        self.creations.sort(key=lambda creation: creation[0])
        changes = (*before, *self.deletions, *(change for _, change in self.creations))
        if not gaps:
            gap = account.unwatched(self.state, listing, changes, gap, reason)
        unread = frozenset(name for name in self.touched if self._is_unread(name))
        # If the account closes, the listed lock is the known one.
        doubtful = frozenset(
            name
            for name in (unread if gap else unread & self.state.doubtful)
            if (job := self.jobs[name]).lock is not None
            and job.lock.czxid is not None
            and self._is_late(self.reads.locks.get(lock_name(name)))
        )
        state = BoardState(
            listing.stat, listing.seen_at, self.jobs, others, listing.children, unread, doubtful
        )
        return Step(state, changes, (*gaps, gap) if gap else gaps)

    def _decide(self) -> None:
        """Distinguish consumed from removed: the account says that nothing else happened."""
        for index, outcome in self.undecided:
            self.deletions[index] = replace(
                self.deletions[index], kind=Kind(outcome), outcome=outcome
            )

    def _is_unread(self, name: str) -> bool:
        """Return whether a job or its lock could not be read as it was when it was listed."""
        job = self.jobs.get(name)
        return job is not None and (
            self._is_late(self.reads.jobs.get(name))
            or (job.lock is not None and self._is_late(self.reads.locks.get(lock_name(name))))
        )

    def _is_late(self, read: JobRead | LockRead | Unread | None) -> bool:
        """Return whether a listed znode was gone, or already replaced, when it was read."""
        if isinstance(read, JobRead | LockRead):
            return read.czxid > self.pzxid
        return read is Unread.GONE

    def _is_another(self, known: Job | Lock, read: JobRead | LockRead | Unread | None) -> bool:
        """Return whether a listed znode is certainly another one than the known one.

        A znode that was gone or hidden when it was read may be the known one. The czxid of a znode
        that was gone, or hidden by its ACL, when it was to be read is None. An ensemble that was
        restored from an older copy assigns a czxid twice, at different times.
        """
        if not isinstance(read, JobRead | LockRead) or read.czxid > self.pzxid:
            return known.czxid is not None and known.czxid > self.pzxid
        if known.czxid is None:
            return read.czxid > self.counted
        return (read.czxid, read.at) != (known.czxid, known.at)

    def _is_counted(self, read: JobRead | LockRead | Unread | None) -> bool:
        """Return whether a znode existed already when the last account was closed."""
        return isinstance(read, JobRead | LockRead) and read.czxid <= self.counted

    def _known(self, name: str, job: Job) -> None:
        """Follow a job that was on the board in the last round."""
        listed = name in self.listing.children
        read = self.reads.jobs.get(name)
        if not listed or self._is_another(job, read):
            del self.jobs[name]
            self._end(job, is_counted=listed and self._is_counted(read))
            return
        lock = self._known_lock(name, job)
        if lock is not job.lock:
            self.jobs[name] = replace(job, lock=lock)

    def _known_lock(self, name: str, job: Job) -> Lock | None:
        """Follow the claim on a job that stays; return the claim that it has now."""
        listed = lock_name(name) in self.listing.children
        read = self.reads.locks.get(lock_name(name))
        if job.lock is None:
            return self._claim(job) if listed else None
        if listed and not self._is_another(job.lock, read):
            return job.lock
        self.deletions.append(self._abandoned(job, job.lock))
        return self._claim(job) if listed else None

    def _new(self, name: str) -> None:
        """Record a job that was not known before."""
        read = self.reads.jobs[name]
        found = read if isinstance(read, JobRead) and not self._is_late(read) else None
        payload = found.payload if found else None
        # Data that somebody has set since do not show what was posted.
        is_malformed = found and not found.edition and payload and payload.malformed is not None
        job = Job(
            name,
            found.czxid if found else None,
            payload.uuid if payload else None,
            payload.name if payload else None,
            found.at if found else None,
            self.listing.seen_at,
        )
        change = Change(
            Kind.MALFORMED if is_malformed else Kind.POSTED,
            name,
            self.incarnation,
            job.czxid,
            job.uuid,
            job.at,
            job.seen_at,
            creates=0 if self._is_counted(found) else 1,
            payload=payload,
            made_at=job.made_at,
        )
        order = self.pzxid if job.czxid is None else job.czxid
        self.creations.append((order, change))
        lock = self._claim(job) if lock_name(name) in self.listing.children else None
        self.jobs[name] = replace(job, lock=lock) if lock else job

    def _follow(self, name: str) -> None:
        """Record how a job that is on the board, and its lock, were edited."""
        job = self.jobs.get(name)
        if job is None:
            return
        known = self.state.jobs.get(name)
        reads = self.reads.jobs.get(name), self.reads.locks.get(lock_name(name))
        seen = self.incarnation, self.listing.seen_at
        for edit in edits_of(job, known, *reads, *seen):
            edition = edit.edit.edition if edit.edit else None
            # A lock may be older than its job, and is recorded with it.
            order = max(edition.mzxid if edition else 0, job.czxid or self.pzxid)
            self.creations.append((order, edit))
            self.jobs[name] = edited(self.jobs[name], edit)

    def _claim(self, job: Job) -> Lock:
        """Record that a listed lock exists, read or not; return it."""
        name = lock_name(job.name)
        read = self.reads.locks[name]
        if isinstance(read, LockRead) and not self._is_late(read):
            lock = Lock(read.czxid, read.owner, read.session, read.at)
            order = read.czxid
        else:
            lock, order = Lock(None, None, None, None), self.pzxid
        # It may have existed before its job.
        is_counted = name in self.state.others or name in self.surviving or self._is_counted(read)
        self.creations.append(
            (
                max(order, self.pzxid if job.czxid is None else job.czxid),
                Change(
                    Kind.CLAIMED,
                    job.name,
                    self.incarnation,
                    job.czxid,
                    job.uuid,
                    lock.at,
                    self.listing.seen_at,
                    creates=0 if is_counted else 1,
                    owner=lock.owner,
                    session=lock.session,
                    lock_czxid=lock.czxid,
                    made_at=job.made_at,
                ),
            )
        )
        return lock

    def _abandoned(self, job: Job, lock: Lock) -> Change:
        return Change(
            Kind.ABANDONED,
            job.name,
            self.incarnation,
            job.czxid,
            job.uuid,
            None,
            self.listing.seen_at,
            deletes=0 if self._is_counted(self.reads.locks.get(lock_name(job.name))) else 1,
            owner=lock.owner,
            session=lock.session,
            lock_czxid=lock.czxid,
            made_at=job.made_at,
        )

    def _end(self, job: Job, *, is_counted: bool) -> None:
        """Record that a job is gone; how it ended may have to wait for the account.

        ``is_counted``: it was gone in the last listing, unnoticed, as another one of its name
        existed.
        """
        lock = lock_name(job.name)
        listed = lock in self.listing.children
        read = self.reads.locks.get(lock)
        lock_gone = job.lock is not None and (not listed or self._is_another(job.lock, read))
        lock_stays = job.lock is not None and not lock_gone
        if lock_stays:
            self.surviving.add(lock)
        if job.lock is not None and lock_gone and is_counted:
            self.deletions.append(self._abandoned(job, job.lock))
            job, lock_gone = replace(job, lock=None), False
        if job.lock is not None and job.name in self.state.doubtful:
            # It was gone when it was last read: another lock may have existed before that.
            job = replace(job, lock=replace(job.lock, owner=None, session=None))
        deletes = 2 if lock_gone else int(not is_counted)
        seen_at = self.listing.seen_at
        ending = ending_of(job, self.incarnation, seen_at, deletes, Outcome.UNKNOWN)
        ending = replace(ending, lock_stays=lock_stays)
        trashed = self.reads.trash.get(job.name)
        before = None if self.is_era else self.state.stat
        is_unedited = job.name in self.reads.unedited
        in_trash = is_in_trash(job, trashed, before, self.listing.stat, is_unedited=is_unedited)
        if isinstance(trashed, TrashRead) and in_trash:
            ending = replace(
                ending,
                kind=Kind.TRASHED,
                outcome=Outcome.TRASHED,
                at=trashed.at,
                uuid=job.uuid or trashed.uuid,
            )
        elif in_trash is False:
            if not lock_gone:
                self.undecided.append((len(self.deletions), Outcome.REMOVED))
            elif not listed:  # a later lock shows that somebody else was involved
                self.undecided.append((len(self.deletions), Outcome.CONSUMED))
        self.deletions.append(ending)

    def _others(self) -> frozenset[str]:
        """Compare the children that are not jobs; return those that exist now."""
        candidates = self.added | self.state.others | {lock_name(name) for name in self.touched}
        now = frozenset(
            name
            for name in candidates & self.listing.children
            if not is_job(name) and locked_job(name) not in self.jobs
        )
        for name in sorted(now - self.state.others - self.surviving):
            self.creations.append((self.pzxid, self._node(Kind.NODE_CREATED, name)))
        for name in sorted(self.state.others - self.listing.children):
            self.deletions.append(self._node(Kind.NODE_DELETED, name))
        return now

    def _node(self, kind: Kind, name: str) -> Change:
        return node_change(kind, name, self.incarnation, self.listing.seen_at)
