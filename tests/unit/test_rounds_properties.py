"""Whatever happens on a board, and whenever the watcher looks: what it tells is true, and adds up.

``Watcher`` here does what ``canary.watchers.zookeeper.board_watch`` does, on a simulated history;
``Judge`` holds each step against the history.

What the model may call wrongly, and nothing else (``Judge.kinds`` allows no more):

- *consumed* is a job whose lock was deleted (abandoned, expired, by hand) and that a hand removed,
  in either order, or that was trashed and taken out of the trash before it was looked for: within
  one round in which nothing is left unexplained;
- the owner of an ending or an abandoning is that of the claim before, where the lock changed hands
  in one round, which leaves a gap, and was gone in the next one before it was read;
- *trashed* is a job that was gone before it could be read, that its ACL hides, or whose payload
  holds no uuid, when a board with the same parent trashed one of the same name in the same round;
- a job that a hand deleted and made again under its own name within one round may stay what it was
  until it is read again. Then what was in a gap is told, and explains nothing twice.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from canary.model.changes import BEGINNINGS, ENDINGS, Change, Kind, Reason
from canary.model.jobs import Job, Lock, Outcome
from canary.model.names import lock_name
from canary.model.observations import JobRead, Listing, LockRead, Reads, Unread
from canary.model.payload.payload import decode
from canary.model.rounds import advance, advance_missing, advance_part, unknown, wanted
from canary.model.state import BoardState, Step
from tests.unit.board_history import OPERATIONS, Event, History, operate

PROPERTY = settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

Operation = tuple[str, int]


class Watcher:
    """Looks at a history as a real watcher looks at a board, with a store that may lag."""

    def __init__(self, history: History, *, keeps_suspects: bool) -> None:
        self.history, self.keeps_suspects = history, keeps_suspects
        self.state = BoardState()
        self.suspects: set[str] = set()
        self.watched: dict[str, int] = {}
        self.fired = self.edits_fired = 0  # events and edits whose watches have fired
        self.unedited: set[str] = set()
        self.is_reconnected = False
        self.since, self.told = 0, list[Change]()  # what the next step is about, and told of it
        # The store: its state as of the event ``stored_at``, what it told since, and what waits.
        self.stored, self.stored_at = self.state, 0
        self.stored_told: list[Change] = []
        self.queue: list[Change] = []

    def operate(self, operations: list[Operation]) -> None:
        for operation, pick in operations:
            if operate(self.history, operation, pick) and operation == "restore":
                self.is_reconnected = True
            self.fire()

    def fire(self) -> None:
        for name, czxid in self.history.edits[self.edits_fired :]:
            if self.watched.get(name) == czxid:
                del self.watched[name]
                self.suspects.add(name)
        self.edits_fired = len(self.history.edits)
        for event in self.history.events[self.fired :]:
            if not event.is_create and self.watched.get(event.name) == event.znode.czxid:
                del self.watched[event.name]
                self.suspects.add(event.name)
                self.unedited.add(event.name)
        self.fired = len(self.history.events)

    def look(
        self,
        race: list[Operation] | None = None,
        *,
        is_audit: bool = False,
        reason: Reason = Reason.COALESCED,
    ) -> Step:
        """Make one round; ``race`` happens between the listing and the last read."""
        listing = self.history.listing()
        self.at = len(self.history.events)
        if listing is None:
            step = advance_missing(self.state, self.history.now(), reason)
            self.suspects.clear()
            self.operate(race or [])
        else:
            if self.is_reconnected:
                self.is_reconnected = False
                self.watched.clear()
                self.suspects |= {lock_name(job.name) for job in self.state.jobs.values()}
            suspects = frozenset(self.suspects) & listing.children
            if is_audit or reason is Reason.ERA:
                suspects |= self.state.children
            self.suspects.clear()
            reads = self._read(listing, suspects, race or [])
            if self.keeps_suspects:
                self.suspects |= {
                    name
                    for name, read in reads.locks.items()
                    if read is Unread.GONE
                    or (isinstance(read, LockRead) and read.czxid > listing.stat.pzxid)
                }
            step = advance(self.state, listing, reads, reason)
        self.state = step.state
        self.queue += step.changes
        return step

    def look_at_part(self, count: int, race: list[Operation], reason: Reason) -> Step | None:
        """Tell of the first of the jobs that are new; None where a step can't hold them alone."""
        listing = self.history.listing()
        if listing is None or self.state.incarnation not in {None, listing.stat.czxid}:
            return None
        self.at = len(self.history.events)
        asked = wanted(self.state, listing, frozenset())
        names = sorted(unknown(self.state, listing, asked))[:count]
        jobs, locks = {}, {}
        waiting = list(race)
        for name in names:
            self.operate(waiting[:1])
            del waiting[:1]
            jobs[name] = self._read_job(name)
            if lock_name(name) in listing.children:
                locks[lock_name(name)] = self._read_lock(lock_name(name))
        self.operate(waiting)
        step = advance_part(self.state, listing, Reads(jobs, locks), reason)
        self.state = step.state
        self.queue += step.changes
        self.told += step.changes
        return step

    def _read(self, listing: Listing, suspects: frozenset[str], race: list[Operation]) -> Reads:
        """Read what is wanted, one operation of the race before each read."""
        want = wanted(self.state, listing, suspects)
        assert want.jobs | want.locks <= listing.children
        assert not want.trash & listing.children
        waiting = list(race)
        jobs: dict[str, Any] = {}
        locks: dict[str, Any] = {}
        trash: dict[str, Any] = {}
        reads: list[tuple[dict[str, Any], Callable[[str], Any], str]] = []
        reads += [(jobs, self._read_job, name) for name in sorted(want.jobs)]
        reads += [(locks, self._read_lock, name) for name in sorted(want.locks)]
        reads += [(trash, self.history.read_trash, name) for name in sorted(want.trash)]
        for answers, read, name in reads[:: -1 if len(race) % 2 else 1]:
            self.operate(waiting[:1])
            del waiting[:1]
            answers[name] = read(name)
        self.operate(waiting)
        unedited = frozenset(self.unedited & want.trash)
        self.unedited -= unedited
        return Reads(jobs, locks, trash, unedited)

    def _read_job(self, name: str) -> JobRead | Unread:
        read = self.history.read_job(name)
        if isinstance(read, JobRead):
            self.watched[name] = read.czxid
            self.unedited.discard(name)
        return read

    def _read_lock(self, name: str) -> LockRead | Unread:
        read = self.history.read_lock(name)
        if isinstance(read, LockRead):
            self.watched[name] = read.czxid
        return read

    def next_step(self) -> None:
        self.since, self.told = self.at, []

    def write(self) -> None:
        """The store takes all that waits, and closes the account."""
        self.stored, self.stored_at = self.state, self.at
        self.stored_told, self.queue = [], []

    def crash(self, kept: int) -> None:
        """The store got the first changes of what waits; a new watcher begins with them."""
        told = self.queue[: kept % (len(self.queue) + 1)]
        after = self.stored.after(told)
        self.stored_told += told
        incarnation = self.stored_told[-1].incarnation if self.stored_told else None
        of_it = [change for change in self.stored_told if change.incarnation == incarnation]
        self.stored = BoardState.restore(
            self.stored.stat,
            self.stored.seen_at,
            after.jobs.values(),
            after.others,
            told=(sum(c.creates for c in of_it), sum(c.deletes for c in of_it)),
            told_incarnation=incarnation,
        )
        if not self.history.restored and self.stored_told:
            assert self.stored == after
        self.state, self.queue = self.stored, []
        self.since, self.told = self.stored_at, list(self.stored_told)
        self.is_reconnected = True


