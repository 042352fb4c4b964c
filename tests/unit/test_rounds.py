"""One round at a time: each kind of change with all its fields, and what each race leads to."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.jobs import Edition, Job, JobState, Lock, Outcome
from canary.model.observations import (
    JobRead,
    Listing,
    LockRead,
    Reads,
    ReadSet,
    Stat,
    TrashRead,
    Unread,
)
from canary.model.payload.payload import Payload, decode
from canary.model.rounds import advance, advance_missing, advance_part, unknown, wanted
from canary.model.state import BoardState, Step
from tests.unit.cost import slowness

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOARD = 100  # the board's own czxid, and so its incarnation
JOB, LOCK = "job0000000000", "job0000000000.lock"
NEXT, NEXT_LOCK = "job0000000001", "job0000000001.lock"


def at(seconds: float) -> datetime:
    """A moment by Canary's clock; ZooKeeper's is half a second behind."""
    return NOON + timedelta(seconds=seconds)


def payload(uuid: str = "u-1") -> Payload:
    return decode(f'{{"uuid": "{uuid}", "name": "build"}}'.encode())


def listing(second: int, pzxid: int, creates: int, *children: str, czxid: int = BOARD) -> Listing:
    stat = Stat(czxid, pzxid, 2 * creates - len(children), len(children))
    return Listing(stat, frozenset(children), at(second))


def job_read(czxid: int, uuid: str = "u-1") -> JobRead:
    return JobRead(czxid, at(czxid - BOARD - 0.5), payload(uuid))


def lock_read(czxid: int, owner: str | None = "ann") -> LockRead:
    return LockRead(czxid, at(czxid - BOARD - 0.5), 7, owner)


def trash_read(czxid: int, uuid: str | None = "u-1") -> TrashRead:
    return TrashRead(czxid, at(czxid - BOARD - 0.5), uuid)


def state(
    second: int,
    pzxid: int,
    creates: int,
    jobs: tuple[Job, ...] = (),
    others: tuple[str, ...] = (),
) -> BoardState:
    """A state as it is after a listing at that second."""
    names = [job.name for job in jobs] + [f"{job.name}.lock" for job in jobs if job.lock]
    seen = listing(second, pzxid, creates, *names, *others)
    return BoardState.restore(seen.stat, seen.seen_at, jobs, others)


UNCLAIMED = Job(JOB, 101, "u-1", "build", at(0.5), at(1))
CLAIMED = replace(UNCLAIMED, lock=Lock(102, "ann", 7, at(1.5)))
UNREAD_CLAIM = replace(UNCLAIMED, lock=Lock(None, None, None, None))
EMPTY = state(0, 100, 0)
WAITING = state(1, 101, 1, (UNCLAIMED,))
RUNNING = state(2, 102, 2, (CLAIMED,))


def change(kind: Kind, **fields: object) -> Change:
    """The change that a read, unclaimed job's is, but for ``fields``."""
    made_at = at(0.5) if fields.get("czxid", 101) else at(9)
    base = Change(kind, JOB, BOARD, 101, "u-1", None, at(9), made_at=made_at)
    return replace(base, **fields)  # type: ignore[arg-type]


def round_of(before: BoardState, seen: Listing, reads: Reads) -> Step:
    """Advance with reads that are just those that are wanted, where locks are suspected."""
    locks = frozenset(name for name in reads.locks if name in before.children)
    want = wanted(before, seen, locks)
    assert want == ReadSet(frozenset(reads.jobs), frozenset(reads.locks), frozenset(reads.trash))
    step = advance(before, seen, reads, Reason.COALESCED)
    after = before.after(step.changes)
    assert (after.jobs, after.others) == (step.state.jobs, step.state.others)
    assert (step.state.stat, step.state.seen_at) == (seen.stat, seen.seen_at)
    assert step.state.children == seen.children
    return step


# Each kind


def test_posted() -> None:
    step = round_of(EMPTY, listing(9, 101, 1, JOB), Reads({JOB: job_read(101)}))
    posted = change(Kind.POSTED, at=at(0.5), creates=1, payload=payload())
    assert (step.changes, step.gaps) == ((posted,), ())
    assert step.state.jobs == {JOB: replace(UNCLAIMED, seen_at=at(9))}
    assert step.state.jobs[JOB].state is JobState.UNCLAIMED


def test_malformed() -> None:
    read = JobRead(101, at(0.5), decode(b"garbage"))
    step = round_of(EMPTY, listing(9, 101, 1, JOB), Reads({JOB: read}))
    posted = change(Kind.MALFORMED, uuid=None, at=at(0.5), creates=1, payload=decode(b"garbage"))
    assert (step.changes, step.gaps) == ((posted,), ())
    assert step.state.jobs == {JOB: Job(JOB, 101, None, None, at(0.5), at(9))}


def test_posted_where_its_acl_hides_the_payload() -> None:
    step = round_of(EMPTY, listing(9, 101, 1, JOB), Reads({JOB: JobRead(101, at(0.5), None)}))
    assert step.changes == (change(Kind.POSTED, uuid=None, at=at(0.5), creates=1),)
    assert not step.state.unread


def test_claimed() -> None:
    step = round_of(WAITING, listing(9, 102, 2, JOB, LOCK), Reads({}, {LOCK: lock_read(102)}))
    claimed = change(Kind.CLAIMED, at=at(1.5), creates=1, owner="ann", session=7, lock_czxid=102)
    assert (step.changes, step.gaps) == ((claimed,), ())
    assert step.state.jobs == {JOB: CLAIMED}
    assert step.state.jobs[JOB].state is JobState.CLAIMED


