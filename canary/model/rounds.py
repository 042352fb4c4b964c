"""From what was seen to what happened: ``(state, observation) -> (state, changes, gaps)``.

A watcher lists a board, calls ``wanted`` to learn what to read, reads it, and calls ``advance``. If
the board does not exist, it calls ``advance_missing``. Both are pure. If more jobs are new than a
watcher may read at once, it covers some of them with ``advance_part``, and lists the board again.

Promises: every change explains creates and deletes that happened, each explained once. What the
board's stat counts beyond them is in a gap, exactly. Whatever happened while nobody watched is
within a gap, whether it was found afterwards or only counted. Changes of one job come in an order
that is legal for a job. Does not promise in which order the changes of different jobs happened,
except that within one step deletes come before creates, and creates in the order of their zxids (a
claim by a lock that is older than its job comes with the job).

No listing can distinguish a job that was *consumed* by its owner from one whose lock and znode were
deleted in two transactions (abandoned, then removed by hand), or from one that was trashed and
taken out of the trash before that was read, all between two listings. It is called consumed. The
owner of a lock that is gone is also unknown if the lock changed hands in a round that left a gap,
and was gone again before it was read: then an abandonment names the previous owner, and an ending
names nobody.

A job that was deleted and created again under its own name between two listings, which happens only
by hand, is noticed when it is read again: if ``suspects`` names it. Until then there is only the
gap that it leaves. Then the changes are recorded, and explain nothing that the gap has counted.
"""

from dataclasses import replace
from datetime import datetime

from canary.model.changes import Change, Gap, Kind, Reason, ending_of, node_change
from canary.model.comparison import Comparison
from canary.model.jobs import Outcome
from canary.model.names import is_job, lock_name, locked_job
from canary.model.observations import Listing, Reads, ReadSet, Stat
from canary.model.state import BoardState, Step


def wanted(state: BoardState, listing: Listing, suspects: frozenset[str] = frozenset()) -> ReadSet:
    """Return what to read to understand ``listing``.

    ``suspects`` are names of locks that may have changed hands since they were read, because their
    watch fired, or was lost with a connection. It may also name jobs, to find those that were
    replaced.
    """
    there = listing.children
    if not _is_comparable(state, listing.stat):
        jobs = frozenset(name for name in there if is_job(name))
        return ReadSet(jobs, frozenset(lock_name(name) for name in jobs) & there, frozenset())
    added = there - state.children
    again = suspects | state.unread
    jobs = frozenset(name for name in added | (again & there) if is_job(name))
    locks = {name for name in added if locked_job(name) in there}
    locks |= {name for name in again if locked_job(name) is not None}
    locks |= {lock_name(name) for name in jobs | state.unread}
    return ReadSet(jobs, there & locks, frozenset(state.jobs.keys() - there))


def advance(state: BoardState, listing: Listing, reads: Reads, reason: Reason) -> Step:
    """Compare ``state`` with ``listing`` and return what happened in between.

    ``reads`` must hold what ``wanted`` returned. ``reason`` is the reason for what is unseen. With
    any reason but Reason.COALESCED nobody watched in between: if anything happened, there is a gap.
    With Reason.ERA the counters are not compared: the ensemble is known to be another one, or the
    same restored, and then ``suspects`` should have been all of the state's children.
    """
    stat = listing.stat
    is_era = reason is Reason.ERA or is_restored(state, stat)
    ended: tuple[Change, ...] = ()
    gaps: tuple[Gap, ...] = ()
    if state.incarnation not in {None, stat.czxid}:
        ended = _endings(state, listing.seen_at, is_era=is_era)
        gaps = () if is_era else _deleted(state, listing.seen_at)
        state = BoardState(seen_at=state.seen_at)
    elif state.stat is not None and state.stat.czxid != stat.czxid:
        # The end of the old incarnation is recorded already, and a part of the new one.
        gaps = () if is_era else _deleted(state, listing.seen_at)
        state = replace(state, stat=None)
    return Comparison(state, listing, reads, is_era=is_era).step(reason, ended, gaps)


def unknown(state: BoardState, listing: Listing, asked: ReadSet) -> frozenset[str]:
    """Return the jobs of ``asked`` of which nothing is known, so all of each has to be read."""
    is_same = state.incarnation == listing.stat.czxid
    return asked.jobs - state.jobs.keys() if is_same else asked.jobs


def advance_part(state: BoardState, listing: Listing, reads: Reads, reason: Reason) -> Step:
    """Cover the jobs in ``reads``, which were unknown, with their locks, and nothing else.

    ``reads`` must hold their locks if they are listed. The state must be of the listing's
    incarnation of the board, or of none. The account stays open, as it does when a store could
    write only a part of a round: the next ``advance``, on a later listing, closes it.
    """
    names = reads.jobs.keys() | {lock_name(name) for name in reads.jobs}
    part = replace(listing, children=(state.children - names) | (listing.children & names))
    is_era = reason is Reason.ERA or is_restored(state, listing.stat)
    changes = Comparison(state, part, reads, is_era=is_era).step(reason, (), ()).changes
    return Step(state.after(changes), changes, ())


def advance_missing(
    state: BoardState, seen_at: datetime, reason: Reason = Reason.COALESCED
) -> Step:
    """Return what follows from the board not existing: every job that was on it has ended.

    ZooKeeper deletes only empty nodes. With Reason.ERA the ensemble is known to be another one, or
    the same restored; then perhaps nobody deleted anything. With any reason but Reason.COALESCED, a
    board that did not exist before may have come and gone without leaving a trace.
    """
    is_era = reason is Reason.ERA
    changes = _endings(state, seen_at, is_era=is_era)
    if state.incarnation is not None:
        gaps = _deleted(state, seen_at, Reason.ERA if is_era else Reason.BOARD_DELETED)
    elif state.seen_at is not None and reason is not Reason.COALESCED:
        gaps = (Gap(state.seen_at, seen_at, reason, None, None),)
    else:
        gaps = ()
    return Step(BoardState(seen_at=seen_at), changes, gaps)


def _endings(state: BoardState, seen_at: datetime, *, is_era: bool) -> tuple[Change, ...]:
    """End everything that was on an incarnation of the board that no longer exists."""
    incarnation = state.incarnation
    if incarnation is None:
        return ()
    outcome = Outcome.UNKNOWN if is_era else Outcome.BOARD_DELETED
    changes = [
        ending_of(job, incarnation, seen_at, 2 if job.lock else 1, outcome)
        for job in state.jobs.values()
    ]
    changes += [
        node_change(Kind.NODE_DELETED, name, incarnation, seen_at) for name in sorted(state.others)
    ]
    return tuple(changes)


def _deleted(
    state: BoardState, seen_at: datetime, reason: Reason = Reason.BOARD_DELETED
) -> tuple[Gap, ...]:
    if state.incarnation is None or state.seen_at is None:
        return ()
    return (Gap(state.seen_at, seen_at, reason, None, None),)


def is_restored(state: BoardState, stat: Stat) -> bool:
    """Return whether the state is later than ``stat``: then the ensemble was restored."""
    known = state.stat
    return (state.incarnation is not None and state.incarnation > stat.czxid) or (
        known is not None and (known.czxid > stat.czxid or known.pzxid > stat.pzxid)
    )


def _is_comparable(state: BoardState, stat: Stat) -> bool:
    """Return whether ``stat`` is of the state's incarnation, and not older than the state."""
    return (
        state.stat is not None
        and state.stat.czxid == state.incarnation == stat.czxid
        and not is_restored(state, stat)
    )
