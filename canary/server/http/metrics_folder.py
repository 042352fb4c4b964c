"""The folder in which the processes of a server keep their metrics, for any of them to add up.

prometheus_client reads the folder's name from the environment when it is imported. So the variable
has to be set before that, and each worker process imports prometheus_client after the fork.

Promises: a server begins with an empty folder and removes it when it ends. A server that was killed
leaves its folder behind, and the next server that starts removes it.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
PREFIX: Final = "canary-server-"
START_LIMIT: Final = 60.0  # seconds after which a folder without a lock counts as abandoned


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make the folder, set its environment variable and yield it; remove the folder at the end."""
    remove_left()
    maker = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # All processes of a server hold the lock. By it, the next server sees that the folder is in
    # use, and so does systemd-tmpfiles, which removes files that have not changed for days.
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ[VARIABLE] = str(folder)
        yield folder
    finally:
        os.close(lock)
        if os.getpid() == maker:  # worker processes are forked in here, and end here, too
            shutil.rmtree(folder, ignore_errors=True)


def remove_left() -> None:
    """Remove the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if is_ours and time.time() - found.st_mtime > START_LIMIT:
                _remove_unless_locked(folder)


def _remove_unless_locked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def ended(process: int) -> None:
    """Stop counting what a process that has ended had in progress; ``process`` is its pid."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 -- see the module

    mark_process_dead(process)  # type: ignore[no-untyped-call]
