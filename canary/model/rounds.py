"""From what was seen to what happened: ``(state, observation) -> (state, changes, gaps)``.

A watcher lists a board, asks ``wanted`` what to read, reads it, and calls ``advance``; where the
board does not exist it calls ``advance_missing``. Both are pure. Where more jobs are new than a
watcher may read at once, it tells of some by ``advance_part``, and lists the board again.

Promises: every change explains creates and deletes that happened, each explained once; what the
board's stat counts beyond them is in a gap, exactly; whatever happened while nobody watched is
within a gap, whether it was found afterwards or only counted; changes of one job come in an order
that is legal for a job. Does not promise to tell in which order the changes of different jobs
happened, beyond this: within one step deletes come before creates, and creates in the order of
their zxids (a claim by a lock that is older than its job comes with the job).

What no listing can tell apart: a job *consumed* by its owner, and one whose lock and znode went in
two transactions (abandoned, then removed by a hand), or that was trashed and taken out of the trash
before it was looked for, all between two listings. It is called consumed. And whose lock it was
that is gone, where it changed hands in a round that left a gap and was gone again before it was
read: an abandonment then names the owner before, an ending nobody.

A job that was deleted and made again under its own name between two listings, which only a hand
does, is noticed when it is read again: where ``suspects`` names it. Until then there is only the
gap that it leaves; then the changes are told, and explain nothing that the gap has counted.
"""

from dataclasses import replace
from datetime import datetime

from canary.model.changes import Change, Gap, Kind, Reason, ending_of, node_change
from canary.model.comparison import Comparison
from canary.model.jobs import Outcome
from canary.model.names import is_job, lock_name, locked_job
from canary.model.observations import Listing, Reads, Stat, Wanted
from canary.model.state import BoardState, Step


def wanted(state: BoardState, listing: Listing, suspects: frozenset[str] = frozenset()) -> Wanted:
    """Return what to read to understand ``listing``.

    ``suspects`` are names of locks that may have changed hands since they were read: their watch
    fired, or was lost with a connection. It may name jobs too, to find those that were replaced.
    """
    there = listing.children
    if not _is_comparable(state, listing.stat):
        jobs = frozenset(name for name in there if is_job(name))
        return Wanted(jobs, frozenset(lock_name(name) for name in jobs) & there, frozenset())
    added = there - state.children
    again = suspects | state.unread
    jobs = frozenset(name for name in added | (again & there) if is_job(name))
    locks = {name for name in added if locked_job(name) in there}
    locks |= {name for name in again if locked_job(name) is not None}
    locks |= {lock_name(name) for name in jobs | state.unread}
    return Wanted(jobs, there & locks, frozenset(state.jobs.keys() - there))


def advance(state: BoardState, listing: Listing, reads: Reads, reason: Reason) -> Step:
    """Compare ``state`` with ``listing`` and say what happened in between.

    ``reads`` must hold what ``wanted`` asked for; ``reason`` is what to blame for what is unseen.
    With any but Reason.COALESCED nobody watched in between: if anything happened, there is a gap.
    With Reason.ERA the counters are not compared: the ensemble is known to be another one, or the
    same restored, and then ``suspects`` should have been all of the state's children.
    """
    stat = listing.stat
    is_era = reason is Reason.ERA or _is_newer(state, stat)
    ended: tuple[Change, ...] = ()
    gaps: tuple[Gap, ...] = ()
    if state.incarnation not in {None, stat.czxid}:
        ended = _endings(state, listing.seen_at, is_era=is_era)
        gaps = () if is_era else _deleted(state, listing.seen_at)
        state = BoardState(seen_at=state.seen_at)
    elif state.stat is not None and state.stat.czxid != stat.czxid:
        # That the old incarnation ended was told, and of the new one a part.
        gaps = () if is_era else _deleted(state, listing.seen_at)
        state = replace(state, stat=None)
    return Comparison(state, listing, reads, is_era=is_era).step(reason, ended, gaps)


def unknown(state: BoardState, listing: Listing, asked: Wanted) -> frozenset[str]:
    """Return the jobs of ``asked`` of which nothing is known, so that all of them is to be read."""
    is_same = state.incarnation == listing.stat.czxid
    return asked.jobs - state.jobs.keys() if is_same else asked.jobs


def advance_part(state: BoardState, listing: Listing, reads: Reads, reason: Reason) -> Step:
    """Tell of the jobs in ``reads``, which were unknown, with their locks, and of nothing else.

    ``reads`` must hold their locks where they are listed; the state must be of the listing's
    incarnation of the board, or of none. The account stays open, as it does where a store could
    write only a part of a round: the next ``advance``, on a later listing, closes it.
    """
    names = reads.jobs.keys() | {lock_name(name) for name in reads.jobs}
    part = replace(listing, children=(state.children - names) | (listing.children & names))
    is_era = reason is Reason.ERA or _is_newer(state, listing.stat)
    changes = Comparison(state, part, reads, is_era=is_era).step(reason, (), ()).changes
    return Step(state.after(changes), changes, ())


def advance_missing(
    state: BoardState, seen_at: datetime, reason: Reason = Reason.COALESCED
) -> Step:
    """Say what follows from the board not existing: every job that was on it has ended.

    ZooKeeper deletes only empty nodes. With Reason.ERA the ensemble is known to be another one, or
    the same restored; then it may be that nobody deleted anything. With any but Reason.COALESCED a
    board that did not exist before may have come and gone: nothing is left that would tell.
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
    """End all that was on an incarnation of the board that is no more."""
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


def _is_newer(state: BoardState, stat: Stat) -> bool:
    """Tell whether the state is of a later moment than ``stat``: then the ensemble was restored."""
    known = state.stat
    return (state.incarnation is not None and state.incarnation > stat.czxid) or (
        known is not None and (known.czxid > stat.czxid or known.pzxid > stat.pzxid)
    )


def _is_comparable(state: BoardState, stat: Stat) -> bool:
    """Tell whether ``stat`` is of the same incarnation as the state, and not older than it."""
    return (
        state.stat is not None
        and state.stat.czxid == state.incarnation == stat.czxid
        and not _is_newer(state, stat)
    )