def test_abandoned() -> None:
    step = round_of(RUNNING, listing(9, 103, 2, JOB), Reads())
    abandoned = change(Kind.ABANDONED, deletes=1, owner="ann", session=7, lock_czxid=102)
    assert (step.changes, step.gaps) == ((abandoned,), ())
    assert step.state.jobs == {JOB: UNCLAIMED}


ENDING = {"owner": "ann", "session": 7, "lock_czxid": 102, "deletes": 2}


def test_consumed() -> None:
    step = round_of(RUNNING, listing(9, 103, 2), Reads(trash={JOB: Unread.GONE}))
    consumed = change(Kind.CONSUMED, outcome=Outcome.CONSUMED, **ENDING)
    assert (step.changes, step.gaps) == ((consumed,), ())
    assert not step.state.jobs


def test_trashed() -> None:
    step = round_of(RUNNING, listing(9, 103, 2), Reads(trash={JOB: trash_read(103)}))
    trashed = change(Kind.TRASHED, outcome=Outcome.TRASHED, at=at(2.5), **ENDING)
    assert (step.changes, step.gaps) == ((trashed,), ())


def test_removed() -> None:
    step = round_of(WAITING, listing(9, 102, 1), Reads(trash={JOB: Unread.GONE}))
    removed = change(Kind.REMOVED, outcome=Outcome.REMOVED, deletes=1)
    assert (step.changes, step.gaps) == ((removed,), ())


def test_removed_while_its_lock_stays() -> None:
    step = round_of(RUNNING, listing(9, 103, 2, LOCK), Reads(trash={JOB: Unread.GONE}))
    removed = change(
        Kind.REMOVED, outcome=Outcome.REMOVED, lock_stays=True, **{**ENDING, "deletes": 1}
    )
    assert (step.changes, step.gaps) == ((removed,), ())
    assert step.state.others == {LOCK}
    assert (removed.other_added, removed.other_removed) == (LOCK, None)


def test_ended_where_the_account_does_not_close() -> None:
    step = round_of(WAITING, listing(9, 103, 2), Reads(trash={JOB: Unread.GONE}))
    ended = change(Kind.ENDED, outcome=Outcome.UNKNOWN, deletes=1)
    gap = Gap(at(1), at(9), Reason.COALESCED, 1, 1)
    assert (step.changes, step.gaps) == ((ended,), (gap,))


def test_ended_where_the_trash_may_not_be_read() -> None:
    step = round_of(RUNNING, listing(9, 103, 2), Reads(trash={JOB: Unread.DENIED}))
    ended = change(Kind.ENDED, outcome=Outcome.UNKNOWN, **ENDING)
    assert (step.changes, step.gaps) == ((ended,), ())


def test_ended_where_another_lock_took_the_place_of_its_own() -> None:
    seen = listing(9, 104, 3, LOCK)
    step = round_of(RUNNING, seen, Reads({}, {LOCK: lock_read(104)}, {JOB: Unread.GONE}))
    ended = change(Kind.ENDED, outcome=Outcome.UNKNOWN, **ENDING)
    created = Change(Kind.NODE_CREATED, LOCK, BOARD, None, None, None, at(9), creates=1)
    assert (step.changes, step.gaps) == ((ended, created), ())


def test_nodes_created_and_deleted() -> None:
    step = round_of(state(1, 101, 1, (), ("a",)), listing(9, 103, 2, ".trash"), Reads())
    deleted = Change(Kind.NODE_DELETED, "a", BOARD, None, None, None, at(9), deletes=1)
    created = Change(Kind.NODE_CREATED, ".trash", BOARD, None, None, None, at(9), creates=1)
    assert (step.changes, step.gaps) == ((deleted, created), ())
    assert (deleted.other_added, deleted.other_removed) == (None, "a")
    assert (created.other_added, created.other_removed) == (".trash", None)


def test_board_deleted() -> None:
    before = state(2, 103, 4, (CLAIMED, replace(UNCLAIMED, name=NEXT, czxid=103)), ("a",))
    step = advance_missing(before, at(9))
    outcome = Outcome.BOARD_DELETED
    assert step.changes == (
        change(Kind.ENDED, outcome=outcome, **ENDING),
        change(Kind.ENDED, name=NEXT, czxid=103, outcome=outcome, deletes=1),
        Change(Kind.NODE_DELETED, "a", BOARD, None, None, None, at(9), deletes=1),
    )
    assert step.gaps == (Gap(at(2), at(9), Reason.BOARD_DELETED, None, None),)
    assert step.state == BoardState(seen_at=at(9))
    again = advance_missing(step.state, at(10))
    assert (again.changes, again.gaps) == ((), ())
    assert again.state == BoardState(seen_at=at(10))


def test_board_never_seen_and_missing() -> None:
    assert advance_missing(BoardState(), at(1)) == Step(BoardState(seen_at=at(1)), (), ())


# First looks


def test_a_first_look_leaves_no_gap() -> None:
    seen = listing(9, 150, 40, JOB, LOCK, ".trash")
    step = round_of(BoardState(), seen, Reads({JOB: job_read(101)}, {LOCK: lock_read(102)}))
    kinds = [change.kind for change in step.changes]
    assert (kinds, step.gaps) == ([Kind.POSTED, Kind.CLAIMED, Kind.NODE_CREATED], ())


def test_a_board_that_comes_into_being_has_an_account_from_its_first_create() -> None:
    step = round_of(BoardState(seen_at=at(1)), listing(9, 105, 3, JOB), Reads({JOB: job_read(101)}))
    assert [change.kind for change in step.changes] == [Kind.POSTED]
    assert step.gaps == (Gap(at(1), at(9), Reason.COALESCED, 2, 2),)


