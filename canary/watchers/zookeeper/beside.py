"""What is watched beside a board. None of it is in the board's account."""

from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.claimed_jobs import ClaimedJobs
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.watchers.zookeeper.conductors import ConductorsWatch
from canary.watchers.zookeeper.trash_collisions import CollisionsWatch


def beside(
    context: WatchContext, store: LiveStore, board: LiveBoard, watch: BoardWatch
) -> tuple[ConductorsWatch | CollisionsWatch, ...]:
    """Return what must run as long as ``watch`` does: the watches of conductors and of the trash.

    Canary's own board gets no watch of its trash: nothing is ever trashed there, and all jobs are
    claimed all the time.
    """
    conductors = ConductorsWatch(context, board.path, board.conductors.show)
    if not board.registered:
        return (conductors,)
    claimed = ClaimedJobs(store.database, board.path)
    return conductors, CollisionsWatch(context, board.path, claimed, watch.has_claims)
