"""A watch without ZooKeeper: rounds on a board made by hand, written by whoever took the board."""

from datetime import UTC, datetime

from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.names import lock_name
from canary.model.observations import Listing, Reads
from canary.model.rounds import advance, advance_missing, wanted
from canary.model.state import BoardState, Step
from canary.stores.writing.board_writer import LiveBoard
from tests.unit.board_history import History


def now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def look(
    history: History,
    state: BoardState,
    reason: Reason = Reason.COALESCED,
    listing: Listing | None = None,
) -> Step:
    """Do what a round does: list, read what is wanted, compare."""
    listing = listing or history.listing()
    if listing is None:
        return advance_missing(state, history.now(), reason)
    suspects = frozenset(lock_name(job.name) for job in state.jobs.values() if job.lock)
    asked = wanted(state, listing, suspects)
    reads = Reads(
        {name: history.read_job(name) for name in asked.jobs},
        {name: history.read_lock(name) for name in asked.locks},
        {name: history.read_trash(name) for name in asked.trash},
    )
    return advance(state, listing, reads, reason)


class HandWatch:
    """One watch: ``state`` is what it knows, ``board`` where it writes."""

    def __init__(self, history: History, board: LiveBoard) -> None:
        self.history, self.board = history, board
        self.state, self._reason = board.state, board.reason

    def look(self) -> Step:
        """Look at the board, and write nothing yet."""
        step = look(self.history, self.state, self._reason)
        self.state, self._reason = step.state, Reason.COALESCED
        return step

    def round(self) -> Step:
        """Look at the board and write what happened."""
        step = self.look()
        freshness = Freshness.LIVE if self.history.tree.board else Freshness.MISSING
        self.board.write([step], freshness, now())
        return step


def busy_history(jobs: int = 6) -> History:
    """Return a board with jobs of every kind on it, a folder, and a lock without a job."""
    history = History()
    for _ in range(jobs):
        history.post()
    history.post(b"\xff no JSON")
    names = history.jobs()
    history.claim(names[0], 1)
    history.claim(names[1], 2)
    history.create_child("folder")
    history.create_child("job0000009999.lock", 1)
    return history


def essence(state: BoardState) -> tuple[object, ...]:
    """Return all of a state that a store has to give back.

    ``unread`` is not of it: what the next round reads again, a new watch decides for itself.
    """
    return (
        state.stat,
        state.seen_at,
        dict(state.jobs),
        state.others,
        state.children,
        (state.told_creates, state.told_deletes),
        state.incarnation,
    )