def test_a_board_made_again_between_two_looks() -> None:
    seen = listing(9, 202, 2, JOB, czxid=200)
    step = round_of(RUNNING, seen, Reads({JOB: job_read(201, "u-2")}))
    ended, posted = step.changes
    assert ended == change(Kind.ENDED, outcome=Outcome.BOARD_DELETED, **ENDING)
    assert (posted.kind, posted.incarnation, posted.uuid) == (Kind.POSTED, 200, "u-2")
    assert step.gaps == (
        Gap(at(2), at(9), Reason.BOARD_DELETED, None, None),
        Gap(at(2), at(9), Reason.COALESCED, 1, 1),
    )


# What is wanted


def test_only_what_is_new_is_wanted() -> None:
    before = state(2, 103, 4, (CLAIMED, replace(UNCLAIMED, name=NEXT, czxid=103)), ("a",))
    quiet = listing(9, 103, 4, JOB, LOCK, NEXT, "a")
    none = frozenset[str]()
    assert wanted(before, quiet) == ReadSet(none, none, none)
    seen = listing(9, 108, 8, NEXT, NEXT_LOCK, "a", "b", "job0000000005", "job0000000005.lock")
    assert wanted(before, seen) == ReadSet(
        frozenset({"job0000000005"}),
        frozenset({NEXT_LOCK, "job0000000005.lock"}),
        frozenset({JOB}),
    )


def test_suspects_are_wanted_where_they_are_listed() -> None:
    quiet = listing(9, 102, 2, JOB, LOCK)
    suspects = frozenset({LOCK, NEXT, NEXT_LOCK, "a"})
    assert wanted(RUNNING, quiet, suspects) == ReadSet(frozenset(), frozenset({LOCK}), frozenset())
    assert wanted(RUNNING, quiet, frozenset({JOB})).jobs == {JOB}


def test_everything_is_wanted_of_a_board_that_can_not_be_compared() -> None:
    everything = ReadSet(frozenset({JOB}), frozenset({LOCK}), frozenset())
    newer = state(9, 150, 50, (CLAIMED,))
    for before, czxid in ((BoardState(), BOARD), (RUNNING, 101), (newer, BOARD)):
        assert wanted(before, listing(9, 102, 2, JOB, LOCK, "a", czxid=czxid)) == everything


# Races between a listing and its reads


@pytest.mark.parametrize("read", [Unread.GONE, job_read(102)])
def test_a_job_gone_before_it_could_be_read(read: JobRead | Unread) -> None:
    first = round_of(EMPTY, listing(9, 101, 1, JOB), Reads({JOB: read}))
    assert first.changes == (change(Kind.POSTED, czxid=None, uuid=None, creates=1),)
    assert first.state.unread == {JOB}
    gone = round_of(first.state, listing(10, 102, 1), Reads(trash={JOB: Unread.GONE}))
    assert [change.kind for change in gone.changes] == [Kind.REMOVED]
    trash = Reads(trash={JOB: trash_read(104)})
    trashed = round_of(first.state, listing(10, 104, 2), trash)
    assert [(change.kind, change.uuid) for change in trashed.changes] == [(Kind.TRASHED, "u-1")]
    assert trashed.gaps == (Gap(at(9), at(10), Reason.COALESCED, 1, 1),)
    # Should one of its name be there, it is another one.
    again = round_of(first.state, listing(10, 103, 2, JOB), Reads({JOB: job_read(103)}))
    assert [(c.kind, c.czxid) for c in again.changes] == [(Kind.ENDED, None), (Kind.POSTED, 103)]
    assert not again.gaps


@pytest.mark.parametrize("read", [Unread.GONE, lock_read(104)])
def test_a_lock_gone_before_it_could_be_read(read: LockRead | Unread) -> None:
    first = round_of(WAITING, listing(9, 102, 2, JOB, LOCK), Reads({}, {LOCK: read}))
    assert first.changes == (change(Kind.CLAIMED, creates=1),)
    assert first.state.jobs == {JOB: UNREAD_CLAIM}
    consumed = round_of(first.state, listing(10, 103, 2), Reads(trash={JOB: Unread.GONE}))
    assert [change.kind for change in consumed.changes] == [Kind.CONSUMED]
    seen = listing(10, 104, 3, JOB, LOCK)
    again = round_of(first.state, seen, Reads({JOB: job_read(101)}, {LOCK: lock_read(104, "bob")}))
    assert [(c.kind, c.owner) for c in again.changes] == [
        (Kind.ABANDONED, None),
        (Kind.CLAIMED, "bob"),
    ]
    assert not again.gaps


def test_the_ending_under_a_lock_that_may_be_another_s_names_nobody() -> None:
    """It was released and taken again, and let go when it was to be read."""
    gone_again = Reads({}, {LOCK: Unread.GONE})
    doubtful = round_of(RUNNING, listing(9, 106, 3, JOB, LOCK), gone_again)
    assert doubtful.state.unread == doubtful.state.doubtful == {JOB}
    gone = round_of(doubtful.state, listing(10, 108, 3), Reads(trash={JOB: Unread.GONE}))
    assert [(change.kind, change.owner) for change in gone.changes] == [(Kind.CONSUMED, None)]
    read = Reads({JOB: job_read(101)}, {LOCK: lock_read(106, owner="bob")})
    known = round_of(doubtful.state, listing(10, 106, 3, JOB, LOCK), read)
    assert not known.state.doubtful
    still = Reads({JOB: job_read(101)}, {LOCK: Unread.GONE})
    later = round_of(doubtful.state, listing(10, 106, 3, JOB, LOCK), still)
    assert later.state.doubtful == {JOB}, "no account that closes afterwards takes it back"


def test_the_ending_under_a_lock_that_is_surely_the_known_one_names_who_held_it() -> None:
    """It was gone when it was to be read again, but listed, and nothing else had happened."""
    gone = Reads({}, {LOCK: Unread.GONE})
    listed = round_of(RUNNING, listing(9, 102, 2, JOB, LOCK), gone)
    assert listed.state.unread == {JOB}
    assert not listed.gaps
    ended = round_of(listed.state, listing(10, 104, 2), Reads(trash={JOB: Unread.GONE}))
    assert [(change.kind, change.owner) for change in ended.changes] == [(Kind.CONSUMED, "ann")]


