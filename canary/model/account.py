"""The account of a board: what its counters say beyond what was told, and when nobody watched it.

Promises: a gap's numbers are exact, or None; an interval for which there is no gap was watched, or
nothing happened in it. Does not tell what happened: ``canary.model.comparison`` does.
"""

from collections.abc import Collection

from canary.model.changes import Change, Gap, Reason
from canary.model.observations import Listing
from canary.model.state import BoardState


def unseen(
    state: BoardState, listing: Listing, told: Collection[Change], reason: Reason, *, is_era: bool
) -> Gap | None:
    """Return what the stat counts beyond ``told``, all of ``listing``'s incarnation.

    None if that explains everything. Counts only grow: where they shrank, or do not reach what was
    seen, they are another's.
    """
    if state.seen_at is None:
        return None  # the first look at a board: there is nothing to compare it with
    start, end = state.seen_at, listing.seen_at
    before_creates = state.stat.creates if state.stat else 0
    before_deletes = state.stat.deletes if state.stat else 0
    creates = listing.stat.creates - before_creates - state.told_creates
    deletes = listing.stat.deletes - before_deletes - state.told_deletes
    creates -= sum(change.creates for change in told)
    deletes -= sum(change.deletes for change in told)
    if is_era or creates < 0 or deletes < 0:
        return Gap(start, end, Reason.ERA, None, None)
    if creates or deletes:
        return Gap(start, end, reason, creates, deletes)
    return None


def unwatched(
    state: BoardState,
    listing: Listing,
    changes: Collection[Change],
    gap: Gap | None,
    reason: Reason,
) -> Gap | None:
    """Return ``gap``, or the one that there is because nobody watched since the last look.

    Equal counters say that nothing happened, and then all of that time is known. What was found by
    comparing is told, but not when it was. Where there was no board, others may have come and gone
    before this one.
    """
    if reason is Reason.COALESCED or state.seen_at is None:
        return gap
    if gap is not None and gap.creates is None:
        return gap
    if state.incarnation is None:
        return Gap(state.seen_at, listing.seen_at, reason, None, None)
    if gap is None and changes:
        return Gap(state.seen_at, listing.seen_at, reason, 0, 0)
    return gap
