"""The folder in which the server's processes keep what they count, for whichever is asked to tell.

prometheus_client looks for it in the environment when it is imported: so it has to be there before
that, and each process imports what counts after the fork.

Promises: a server begins with an empty folder and removes it at its end. One that was killed leaves
its own behind, and the next server to start removes that.
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
START_LIMIT: Final = 60.0  # seconds after which a folder that nobody has locked is nobody's


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make the folder and name it in the environment; remove it at the end."""
    remove_left()
    maker = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # All processes of a server hold the lock, by which the next one knows that the folder is used.
    # So does systemd-tmpfiles, which removes what has not changed for days.
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ[VARIABLE] = str(folder)
        yield folder
    finally:
        os.close(lock)
        if os.getpid() == maker:  # a process that serves was forked in here, and ends here too
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
    """Count no more what a process had under way that has ended; ``process`` is its number."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 -- see the module

    mark_process_dead(process)  # type: ignore[no-untyped-call]