def test_a_lock_gone_before_it_could_be_read_and_another_that_outlives_the_job() -> None:
    reads = Reads({}, {LOCK: Unread.GONE})
    first = round_of(WAITING, listing(9, 102, 2, JOB, LOCK), reads)
    reads = Reads({}, {LOCK: lock_read(104)}, {JOB: Unread.GONE})
    step = advance(first.state, listing(10, 105, 3, LOCK), reads, Reason.COALESCED)
    assert wanted(first.state, listing(10, 105, 3, LOCK)).locks == {LOCK}
    assert [(c.kind, c.deletes) for c in step.changes] == [(Kind.ENDED, 2), (Kind.NODE_CREATED, 0)]
    assert not step.gaps


def test_a_lock_that_changed_hands_between_two_listings() -> None:
    seen = listing(9, 104, 3, JOB, LOCK)
    step = round_of(RUNNING, seen, Reads({}, {LOCK: lock_read(104, "bob")}))
    assert [(c.kind, c.owner, c.lock_czxid) for c in step.changes] == [
        (Kind.ABANDONED, "ann", 102),
        (Kind.CLAIMED, "bob", 104),
    ]
    assert not step.gaps


@pytest.mark.parametrize("read", [Unread.GONE, lock_read(104)])
def test_a_lock_that_changed_hands_after_the_listing(read: LockRead | Unread) -> None:
    """It may have been there when it was listed: nothing is told yet, and it is read again."""
    step = round_of(RUNNING, listing(9, 102, 2, JOB, LOCK), Reads({}, {LOCK: read}))
    assert (step.changes, step.gaps) == ((), ())
    assert step.state.jobs == {JOB: CLAIMED}
    assert wanted(step.state, listing(10, 104, 3, JOB, LOCK)).locks == {LOCK}


def test_a_lock_that_was_not_touched_is_the_same() -> None:
    step = round_of(RUNNING, listing(9, 102, 2, JOB, LOCK), Reads({}, {LOCK: lock_read(102)}))
    assert (step.changes, step.gaps) == ((), ())
    assert not step.state.unread


@pytest.mark.parametrize("read", [Unread.GONE, job_read(103, "u-2")])
def test_a_job_that_was_replaced_after_the_listing_is_read_again(read: JobRead | Unread) -> None:
    reads = Reads({JOB: read})
    step = advance(WAITING, listing(9, 101, 1, JOB), reads, Reason.COALESCED)
    assert (step.changes, step.gaps) == ((), ())
    assert wanted(step.state, listing(10, 103, 2, JOB)).jobs == {JOB}


def test_what_an_acl_hides_stays_what_it_is_while_it_is_listed() -> None:
    hidden = Reads({JOB: Unread.DENIED}, {LOCK: Unread.DENIED})
    seen = listing(9, 102, 2, JOB, LOCK)
    first = round_of(EMPTY, seen, hidden)
    assert [(c.kind, c.czxid, c.lock_czxid, c.payload) for c in first.changes] == [
        (Kind.POSTED, None, None, None),
        (Kind.CLAIMED, None, None, None),
    ]
    restored = EMPTY.after(first.changes)
    gone = Reads({JOB: Unread.GONE}, {LOCK: Unread.GONE})
    shown = Reads({JOB: job_read(101)}, {LOCK: lock_read(102)})  # the ACL was changed
    for later in (hidden, gone, shown):
        for known in (first.state, replace(restored, stat=seen.stat, told_creates=0)):
            step = advance(known, replace(seen, seen_at=at(10)), later, Reason.COALESCED)
            assert (step.changes, step.gaps) == ((), ())
            assert step.state.jobs == first.state.jobs
    # A hidden job is not asked for again and again.
    assert wanted(first.state, seen) == ReadSet(frozenset(), frozenset(), frozenset())
    removed = round_of(first.state, listing(10, 103, 2, LOCK), Reads(trash={JOB: Unread.GONE}))
    assert [(c.kind, c.deletes) for c in removed.changes] == [(Kind.REMOVED, 1)]
    assert not removed.gaps
    abandoned = round_of(first.state, listing(10, 103, 2, JOB), Reads())
    assert [c.kind for c in abandoned.changes] == [Kind.ABANDONED]
    trashed = Reads(trash={JOB: Unread.DENIED})
    ended = round_of(first.state, listing(10, 103, 2), trashed)
    assert [(c.kind, c.deletes) for c in ended.changes] == [(Kind.ENDED, 2)]


def test_what_was_not_read_is_not_invented() -> None:
    with pytest.raises(KeyError):
        advance(EMPTY, listing(9, 101, 1, JOB), Reads(), Reason.COALESCED)
    with pytest.raises(KeyError):
        advance(WAITING, listing(9, 102, 2, JOB, LOCK), Reads(), Reason.COALESCED)


# Locks without jobs


def test_a_lock_that_was_there_before_its_job() -> None:
    first = round_of(EMPTY, listing(9, 101, 1, LOCK), Reads())
    assert first.state.others == {LOCK}
    seen = listing(10, 102, 2, JOB, LOCK)
    step = round_of(first.state, seen, Reads({JOB: job_read(102)}, {LOCK: lock_read(101)}))
    posted, claimed = step.changes
    assert (posted.kind, posted.creates) == (Kind.POSTED, 1)
    assert (claimed.kind, claimed.creates) == (Kind.CLAIMED, 0)
    assert (claimed.other_added, claimed.other_removed) == (None, LOCK)
    assert not step.gaps
    assert not step.state.others


