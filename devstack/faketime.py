"""Finds libfaketime, or fetches Debian's into the cache: for tests of a server whose clock is off.

`python -m devstack.faketime` prints where the library is. What is started with it in `LD_PRELOAD`
has the clock that `FAKETIME` says, such as `-1h`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from devstack import cache, debian
from devstack.errors import DevstackError
from devstack.program import tell
from devstack.reaper import Reaper

PACKAGE = "libfaketime"
LIBRARY = "libfaketimeMT.so.1"  # for programs with threads
INSTALLED = (Path("/usr/lib"), Path("/usr/local/lib"))


async def library(reaper: Reaper) -> Path:
    """A libfaketime: installed, or fetched."""
    for folder in INSTALLED:
        if found := next(folder.glob(f"**/faketime/{LIBRARY}"), None):
            return found
    fetched = cache.folder() / PACKAGE
    if not fetched.is_dir():
        if not debian.can_install():
            raise DevstackError(
                "libfaketime is needed, and there is none. Install it (on Debian: apt-get install "
                f"{PACKAGE}) and try again."
            )
        await _fetch(reaper, fetched)
    return next(fetched.glob(f"**/{LIBRARY}"))


async def _fetch(reaper: Reaper, wanted: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        await debian.unpack(reaper, PACKAGE, work / "files")
        if not wanted.is_dir():  # another run may have been quicker
            (work / "files").rename(wanted)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(tell(library))
