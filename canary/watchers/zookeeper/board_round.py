"""One round: read a board that exists, and compare it with what was known.

Promises: if there are more new jobs than may be read at once, the round covers the first of them
and ``is_part``. The next round, with a new listing, continues. What is read again to be checked is
compared at the very pzxid of the listing, so the board need not stand still. ``wrong`` is what was
already there at the last round and was not known; what has happened since is never in it.
"""

from collections.abc import Mapping
from dataclasses import replace

from canary.model.changes import Change, Kind, Reason
from canary.model.names import lock_name
from canary.model.observations import JobRead, Listing, Reads, ReadSet, Unread
from canary.model.rounds import (
    advance,
    advance_missing,
    advance_part,
    is_restored,
    unknown,
    wanted,
)
from canary.model.state import BoardState, Step
from canary.watchers.ensemble_clock import EnsembleClock
from canary.watchers.round import Round
from canary.watchers.zookeeper.board_reader import BoardReader, suspects_after


def read(
    reader: BoardReader,
    listing: Listing,
    state: BoardState,
    suspects: frozenset[str],
    checked: frozenset[str] | None,
    reason: Reason,
    clock: EnsembleClock | None = None,
) -> Round:
    """Read what ``listing`` makes necessary, given ``state``, and return what has happened.

    ``suspects`` are locks that may have changed hands. ``checked`` are jobs to be read again
    although nothing says that they changed; None means that nothing is checked. ``reason`` is the
    reason for what is unseen. ``clock`` is ZooKeeper's clock, by which changes are dated in
    Canary's time. Raises ZooKeeperUnavailable.
    """
    found = _read(reader, listing, state, suspects, checked, reason)
    if clock is None:
        return found
    is_era = reason is Reason.ERA or is_restored(state, listing.stat)
    return replace(found, step=clock.date(found.step, state.seen_at, is_era=is_era))


def _read(
    reader: BoardReader,
    listing: Listing,
    state: BoardState,
    suspects: frozenset[str],
    checked: frozenset[str] | None,
    reason: Reason,
) -> Round:
    plainly = wanted(state, listing, suspects)
    new = sorted(unknown(state, listing, plainly))
    jobs = reader.page(new)
    if len(jobs) < len(new):
        return _part(reader, listing, state, jobs, reason)
    asked = wanted(state, listing, suspects | checked) if checked else plainly
    reads = reader.read(asked, state.jobs, jobs)
    step = advance(state, listing, reads, reason)
    wrong = _wrong(state, listing, step, reads, plainly, reason) if checked is not None else ()
    sizes = {
        (name, read.edition.mzxid if read.edition else read.czxid): read.size
        for name, read in reads.jobs.items()
        if isinstance(read, JobRead) and read.size is not None
    }
    again = frozenset(suspects_after(listing, reads))
    return Round(step, again=again, wrong=wrong, sizes=sizes)


def _part(
    reader: BoardReader,
    listing: Listing,
    state: BoardState,
    jobs: Mapping[str, JobRead | Unread],
    reason: Reason,
) -> Round:
    """Return a round of ``jobs`` alone, or of the end of the previous incarnation, if any."""
    if state.incarnation not in {None, listing.stat.czxid}:
        step = advance_missing(state, listing.seen_at, reason)
        return Round(step, is_part=True)
    locks = {lock_name(name) for name in jobs} & listing.children
    reads = Reads(jobs, reader.locks(locks))
    step = advance_part(state, listing, reads, reason)
    again = frozenset(suspects_after(listing, reads))
    return Round(step, is_part=True, again=again)


def _wrong(
    state: BoardState,
    listing: Listing,
    step: Step,
    reads: Reads,
    plainly: ReadSet,
    reason: Reason,
) -> tuple[str, ...]:
    """Return in words which changes of ``step`` show that something was known wrongly.

    Only a change that explains no create and no delete can: it belongs to what the last account had
    counted. If the stat has not changed, every change does. Jobs that could not be read last time
    are not counted.
    """
    is_same = listing.stat == state.stat
    expected: frozenset[Change] = frozenset()
    if not is_same:
        as_always = Reads(
            {name: read for name, read in reads.jobs.items() if name in plainly.jobs},
            {name: read for name, read in reads.locks.items() if name in plainly.locks},
            reads.trash,
            reads.unedited,
        )
        expected = frozenset(advance(state, listing, as_always, reason).changes)
    found = [
        f"{change.kind.value} {change.name}"
        for change in step.changes
        if change.name not in state.unread
        and change.kind is not Kind.EDITED  # somebody else did that, and the stat says when
        and change not in expected
        and (is_same or change.creates == change.deletes == 0)
    ]
    if is_same:
        counts = [(gap.creates, gap.deletes) for gap in step.gaps]
        found += [f"unseen: {creates}, {deletes}" for creates, deletes in counts if creates != 0]
    return tuple(found)