def test_a_lock_that_outlives_its_job_until_the_next_one_of_its_name() -> None:
    reads = Reads({JOB: job_read(104, "u-2")}, {LOCK: lock_read(102)})
    step = advance(RUNNING, listing(9, 104, 3, JOB, LOCK), reads, Reason.COALESCED)
    assert [(c.kind, c.uuid, c.creates, c.deletes) for c in step.changes] == [
        (Kind.ENDED, "u-1", 0, 1),
        (Kind.POSTED, "u-2", 1, 0),
        (Kind.CLAIMED, "u-2", 0, 0),
    ]
    assert not step.gaps


def test_a_job_replaced_unnoticed_is_counted_once() -> None:
    """By hand, under its own name: first there is only a gap; what is read later explains none."""
    blind = round_of(WAITING, listing(9, 103, 2, JOB), Reads())
    assert blind.gaps == (Gap(at(1), at(9), Reason.COALESCED, 1, 1),)
    reads = Reads({JOB: job_read(103, "u-2")})
    step = advance(blind.state, listing(10, 103, 2, JOB), reads, Reason.COALESCED)
    assert [(c.kind, c.uuid, c.creates, c.deletes) for c in step.changes] == [
        (Kind.ENDED, "u-1", 0, 0),
        (Kind.POSTED, "u-2", 0, 0),
    ]
    assert not step.gaps


def test_a_job_replaced_unnoticed_whose_lock_went_later() -> None:
    reads = Reads({JOB: job_read(101, "u-2")})
    before = state(2, 102, 2, (replace(CLAIMED, czxid=99),))
    step = advance(before, listing(9, 103, 2, JOB), reads, Reason.COALESCED)
    assert [(c.kind, c.uuid, c.creates, c.deletes) for c in step.changes] == [
        (Kind.ABANDONED, "u-1", 0, 1),
        (Kind.ENDED, "u-1", 0, 0),
        (Kind.POSTED, "u-2", 0, 0),
    ]
    assert not step.gaps


# The trash, which boards with the same parent share


@pytest.mark.parametrize(
    ("known", "trashed", "kind"),
    [
        ("u-1", trash_read(103, "u-1"), Kind.TRASHED),
        ("u-1", trash_read(103, "u-2"), Kind.ENDED),  # another board's, or edited before
        ("u-1", trash_read(104, "u-2"), Kind.TRASHED),  # this board's last transaction made it
        ("u-1", trash_read(104, None), Kind.TRASHED),
        ("u-1", trash_read(102, "u-1"), Kind.CONSUMED),  # made before this round
        ("u-1", trash_read(105, "u-1"), Kind.CONSUMED),  # or after it
        ("u-1", replace(trash_read(102, "u-1"), is_all=False), Kind.ENDED),
        ("u-1", trash_read(103, None), Kind.ENDED),  # whose is it?
        (None, trash_read(103, "u-1"), Kind.ENDED),
        (None, trash_read(103, None), Kind.TRASHED),
        (None, trash_read(102, None), Kind.CONSUMED),
    ],
)
def test_whose_is_what_is_in_the_trash(known: str | None, trashed: TrashRead, kind: Kind) -> None:
    before = state(2, 102, 2, (replace(CLAIMED, uuid=known),))
    step = round_of(before, listing(9, 104, 2), Reads(trash={JOB: trashed}))
    assert [change.kind for change in step.changes] == [kind]


# Other ensembles


def test_a_restored_ensemble_is_an_era() -> None:
    """The listing is older than what is known: counters say nothing, and outcomes are unknown."""
    before = state(9, 150, 50, (CLAIMED, replace(UNCLAIMED, name=NEXT, czxid=140)), ("a",))
    seen = listing(10, 103, 3, JOB, LOCK, "job0000000002")
    reads = Reads(
        {JOB: job_read(101), "job0000000002": job_read(103, "u-3")}, {LOCK: lock_read(102)}
    )
    step = round_of(before, seen, reads)
    assert [(c.kind, c.name, c.outcome) for c in step.changes] == [
        (Kind.ENDED, NEXT, Outcome.UNKNOWN),
        (Kind.NODE_DELETED, "a", None),
        (Kind.POSTED, "job0000000002", None),
    ]
    assert step.gaps == (Gap(at(9), at(10), Reason.ERA, None, None),)
    assert step.state.jobs[JOB] == CLAIMED


@pytest.mark.parametrize("read", [Unread.GONE, job_read(104)])
def test_what_is_newer_than_a_restored_ensemble_is_not_what_is_listed(
    read: JobRead | Unread,
) -> None:
    before = state(9, 150, 50, (replace(UNCLAIMED, czxid=140),))
    step = round_of(before, listing(10, 103, 3, JOB), Reads({JOB: read}))
    assert [(c.kind, c.czxid) for c in step.changes] == [(Kind.ENDED, 140), (Kind.POSTED, None)]


@pytest.mark.parametrize("reason", [Reason.ERA, Reason.HANDOVER])
def test_a_restored_ensemble_gives_a_czxid_and_a_name_out_twice(reason: Reason) -> None:
    """It has gone on past all that was known, so only the times tell."""
    twin = replace(job_read(101, "u-2"), at=at(50))
    step = advance(WAITING, listing(60, 140, 40, JOB), Reads({JOB: twin}), reason)
    assert [(c.kind, c.uuid) for c in step.changes] == [(Kind.ENDED, "u-1"), (Kind.POSTED, "u-2")]
    [gap] = step.gaps
    assert gap.reason is reason
    lock = replace(lock_read(102), at=at(50), owner="bob")
    step = advance(RUNNING, listing(60, 140, 40, JOB, LOCK), Reads({}, {LOCK: lock}), reason)
    assert [(c.kind, c.owner) for c in step.changes] == [
        (Kind.ABANDONED, CLAIMED.lock and CLAIMED.lock.owner),
        (Kind.CLAIMED, "bob"),
    ]


