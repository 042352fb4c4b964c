"""The folder in which the server's processes keep what they count, for whichever is asked to tell.

prometheus_client looks for it in the environment when it is imported: so it has to be there before
that, and each process imports what counts after the fork.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make the folder, anew: what a server before it counted is over. It is removed at the end."""
    maker = os.getpid()
    folder = tempfile.mkdtemp(prefix="canary-server-")
    # By this systemd-tmpfiles knows that it is in use; it removes what has not changed for days.
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ[VARIABLE] = folder
        yield Path(folder)
    finally:
        os.close(lock)
        if os.getpid() == maker:  # a process that serves was forked in here, and ends here too
            shutil.rmtree(folder, ignore_errors=True)


def ended(process: int) -> None:
    """Count no more what a process had under way that has ended; ``process`` is its number."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 -- see the module

    mark_process_dead(process)  # type: ignore[no-untyped-call]