class Judge:
    """Holds what was told against what happened."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher, self.history = watcher, watcher.history
        self.doubtful: set[str] = set()  # jobs, themselves or their locks read too late
        self.unwritten: set[str] = set()  # those that were so since the store's last account
        self.jobs: dict[str, Job] = {}
        self.others: set[str] = set()
        self.incarnation: int | None = None
        self.is_stale = False  # what was known of a restored ensemble may not all be read again

    def step(
        self,
        before: BoardState,
        step: Step,
        *,
        reason: Reason = Reason.COALESCED,
        is_quiet_audit: bool = False,
    ) -> None:
        watcher = self.watcher
        self.fold(step.changes)
        assert self.jobs == step.state.jobs
        assert self.others == step.state.others
        assert before.after(step.changes).jobs == step.state.jobs
        assert before.after(step.changes).others == step.state.others
        self.order(step.changes)
        self.gaps(before, step, reason)
        if reason is not Reason.COALESCED and before.seen_at is not None:
            self.unwatched(before, step, reason)
        if not self.is_tainted():
            self.reasons(before, step)
            self.account(before, step)
            self.matches([*watcher.told, *step.changes])
            self.kinds(step)
        self.doubtful = set(step.state.unread)
        self.unwritten |= self.doubtful
        self.is_stale = self.is_tainted() and not is_quiet_audit
        watcher.next_step()

    def part(self, step: Step) -> None:
        """Judge a step that leaves the account open; the next whole one is held against all."""
        self.fold(step.changes)
        assert self.jobs == step.state.jobs
        assert self.others == step.state.others
        assert step.gaps == ()
        # A lock that stood there before its job may be gone by now.
        kinds = {*BEGINNINGS, Kind.CLAIMED, Kind.EDITED, Kind.NODE_DELETED}
        assert {c.kind for c in step.changes} <= kinds
        self.order(step.changes)
        self.doubtful |= step.state.unread
        self.unwritten |= step.state.unread

    def is_tainted(self) -> bool:
        """Tell whether the counters may say nothing about what is told now.

        Those of two ensembles may be mixed; or a crash came between the two changes of a job that
        was replaced unnoticed, which explain nothing, and the second can't be told for what it is;
        or what was hidden when it was told can be read after a crash, and looks new.
        """
        told = self.watcher.told
        is_half_told = any(c.kind in ENDINGS and c.deletes == 0 for c in told)
        is_half_told |= any(c.czxid is None or c.lock_czxid is None for c in told) and bool(
            self.history.ever_hidden - self.history.hidden
        )
        is_restored = any(at >= self.watcher.since for at in self.history.restored)
        return is_restored or is_half_told or self.is_stale

    def crashed(self) -> None:
        state = self.watcher.state
        self.jobs, self.others = dict(state.jobs), set(state.others)
        self.incarnation = state.incarnation
        self.doubtful |= self.unwritten
        self.is_stale = bool(self.history.restored)  # what an audit found is forgotten

    def fold(self, changes: tuple[Change, ...]) -> None:
        """Apply changes one by one: each must be possible where it stands."""
        for change in changes:
            name = change.name
            if change.incarnation != self.incarnation:
                assert not self.jobs, "the old incarnation's jobs end first"
                assert not self.others
                self.incarnation = change.incarnation
            if change.kind in BEGINNINGS:
                assert name not in self.jobs
                assert (change.creates, change.deletes) in {(1, 0), (0, 0)}
                title = change.payload.name if change.payload else None
                seen_at = change.seen_at
                self.jobs[name] = Job(name, change.czxid, change.uuid, title, change.at, seen_at)
            elif change.kind is Kind.NODE_CREATED:
                assert name not in self.others
                assert (change.creates, change.deletes) == (1, 0)
                self.others.add(name)
            elif change.kind is Kind.NODE_DELETED:
                self.others.remove(name)
                assert (change.creates, change.deletes) == (0, 1)
            else:
                self.fold_known(change)

    def fold_known(self, change: Change) -> None:
        name, lock = change.name, lock_name(change.name)
        job = self.jobs[name]
        assert change.czxid == job.czxid
        if change.kind is Kind.CLAIMED:
            assert job.lock is None
            assert (change.creates, change.deletes) in {(int(lock not in self.others), 0), (0, 0)}
            self.others.discard(lock)
            claim = Lock(change.lock_czxid, change.owner, change.session, change.at)
            self.jobs[name] = replace(job, lock=claim)
            return
        held = (job.lock.czxid, job.lock.owner) if job.lock else (None, None)
        if change.kind is Kind.EDITED:
            self.fold_edit(change, job)
            return
        assert change.lock_czxid == held[0]
        # Of a lock that was gone when it was read again an ending does not say whose it was.
        assert change.owner == held[1] or (change.owner is None and change.kind in ENDINGS)
        if change.kind is Kind.ABANDONED:
            assert job.lock is not None
            assert (change.creates, change.deletes) in {(0, 1), (0, 0)}
            self.jobs[name] = replace(job, lock=None)
        else:
            assert change.kind in ENDINGS
            assert change.outcome is not None
            assert change.creates == 0
            assert change.deletes in ({0, 1, 2} if job.lock else {0, 1})
            del self.jobs[name]
            if job.lock and change.deletes < 2:
                self.others.add(lock)

    def fold_edit(self, change: Change, job: Job) -> None:
        edit = change.edit
        assert edit is not None
        assert (change.creates, change.deletes) == (0, 0)
        before = job.lock.edition if edit.of_lock and job.lock else job.edition
        # A restored ensemble may hold what was there before an edit that was told of in part.
        assert edit.edition != before or (self.history.restored and edit.edition is None)
        assert change.at == (edit.edition.at if edit.edition else None)
        if not self.history.restored:
            assert edit.edition is not None
            assert edit.edits == edit.edition.version - (before.version if before else 0)
        if edit.of_lock:
            assert job.lock is not None
            assert change.lock_czxid == job.lock.czxid
            assert edit.is_first or edit.owner == job.lock.owner
            lock = replace(job.lock, owner=change.owner, edition=edit.edition)
            self.jobs[change.name] = replace(job, lock=lock)
            return
        assert change.payload is not None
        assert change.uuid == (change.payload.uuid or job.uuid)
        assert edit.uuid == job.uuid
        name = change.payload.name or job.job_name
        self.jobs[change.name] = replace(job, uuid=change.uuid, job_name=name, edition=edit.edition)

    def order(self, changes: tuple[Change, ...]) -> None:
        """Deletes come before creates, and creates in the order of their zxids."""
        about = [change for change in changes if change.incarnation == self.incarnation]
        created = [change for change in about if change.creates]
        if created:
            assert not any(change.deletes for change in about[about.index(created[0]) :])
        known = []
        for change in created:
            zxids = [change.czxid] + [change.lock_czxid] * (change.kind is Kind.CLAIMED)
            if None not in zxids:
                known.append(max(zxid for zxid in zxids if zxid is not None))
        assert known == sorted(known)

    def gaps(self, before: BoardState, step: Step, reason: Reason) -> None:
        is_sudden = reason is not Reason.COALESCED and before.incarnation is None
        for gap in step.gaps:
            assert gap.start == before.seen_at
            assert gap.end == step.state.seen_at
            if gap.reason in {Reason.ERA, Reason.BOARD_DELETED} or is_sudden:
                assert gap.creates is gap.deletes is None
            else:
                assert gap.reason is reason
                assert gap.creates is not None
                assert gap.deletes is not None
                assert min(gap.creates, gap.deletes) >= 0
                assert gap.creates + gap.deletes > 0 or reason is not Reason.COALESCED
                if before.stat is not None:
                    assert max(gap.creates, gap.deletes) <= len(self.history.events)
        assert len({gap.reason for gap in step.gaps}) == len(step.gaps)

    def unwatched(self, before: BoardState, step: Step, reason: Reason) -> None:
        """Where nobody watched there is a gap, unless it is sure that nothing happened."""
        history, watcher = self.history, self.watcher
        events = history.events[watcher.since : watcher.at]
        # What was told before a crash explains some of them; a restored ensemble forgot some.
        is_more = events and not watcher.told and not self.is_tainted()
        is_changed = any(change.kind is not Kind.EDITED for change in step.changes)
        if is_changed or is_more or before.incarnation is None:
            assert step.gaps
        elif not events and before.stat == step.state.stat and reason is not Reason.ERA:
            assert not step.gaps

    def reasons(self, before: BoardState, step: Step) -> None:
        """The deletion of a board that was known leaves a gap of its own, and nothing else does."""
        ends = {before.incarnation, before.stat.czxid if before.stat else None}
        ends -= {None, step.state.stat.czxid if step.state.stat else None}
        reasons = {gap.reason for gap in step.gaps} - {Reason.COALESCED, Reason.RESTART}
        # What is not there any more came and went: of a znode both is unseen, or nothing.
        assert all(gap.creates == gap.deletes for gap in step.gaps)
        is_deletion_seen = bool(ends) and before.seen_at is not None
        assert reasons == ({Reason.BOARD_DELETED} if is_deletion_seen else set())

    def events(self, incarnation: int) -> list[Event]:
        return [
            event
            for event in self.history.events[self.watcher.since : self.watcher.at]
            if event.incarnation == incarnation
        ]

    def account(self, before: BoardState, step: Step) -> None:
        """What was told and what is in the gaps is exactly what happened."""
        if step.state.stat is None or before.seen_at is None:
            return
        incarnation = step.state.stat.czxid
        about = [
            change
            for change in (*self.watcher.told, *step.changes)
            if change.incarnation == incarnation
        ]
        happened = Counter(event.is_create for event in self.events(incarnation))
        creates = sum(change.creates for change in about)
        deletes = sum(change.deletes for change in about)
        creates += sum(gap.creates or 0 for gap in step.gaps)
        deletes += sum(gap.deletes or 0 for gap in step.gaps)
        if before.incarnation is None and any(gap.creates is None for gap in step.gaps):
            assert creates <= happened[True]
            assert deletes <= happened[False]
        else:
            assert (creates, deletes) == (happened[True], happened[False])

    def matches(self, changes: list[Change]) -> None:
        """Each change explains events that happened in its interval, none is explained twice."""
        left = {change.incarnation: self.events(change.incarnation) for change in changes}
        unsure = []
        for change in changes:
            if change.kind in BEGINNINGS | ENDINGS and change.creates + change.deletes == 0:
                assert change.name in self.history.replaced
            for is_create, name, czxid in explained(change):
                events = left[change.incarnation]
                found = [e for e in events if e.is_create == is_create and e.name == name]
                exact = [e for e in found if e.znode.czxid == czxid]
                if exact:
                    events.remove(exact[0])
                    self.is_told_right(change, exact[0])
                else:
                    unsure.append((change, is_create, name, czxid))
        for change, is_create, name, czxid in unsure:
            events = left[change.incarnation]
            found = [e for e in events if e.is_create == is_create and e.name == name]
            job = change.name
            assert found, (change, "did not happen")
            may_differ = self.doubtful | self.history.replaced | self.history.hidden_jobs
            assert czxid is None or job in may_differ, change
            events.remove(found[0])

    def is_told_right(self, change: Change, event: Event) -> None:
        if change.kind in BEGINNINGS:
            assert change.at == event.znode.at
            assert change.payload is not None
            is_edited = (change.name, change.czxid) in self.history.edits
            is_malformed = change.payload.malformed is not None
            assert is_malformed or change.kind is Kind.POSTED
            assert is_edited or is_malformed == (change.kind is Kind.MALFORMED)
        if change.kind is Kind.CLAIMED:
            assert change.at == event.znode.at
            assert change.session == event.znode.session
            assert change.owner is not None

    def kinds(self, step: Step) -> None:
        is_closed = all(gap.creates == gap.deletes == 0 for gap in step.gaps)
        for change in step.changes:
            if change.kind not in ENDINGS:
                continue
            if change.outcome is Outcome.BOARD_DELETED:
                assert change.incarnation in self.history.deleted_boards
                continue
            events = self.events(change.incarnation)
            ends = [e for e in events if not e.is_create and e.name == change.name]
            if len(ends) != 1 or ends[0].znode.czxid != change.czxid != None:  # noqa: E711
                continue  # told of another life of that name, which ``matches`` has judged
            [end] = ends
            if change.kind is Kind.REMOVED:
                assert is_closed
                assert end.cause == "remove"
            elif change.kind is Kind.CONSUMED:
                assert is_closed
                assert change.deletes == 2
                if end.cause == "remove":
                    lock = [e for e in events if e.name == lock_name(change.name)]
                    assert not lock[-1].is_create
                    assert lock[-1].zxid != end.zxid
                    assert len(lock) == 1 or self.watcher.told
                elif end.cause == "trash":
                    assert end.zxid in self.history.emptied
                else:
                    assert end.cause == "consume"
            elif change.kind is Kind.TRASHED and end.cause != "trash":
                assert change.czxid is None or decode_uuid(end) is None

    def mirror(self) -> None:
        """What is known is what is there."""
        history, state = self.history, self.watcher.state
        board = history.tree.board
        assert state.stat == (board.stat if board else None)
        assert state.children == history.children.keys()
        assert state.others == set(history.others())
        assert state.jobs.keys() == set(history.jobs())
        for name, job in state.jobs.items():
            read, claim = history.read_job(name), history.read_lock(lock_name(name))
            assert (job.lock is None) == (claim is Unread.GONE)
            if name in history.hidden_jobs or (history.restored and job.is_unread):
                continue  # of which no more than the name is known
            assert isinstance(read, JobRead)
            assert read.payload is not None
            assert (job.czxid, job.at) == (read.czxid, read.at)
            assert job.edition == read.edition
            if read.payload.malformed is None:
                assert (job.uuid, job.job_name) == (read.payload.uuid, read.payload.name)
            if isinstance(claim, LockRead):
                lock = (claim.czxid, claim.owner, claim.session, claim.at, claim.edition)
                assert job.lock == Lock(*lock)


def explained(change: Change) -> list[tuple[bool, str, int | None]]:
    """Return the creates and deletes that a change explains, with the czxids that it tells."""
    lock = lock_name(change.name)
    parts: list[tuple[bool, str, int | None]] = []
    if change.kind in BEGINNINGS:
        parts = [(True, change.name, change.czxid)] * change.creates
    elif change.kind is Kind.CLAIMED:
        parts = [(True, lock, change.lock_czxid)] * change.creates
    elif change.kind is Kind.ABANDONED:
        parts = [(False, lock, change.lock_czxid)] * change.deletes
    elif change.kind is Kind.NODE_CREATED:
        parts = [(True, change.name, None)]
    else:
        parts = [(False, change.name, change.czxid)] * min(change.deletes, 1)
        if change.deletes == 2:
            parts.append((False, lock, change.lock_czxid))
    assert sum(create for create, _, _ in parts) == change.creates
    assert sum(not create for create, _, _ in parts) == change.deletes
    return parts


def decode_uuid(event: Event) -> str | None:
    return decode(event.znode.data).uuid


OPERATION = st.tuples(
    st.sampled_from((*OPERATIONS, *("post", "claim") * 3, "consume", "reclaim", "remake")),
    st.integers(0, 5),
)
ROUND = st.fixed_dictionaries(
    {
        "before": st.lists(OPERATION, max_size=8),
        "race": st.lists(OPERATION, max_size=5),
        "parts": st.lists(st.integers(0, 3), max_size=3),
        "reconnects": st.booleans(),
        "is_audit": st.booleans(),
        "knows_era": st.booleans(),
        "is_unwatched": st.booleans(),
        "is_written": st.booleans(),
        "crash": st.none() | st.integers(0, 9),
    }
)
# Where a board's counters begin: cversion leaves its 32 bits at 2**30 creates, and ends at 2**31.
CREATES = st.sampled_from((0, 2**30 - 3, 2**31 - 400))


@PROPERTY
@given(st.lists(ROUND, min_size=1, max_size=8), CREATES, st.booleans())
def test_what_is_told_is_true_and_adds_up(
    rounds: list[dict[str, Any]],
    creates: int,
    keeps_suspects: bool,
) -> None:
    history = History(creates)
    watcher = Watcher(history, keeps_suspects=keeps_suspects)
    judge = Judge(watcher)
    is_crashed = False
    for number, each in enumerate(rounds):
        watcher.operate(each["before"])
        watcher.is_reconnected |= each["reconnects"]
        is_restored = any(at >= watcher.since for at in history.restored)
        reason = Reason.RESTART if each["is_unwatched"] or is_crashed else Reason.COALESCED
        if is_restored and each["knows_era"]:
            reason = Reason.ERA
        for count in each["parts"]:
            part = watcher.look_at_part(count, each["race"][:1], reason)
            if part is not None:
                judge.part(part)
        before = watcher.state
        step = watcher.look(each["race"], is_audit=each["is_audit"], reason=reason)
        note(f"{number}: {[(c.kind, c.name, c.czxid) for c in step.changes]} {step.gaps}")
        is_quiet_audit = each["is_audit"] and not each["race"]
        judge.step(before, step, reason=reason, is_quiet_audit=is_quiet_audit)
        is_plain = not (history.restored or history.replaced or history.edits)
        if not each["race"] and (is_plain or each["is_audit"]):
            judge.mirror()
        is_crashed = each["crash"] is not None
        if is_crashed:
            watcher.crash(each["crash"])
            judge.crashed()
        elif each["is_written"]:
            watcher.write()
            judge.unwritten = set(watcher.state.unread)
    before = watcher.state
    reason = Reason.RESTART if is_crashed else Reason.COALESCED
    judge.step(before, watcher.look(is_audit=True, reason=reason), reason=reason)
    judge.mirror()
    quiet = watcher.look()
    assert not quiet.changes
    assert not quiet.gaps


# Operations that are several transactions, or of which one name says too little (see the module).
SKIPPED = {"restore", "clear", "remove_both", "reclaim", "remake", "post_hidden", "claim_hidden"}


@PROPERTY
@given(st.lists(OPERATION, max_size=30), CREATES)
def test_who_looks_after_every_operation_is_told_each_of_them_by_its_name(
    operations: list[Operation], creates: int
) -> None:
    history = History(creates)
    watcher = Watcher(history, keeps_suspects=False)
    watcher.look()
    for operation in operations:
        if operation[0] in SKIPPED:
            continue
        history.told.clear()
        watcher.operate([operation])
        step = watcher.look()
        told = [(change.kind, change.name) for change in step.changes]
        if told == [(Kind.ENDED, history.told[0][1] if history.told else "")]:
            # No uuid says whether what is in the trash is this job, or one trashed elsewhere.
            [change] = step.changes
            assert change.uuid is None
            assert change.name in history.tree.trash
            assert history.told[0][0] in {Kind.CONSUMED, Kind.REMOVED}
        else:
            assert sorted(told) == sorted(history.told)
        expected = {Reason.BOARD_DELETED} if operation[0] == "delete_board" else set()
        assert {gap.reason for gap in step.gaps} <= expected