def test_an_older_incarnation_is_an_era_and_no_deletion() -> None:
    step = round_of(replace(RUNNING, stat=Stat(200, 202, 2, 2)), listing(9, 105, 3), Reads())
    [ended] = step.changes
    assert (ended.kind, ended.outcome, ended.incarnation) == (Kind.ENDED, Outcome.UNKNOWN, 200)
    assert step.gaps == (Gap(at(2), at(9), Reason.ERA, None, None),)


def test_an_older_incarnation_of_which_a_part_was_told_is_an_era_still() -> None:
    before = replace(EMPTY, stat=Stat(200, 200, 0, 0))
    seen = listing(9, 301, 41, JOB)
    whole = round_of(before, seen, Reads({JOB: job_read(301)}))
    part = before.after(whole.changes)
    rest = round_of(part, seen, Reads({JOB: job_read(301)}))
    assert (rest.changes, rest.gaps) == ((), whole.gaps)
    assert [gap.reason for gap in whole.gaps] == [Reason.ERA]


def test_an_era_that_the_caller_knows_of() -> None:
    reads = Reads({JOB: job_read(108, "u-2")})
    step = advance(WAITING, listing(9, 108, 8, JOB), reads, Reason.ERA)
    assert [(c.kind, c.uuid, c.creates, c.deletes) for c in step.changes] == [
        (Kind.ENDED, "u-1", 0, 1),
        (Kind.POSTED, "u-2", 1, 0),
    ]
    assert step.gaps == (Gap(at(1), at(9), Reason.ERA, None, None),)
    trash = Reads(trash={JOB: trash_read(103)})
    step = advance(WAITING, listing(9, 103, 3), trash, Reason.ERA)
    assert [change.outcome for change in step.changes] == [Outcome.UNKNOWN]
    missing = advance_missing(WAITING, at(9), Reason.ERA)
    assert [change.outcome for change in missing.changes] == [Outcome.UNKNOWN]
    assert missing.gaps == step.gaps


def test_counters_that_can_not_be_are_an_era() -> None:
    before = state(1, 101, 5, (UNCLAIMED,))
    era = (Gap(at(1), at(9), Reason.ERA, None, None),)
    shrunk = round_of(before, listing(9, 108, 4, JOB), Reads())
    assert (shrunk.changes, shrunk.gaps) == ((), era)
    # What was seen needs more creates, or more deletes, than were counted.
    posted = round_of(before, listing(9, 108, 5, JOB, NEXT), Reads({NEXT: job_read(108, "u-2")}))
    assert ([change.kind for change in posted.changes], posted.gaps) == ([Kind.POSTED], era)
    ended = round_of(before, listing(9, 108, 4), Reads(trash={JOB: Unread.GONE}))
    assert ([change.kind for change in ended.changes], ended.gaps) == ([Kind.ENDED], era)


# Counters


@pytest.mark.parametrize(
    ("cversion", "num_children", "creates", "deletes"),
    [
        (0, 0, 0, 0),
        (1, 1, 1, 0),
        (2, 0, 1, 1),
        (13, 3, 8, 5),
        (2**31 - 1, 1, 2**30, 2**30 - 1),  # the last that is positive
        (-(2**31), 0, 2**30, 2**30),  # ZooKeeper's cversion has 32 bits
        (-(2**31) + 1, 1, 2**30 + 1, 2**30),
        (-2, 0, 2**31 - 1, 2**31 - 1),
        (-3, 1, 2**31 - 1, 2**31 - 2),
    ],
)
def test_creates_and_deletes(cversion: int, num_children: int, creates: int, deletes: int) -> None:
    stat = Stat(1, 1, cversion, num_children)
    assert (stat.creates, stat.deletes) == (creates, deletes)


@pytest.mark.parametrize("reason", [Reason.COALESCED, Reason.RESTART, Reason.SUSPENDED])
def test_a_gap_has_the_reason_that_is_to_blame(reason: Reason) -> None:
    step = advance(EMPTY, listing(9, 110, 5), Reads(), reason)
    assert step.gaps == (Gap(at(0), at(9), reason, 5, 5),)


def test_whose_claim_ends_is_told_though_its_lock_was_gone_when_it_was_read() -> None:
    """An abandonment names the owner before, also where job and lock were replaced unnoticed."""
    known = replace(state(2, 106, 6, (CLAIMED,)), doubtful=frozenset({JOB}))
    reads = Reads({JOB: job_read(104, "u-2")}, {LOCK: lock_read(106, "bob")})
    step = advance(known, listing(9, 106, 6, JOB, LOCK), reads, Reason.COALESCED)
    told = [(each.kind, each.owner, each.creates + each.deletes) for each in step.changes]
    assert told == [
        (Kind.ABANDONED, "ann", 0),
        (Kind.ENDED, None, 0),
        (Kind.POSTED, None, 0),
        (Kind.CLAIMED, "bob", 0),
    ]


# Parts of a round that is too large for one step


def test_new_jobs_are_told_in_parts_and_the_account_closes() -> None:
    before = state(2, 103, 3, (CLAIMED,), ("a",))
    seen = listing(9, 108, 6, JOB, NEXT, NEXT_LOCK, "b")
    asked = wanted(before, seen)
    assert unknown(before, seen, asked) == {NEXT}
    reads = Reads({NEXT: job_read(104, "u-2")}, {NEXT_LOCK: lock_read(105)})
    part = advance_part(before, seen, reads, Reason.COALESCED)
    assert [(each.kind, each.name) for each in part.changes] == [
        (Kind.POSTED, NEXT),
        (Kind.CLAIMED, NEXT),
    ]
    assert (part.gaps, part.state.stat, part.state.seen_at) == ((), before.stat, before.seen_at)
    assert unknown(part.state, seen, wanted(part.state, seen)) == frozenset()
    rest = advance(part.state, seen, Reads(trash={}), Reason.COALESCED)
    told = {(each.kind, each.name) for each in rest.changes}
    assert told == {
        (Kind.ABANDONED, JOB),
        (Kind.NODE_DELETED, "a"),
        (Kind.NODE_CREATED, "b"),
    }
    assert rest.gaps == ()


