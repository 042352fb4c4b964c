"""The fresh folder that a stack lives in: removed at its end, or kept to be looked at.

A stack that is ended with SIGKILL can't remove its folder. Its folder holds a locked file for as
long as the stack lives, so the next stack of the same user finds the folder abandoned, ends the
processes that were told of it (COMMAND's children; servers and COMMAND end with devstack itself)
and removes it. A kept folder has no such file and is never touched again.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import psutil

PREFIX = "devstack-"
ALIVE = "alive"  # the locked file
VARIABLE = "DEVSTACK_FOLDER"  # tells COMMAND, and so all that it starts, of the folder


class Folder:
    def __init__(self, parent: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
        # The name comes after the lock, so that no other stack takes a new folder for abandoned.
        unlocked = self.path / f"{ALIVE}.new"
        self._lock = os.open(unlocked, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unlocked.rename(self.path / ALIVE)

    def keep(self) -> None:
        (self.path / ALIVE).unlink(missing_ok=True)
        os.close(self._lock)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def fresh() -> Folder:
    """A new folder beside the system's temporary files, after those abandoned there are removed."""
    parent = Path(tempfile.gettempdir())
    for alive in parent.glob(f"{PREFIX}*/{ALIVE}"):
        if _is_abandoned(alive):
            _end_what_is_left(alive.parent.resolve())
            shutil.rmtree(alive.parent, ignore_errors=True)
    return Folder(parent)


def _end_what_is_left(folder: Path) -> None:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # another user's, or ended
            if process.environ().get(VARIABLE) == str(folder):
                process.kill()


def _is_abandoned(alive: Path) -> bool:
    try:
        if alive.parent.is_symlink() or alive.parent.stat().st_uid != os.getuid():
            return False
        lock = os.open(alive, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)
