"""The account of a board: what its counters count beyond the changes, and when nobody watched it.

Promises: a gap's numbers are exact, or None. An interval without a gap was watched, or nothing
happened in it. Does not say what happened: ``canary.model.comparison`` does.
"""

from collections.abc import Collection

from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.observations import Listing
from canary.model.state import BoardState


def unseen(
    state: BoardState, listing: Listing, told: Collection[Change], reason: Reason, *, is_era: bool
) -> Gap | None:
    """Return the gap of what the stat counts beyond the changes ``told``, or None.

    ``told`` are all changes of ``listing``'s incarnation. None means that they explain everything.
    Counters only grow: if they shrank, or are less than what was seen, they are those of another
    ensemble.
    """
    if state.seen_at is None:
        return None  # the first round: there is nothing to compare it with
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
    """Return ``gap``, or the gap that exists because nobody watched since the last round.

    Equal counters mean that nothing happened, and then all of that time is known. Changes found by
    comparing are recorded, but it is not known when they happened. An edit has its time from
    ZooKeeper, and is in no counter. If there was no board before, others may have come and gone
    before this one.
    """
    if reason is Reason.COALESCED or state.seen_at is None:
        return gap
    if gap is not None and gap.creates is None:
        return gap
    if state.incarnation is None:
        return Gap(state.seen_at, listing.seen_at, reason, None, None)
    if gap is None and any(change.kind is not Kind.EDITED for change in changes):
        return Gap(state.seen_at, listing.seen_at, reason, 0, 0)
    return gap