def test_of_a_first_look_in_parts_the_last_one_has_no_gap() -> None:
    seen = listing(9, 150, 40, JOB, NEXT)
    none = BoardState()
    assert unknown(none, seen, wanted(none, seen)) == {JOB, NEXT}
    part = advance_part(none, seen, Reads({JOB: job_read(101)}), Reason.RESTART)
    assert unknown(part.state, seen, wanted(part.state, seen)) == {NEXT}
    later = listing(10, 160, 41, JOB, NEXT)
    reads = Reads({JOB: job_read(101), NEXT: job_read(102, "u-2")})
    last = advance(part.state, later, reads, Reason.COALESCED)
    assert ([each.name for each in last.changes], last.gaps) == ([NEXT], ())


@pytest.mark.parametrize(("reason", "creates"), [(Reason.COALESCED, 0), (Reason.ERA, 1)])
def test_in_a_new_era_nothing_was_counted_before(reason: Reason, creates: int) -> None:
    before = state(2, 110, 3)
    seen = listing(9, 120, 3, JOB)
    part = advance_part(before, seen, Reads({JOB: job_read(105)}), reason)
    assert [(each.kind, each.creates) for each in part.changes] == [(Kind.POSTED, creates)]


# Edits among all else


def edition(mzxid: int, version: int = 1) -> Edition:
    return Edition(version, mzxid, at(mzxid - BOARD - 0.5))


@pytest.mark.parametrize(("mzxid", "is_before"), [(103, True), (105, False)])
def test_an_edit_is_told_where_it_happened(mzxid: int, is_before: bool) -> None:
    reads = Reads(
        {JOB: replace(job_read(101, "u-9"), edition=edition(mzxid)), NEXT: job_read(104, "u-2")}
    )
    step = advance(WAITING, listing(9, 104, 2, JOB, NEXT), reads, Reason.COALESCED)
    kinds = [each.kind for each in step.changes]
    assert kinds == [Kind.EDITED, Kind.POSTED][:: 1 if is_before else -1]
    [edit] = [each.edit for each in step.changes if each.edit]
    assert (edit.is_first, edit.edits, edit.uuid) == (False, 1, "u-1")
    assert step.state.jobs[JOB].uuid == "u-9"
    assert step.state.jobs[JOB].edition == edition(mzxid)
    assert step.gaps == ()


def test_an_edit_that_a_restored_ensemble_does_not_know_comes_first() -> None:
    before = state(1, 101, 1, (replace(UNCLAIMED, edition=edition(130)),))
    reads = Reads({JOB: job_read(101), NEXT: job_read(104, "u-2")})
    step = advance(before, listing(9, 104, 2, JOB, NEXT), reads, Reason.COALESCED)
    assert [each.kind for each in step.changes] == [Kind.EDITED, Kind.POSTED]
    assert step.state.jobs[JOB].edition is None


@pytest.mark.parametrize(("unedited", "kind"), [({JOB}, Kind.REMOVED), (set(), Kind.ENDED)])
def test_another_uuid_in_the_trash_is_another_job_unless_it_was_edited(
    unedited: set[str], kind: Kind
) -> None:
    reads = Reads(trash={JOB: trash_read(102, "u-2")}, unedited=frozenset(unedited))
    step = advance(WAITING, listing(9, 103, 1), reads, Reason.COALESCED)
    assert [each.kind for each in step.changes] == [kind]


# Time in which nobody watched


HOLES = [Reason.LATE, Reason.SUSPENDED, Reason.HANDOVER, Reason.RESTART, Reason.OVERFLOW]


@pytest.mark.parametrize("reason", HOLES)
def test_what_is_found_after_a_hole_leaves_a_gap_in_which_nothing_is_unseen(
    reason: Reason,
) -> None:
    trash = {JOB: Unread.GONE}
    step = advance(RUNNING, listing(9, 104, 2), Reads(trash=trash), reason)
    assert [change.kind for change in step.changes] == [Kind.CONSUMED]
    assert step.gaps == (Gap(at(2), at(9), reason, 0, 0),)


@pytest.mark.parametrize("reason", HOLES)
def test_a_hole_in_which_nothing_happened_is_known_for_every_moment(reason: Reason) -> None:
    reads = Reads({JOB: job_read(101)}, {LOCK: lock_read(102)})
    step = advance(RUNNING, listing(9, 102, 2, JOB, LOCK), reads, reason)
    assert (step.changes, step.gaps) == ((), ())


def test_what_is_unseen_in_a_hole_is_in_one_gap_with_what_is_found() -> None:
    step = advance(RUNNING, listing(9, 110, 4), Reads(trash={JOB: Unread.GONE}), Reason.RESTART)
    assert [change.kind for change in step.changes] == [Kind.ENDED]
    assert step.gaps == (Gap(at(2), at(9), Reason.RESTART, 2, 2),)


@pytest.mark.parametrize("reason", HOLES)
def test_while_nobody_watches_boards_may_come_and_go(reason: Reason) -> None:
    """Nothing is left of them that could tell."""
    unknown = (Gap(at(1), at(9), reason, None, None),)
    awaited = BoardState(seen_at=at(1))
    assert advance_missing(awaited, at(9), reason).gaps == unknown
    assert advance_missing(awaited, at(9)).gaps == ()
    assert advance(awaited, listing(9, 100, 0), Reads(), reason).gaps == unknown
    reads = Reads({JOB: job_read(101)})
    assert advance(awaited, listing(9, 101, 1, JOB), reads, reason).gaps == unknown
    assert advance(awaited, listing(9, 101, 1, JOB), reads, Reason.COALESCED).gaps == ()


