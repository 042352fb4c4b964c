"""The names of a board's znodes, by TaskFlow's own formulas.

The formulas are those of ``taskflow.jobs.backends.impl_zookeeper``: odd where TaskFlow is odd (the
trash of ``/x/jobs/jobs`` is ``/x/.trash/.trash``), because what counts is where TaskFlow looks.
"""

from datetime import datetime

LOCK_SUFFIX = ".lock"
JOB_PREFIX = "job"
TRASH_FOLDER = ".trash"
ENTITY_FOLDER = ".entities"
CONDUCTOR_FOLDER = "conductor"


def basename(path: str) -> str:
    """Return what follows the last slash of ``path``."""
    return path.rpartition("/")[2]


def job_sequence(name: str) -> int | None:
    """Return the sequence number of the job znode called ``name``, or None if it is no job's name.

    TaskFlow takes a child for a job when it starts with ``job`` and does not end in ``.lock``, and
    then reads the rest with ``int()``; where that raises (``jobless``) it can make no job of it.
    """
    if not name.startswith(JOB_PREFIX) or name.endswith(LOCK_SUFFIX):
        return None
    try:
        return int(name[len(JOB_PREFIX) :])
    except ValueError:
        return None


def is_job(name: str) -> bool:
    """Tell whether a child of that name is a job, to TaskFlow."""
    return job_sequence(name) is not None


def lock_name(job: str) -> str:
    """Return the name of the ephemeral sibling that holds the claim of the job called ``job``."""
    return job + LOCK_SUFFIX


def locked_job(name: str) -> str | None:
    """Return the name of the job that a child called ``name`` would lock; None if it is no lock."""
    if not name.endswith(LOCK_SUFFIX):
        return None
    job = name.removesuffix(LOCK_SUFFIX)
    return job if is_job(job) else None


def trash_folder(board: str) -> str:
    """Return where TaskFlow puts the trashed jobs of the board at path ``board``."""
    return board.replace(basename(board), TRASH_FOLDER)


def entity_folder(board: str) -> str:
    """Return where TaskFlow registers the entities of the board at path ``board``."""
    return board.replace(basename(board), ENTITY_FOLDER)


def conductor_folder(board: str) -> str:
    """Return the parent of the ephemeral znodes by which the board's conductors register."""
    return f"{entity_folder(board)}/{CONDUCTOR_FOLDER}"


def trash_path(board: str, job: str) -> str:
    """Return where TaskFlow puts the job called ``job`` of the board at ``board`` to trash it."""
    return f"{board}/{job}".replace(board, trash_folder(board))


def job_id(
    board: str, czxid: int | None, incarnation: int, name: str, made_at: datetime | None
) -> str:
    """Return a job's identity: its board and its znode's czxid, as a string that sorts by both.

    ``made_at``, the znode's ctime, is in it as well: an ensemble that was restored from an older
    copy gives zxids and names out again. A job that was listed but gone before it could be read has
    neither; it is identified by the board's incarnation, its name, and when it was first seen.
    """
    made = "" if made_at is None else f"-{round(made_at.timestamp() * 1000):012x}"
    if czxid is None:
        return f"{board}#{incarnation & _UINT64:016x}/{name}{made}"
    return f"{board}#{czxid & _UINT64:016x}{made}"


def change_id(board: str, revision: int) -> str:
    """Return the identity of the change that took the board at ``board`` to ``revision``."""
    return f"{board}#{revision:016x}"


_UINT64 = 2**64 - 1
