"""One look at a board that is there: what is read, and what comes of it.

Promises: where more jobs are new than may be read at once, a look tells of the first of them and
says that it ``is_part``; the next look, on a new listing, goes on. What is read again to be checked
is compared at the very pzxid of the listing, so that a board need not stand still for it: ``wrong``
is what was there at the last look already and was not known, never what has happened since.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canary.model.changes import Change, Reason
from canary.model.names import lock_name
from canary.model.observations import JobRead, Listing, Reads, Unread, Wanted
from canary.model.rounds import advance, advance_missing, advance_part, unknown, wanted
from canary.model.state import BoardState, Step
from canary.watchers.reading import BoardReader, suspects_after

Sizes = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to.

    ``again`` are the locks that the next one must read again; ``wrong`` is, in words, what was
    wrong about what was known; ``sizes`` are how many bytes of data the jobs have that were
    checked, by name and czxid.
    """

    step: Step
    is_part: bool = False
    again: frozenset[str] = frozenset()
    wrong: tuple[str, ...] = ()
    sizes: Sizes = field(default_factory=dict)


def look(
    reader: BoardReader,
    listing: Listing,
    state: BoardState,
    suspects: frozenset[str],
    checked: frozenset[str] | None,
    reason: Reason,
) -> Look:
    """Read what ``listing`` asks for beside ``state``, and tell what has happened.

    ``suspects`` are locks that may have changed hands; ``checked`` are jobs to be read again though
    nothing says that they changed, None where nothing is checked; ``reason`` is to blame for what
    is unseen. Raises ZooKeeperUnavailable.
    """
    plainly = wanted(state, listing, suspects)
    new = sorted(unknown(state, listing, plainly))
    jobs = reader.portion(new)
    if len(jobs) < len(new):
        return _part(reader, listing, state, jobs, reason)
    asked = wanted(state, listing, suspects | checked) if checked else plainly
    reads = reader.read(asked, state.jobs, jobs)
    step = advance(state, listing, reads, reason)
    wrong = _wrong(state, listing, step, reads, plainly, reason) if checked is not None else ()
    sizes = {
        (name, read.czxid): read.size
        for name, read in reads.jobs.items()
        if isinstance(read, JobRead) and read.size is not None
    }
    again = frozenset(suspects_after(listing, reads))
    return Look(step, again=again, wrong=wrong, sizes=sizes)


def _part(
    reader: BoardReader,
    listing: Listing,
    state: BoardState,
    jobs: Mapping[str, JobRead | Unread],
    reason: Reason,
) -> Look:
    """Tell of ``jobs`` alone; of a new incarnation first that the one before is no more."""
    if state.incarnation not in {None, listing.stat.czxid}:
        step = advance_missing(state, listing.seen_at, reason)
        return Look(step, is_part=True)
    locks = {lock_name(name) for name in jobs} & listing.children
    reads = Reads(jobs, reader.locks(locks))
    step = advance_part(state, listing, reads, reason)
    again = frozenset(suspects_after(listing, reads))
    return Look(step, is_part=True, again=again)


def _wrong(
    state: BoardState,
    listing: Listing,
    step: Step,
    reads: Reads,
    plainly: Wanted,
    reason: Reason,
) -> tuple[str, ...]:
    """Return what of ``step`` tells that something was known wrongly.

    A change that explains nothing is of what the last account had counted. Where the board is what
    it was, there is nothing else. What could not be read then is no news.
    """
    is_same = listing.stat == state.stat
    expected: frozenset[Change] = frozenset()
    if not is_same:
        as_always = Reads(
            {name: read for name, read in reads.jobs.items() if name in plainly.jobs},
            {name: read for name, read in reads.locks.items() if name in plainly.locks},
            reads.trash,
        )
        expected = frozenset(advance(state, listing, as_always, reason).changes)
    found = [
        f"{change.kind.value} {change.name}"
        for change in step.changes
        if change.name not in state.unread
        and change not in expected
        and (is_same or change.creates == change.deletes == 0)
    ]
    if is_same:
        counts = [(gap.creates, gap.deletes) for gap in step.gaps]
        found += [f"unseen: {creates}, {deletes}" for creates, deletes in counts if creates != 0]
    return tuple(found)