@pytest.mark.parametrize("reason", HOLES)
def test_a_board_that_was_made_again_in_a_hole_leaves_one_gap(reason: Reason) -> None:
    seen = listing(9, 201, 1, JOB, czxid=200)
    step = advance(RUNNING, seen, Reads({JOB: job_read(201, "u-2")}), reason)
    assert step.gaps == (Gap(at(2), at(9), Reason.BOARD_DELETED, None, None),)


@pytest.mark.parametrize("reason", HOLES)
def test_before_the_first_look_there_is_no_gap(reason: Reason) -> None:
    assert advance(BoardState(), listing(9, 100, 0), Reads(), reason).gaps == ()
    assert advance_missing(BoardState(), at(9), reason).gaps == ()


# A round that a store wrote only a part of


def test_told_changes_are_not_told_again() -> None:
    seen = listing(9, 104, 4, JOB, LOCK, NEXT, "a")
    reads = Reads({JOB: job_read(101), NEXT: job_read(103, "u-2")}, {LOCK: lock_read(102)})
    whole = round_of(EMPTY, seen, reads)
    for told in range(len(whole.changes) + 1):
        part = EMPTY.after(whole.changes[:told])
        assert (part.stat, part.seen_at) == (EMPTY.stat, EMPTY.seen_at)
        rest = advance(part, seen, reads, Reason.RESTART)
        assert rest.changes == whole.changes[told:]
        # What the worker before had seen and could not tell is told, but not when it was.
        unwatched = Gap(at(0), at(9), Reason.RESTART, 0, 0)
        assert rest.gaps == ((unwatched,) if rest.changes else ())
        assert rest.state == whole.state


def test_a_part_of_a_new_incarnation_was_told() -> None:
    seen = listing(9, 205, 3, JOB, LOCK, czxid=200)
    reads = Reads({JOB: job_read(201, "u-2")}, {LOCK: lock_read(205)})
    whole = round_of(RUNNING, seen, reads)
    assert len(whole.changes) == 3
    for told in range(4):
        part = RUNNING.after(whole.changes[:told])
        assert part.incarnation == (200 if told > 1 else BOARD)
        rest = advance(part, seen, reads, Reason.COALESCED)
        assert (rest.changes, rest.gaps) == (whole.changes[told:], whole.gaps)
        assert rest.state == whole.state
    # Should that incarnation be gone too, its jobs end with it.
    part = RUNNING.after(whole.changes)
    for step in (
        advance_missing(part, at(10)),
        advance(part, listing(10, 300, 0, czxid=300), Reads(), Reason.COALESCED),
    ):
        assert [(c.kind, c.outcome, c.incarnation, c.uuid) for c in step.changes] == [
            (Kind.ENDED, Outcome.BOARD_DELETED, 200, "u-2")
        ]
        assert step.gaps == (Gap(at(2), at(10), Reason.BOARD_DELETED, None, None),)
    # Should the one before it be there again, the ensemble was restored.
    step = advance(part, listing(10, 110, 9), Reads(), Reason.COALESCED)
    assert [(c.outcome, c.incarnation) for c in step.changes] == [(Outcome.UNKNOWN, 200)]
    assert step.gaps == (Gap(at(2), at(10), Reason.ERA, None, None),)


def test_a_part_of_a_first_look_was_told_and_the_board_is_gone() -> None:
    seen = listing(9, 101, 1, JOB)
    part = BoardState().after(round_of(BoardState(), seen, Reads({JOB: job_read(101)})).changes)
    step = advance_missing(part, at(10))
    assert [(c.kind, c.outcome) for c in step.changes] == [(Kind.ENDED, Outcome.BOARD_DELETED)]
    assert not step.gaps  # nothing was watched yet


def test_restoring_gives_what_was_there() -> None:
    seen = listing(9, 105, 5, JOB, LOCK, NEXT, NEXT_LOCK, "a")
    reads = Reads(
        {JOB: job_read(101), NEXT: Unread.GONE}, {LOCK: lock_read(102), NEXT_LOCK: Unread.GONE}
    )
    known = round_of(EMPTY, seen, reads).state
    assert known.unread == {NEXT}
    restored = BoardState.restore(known.stat, known.seen_at, known.jobs.values(), known.others)
    assert restored == known


def test_one_change_on_a_board_of_10_000_jobs_costs_little() -> None:
    names = [f"job{number:010d}" for number in range(10_001)]
    jobs = {name: job_read(101 + number) for number, name in enumerate(names)}
    seen = listing(1, 10_100, 10_000, *names[:10_000])
    known = advance(
        BoardState(), seen, Reads({name: jobs[name] for name in seen.children}), Reason.RESTART
    ).state
    spent = []
    for second in range(2, 12):
        count = 10_000 + second % 2
        seen = listing(second, 10_100 + second, 10_000 + second // 2, *names[:count])
        begin = time.process_time()
        want = wanted(known, seen)
        reads = Reads(
            {name: replace(jobs[name], czxid=10_100 + second) for name in want.jobs},
            trash=dict.fromkeys(want.trash, Unread.GONE),
        )
        step = advance(known, seen, reads, Reason.COALESCED)
        spent.append(time.process_time() - begin)
        assert len(step.changes) == (second > 2)
        known = step.state
    print(f"one change on a board of 10,000 jobs: {1000 * sorted(spent)[5]:.2f} ms of CPU")
    assert sorted(spent)[5] < 0.050 * slowness()
