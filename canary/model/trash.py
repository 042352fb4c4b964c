"""Whether a job that is gone was trashed."""

from canary.model.jobs import Job
from canary.model.observations import Stat, TrashRead, Unread


def is_in_trash(
    job: Job,
    found: TrashRead | Unread | None,
    before: Stat | None,
    after: Stat,
    *,
    is_unedited: bool,
) -> bool | None:
    """Return whether a trash znode is ``job``, which went between two stats of its board.

    TaskFlow creates it in the transaction that deletes the job, so its czxid is that of the
    deletion. Boards under one parent share their trash, so the name alone proves nothing. A znode
    with another uuid is another board's only if it is certain that nobody edited the job before it
    went. Returns None if the answer is unknown. ``before`` is None if no stat can be compared.
    """
    if found is Unread.GONE:
        return False
    if not isinstance(found, TrashRead) or before is None:
        return None
    if not before.pzxid < found.czxid <= after.pzxid:
        return False if found.is_all else None
    # Only this board's own last transaction has that zxid.
    if job.czxid is None or job.uuid == found.uuid or found.czxid == after.pzxid:
        return True
    is_another = is_unedited and job.uuid is not None and found.uuid is not None
    return False if is_another and found.is_all else None
