"""The names of a board's znodes, by TaskFlow's own formulas.

The formulas are those of ``taskflow.jobs.backends.impl_zookeeper``: odd where TaskFlow is odd (the
trash of ``/x/jobs/jobs`` is ``/x/.trash/.trash``), because what counts is where TaskFlow looks.

To TaskFlow ``/x/jobs/`` is the same board as ``/x/jobs``, with the same jobs, but what is beside it
is elsewhere. With slashes other than one at the end of the path, TaskFlow can't trash jobs at all.
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

    TaskFlow treats a child as a job if its name starts with ``job`` and does not end in ``.lock``,
    and then reads the rest with ``int()``. If that raises (``jobless``), TaskFlow can't make a job
    of it.
    """
    if not name.startswith(JOB_PREFIX) or name.endswith(LOCK_SUFFIX):
        return None
    try:
        return int(name[len(JOB_PREFIX) :])
    except ValueError:
        return None


def is_job(name: str) -> bool:
    """Return whether a child with that name is a job, to TaskFlow."""
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


def conductor_folders(board: str) -> tuple[str, str]:
    """Return that folder, and the one used if the board's path has a slash at its end."""
    return conductor_folder(board), f"{_of_slash(board, ENTITY_FOLDER)}/{CONDUCTOR_FOLDER}"


def trash_path(board: str, job: str) -> str:
    """Return where TaskFlow puts the job called ``job`` of the board at ``board`` to trash it."""
    return f"{board}/{job}".replace(board, trash_folder(board))


def slash_trash_folder(board: str) -> str:
    """Return the trash folder that TaskFlow creates if the board's path has a slash at its end.

    TaskFlow puts the trashed jobs beside that folder: ``slash_trash_path``.
    """
    return _of_slash(board, TRASH_FOLDER)


def slash_trash_path(board: str, job: str) -> str:
    """Return where TaskFlow puts a trashed job if the board's path has a slash at its end."""
    return f"{slash_trash_folder(board)}{job}"


def _of_slash(board: str, folder: str) -> str:
    """Return TaskFlow's formula for a path with a slash at its end, as kazoo then uses it.

    The basename is empty there, and ``replace`` puts the folder's name between all characters:
    ``.trash/.trashj.trasho.trashb.trashs.trash/.trash`` for ``/jobs/``.
    """
    return "/" + f"{board}/".replace("", folder)


def job_id(
    board: str, czxid: int | None, incarnation: int, name: str, made_at: datetime | None
) -> str:
    """Return a job's id: its board and its znode's czxid, as a string that sorts by both.

    It also contains ``made_at``, the znode's ctime: an ensemble that was restored from an older
    copy assigns zxids and names again. A job that was listed but gone before it could be read has
    neither. It is identified by the board's incarnation, its name, and when it was first seen.
    """
    made = "" if made_at is None else f"-{round(made_at.timestamp() * 1000):012x}"
    if czxid is None:
        return f"{board}#{incarnation & _UINT64:016x}/{name}{made}"
    return f"{board}#{czxid & _UINT64:016x}{made}"


def change_id(board: str, revision: int) -> str:
    """Return the id of the change that took the board at ``board`` to ``revision``."""
    return f"{board}#{revision:016x}"


_UINT64 = 2**64 - 1
