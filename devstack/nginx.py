"""Finds nginx, or fetches Debian's into the cache: for tests of what stands behind a proxy.

It is unpacked and not installed, because an installed one begins to serve the machine's port 80.
`python -m devstack.nginx` prints where the program is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack import cache, debian
from devstack.errors import DevstackError
from devstack.program import tell
from devstack.reaper import Reaper

PACKAGE = "nginx"
PROGRAM = Path("usr/sbin/nginx")  # in the package
LIMIT = 10  # seconds for `nginx -v`


async def program(reaper: Reaper) -> Path:
    """An nginx that runs: on the PATH, where Debian puts it, or fetched."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"  # which is not on everybody's
    found = shutil.which("nginx", path=path)
    if found is not None:
        return Path(found)
    fetched = cache.folder() / PACKAGE
    if not fetched.is_dir():
        if not debian.can_install():
            raise DevstackError(
                "nginx is needed, and there is none on the PATH. Install it (on Debian: apt-get "
                "install nginx) and try again."
            )
        await _fetch(reaper, fetched)
    _check(fetched / PROGRAM)
    return fetched / PROGRAM


async def _fetch(reaper: Reaper, wanted: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        await debian.unpack(reaper, PACKAGE, work / "files")
        if not wanted.is_dir():  # another run may have been quicker
            (work / "files").rename(wanted)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check(fetched: Path) -> None:
    try:
        asked = subprocess.run(
            [fetched, "-v"], capture_output=True, text=True, timeout=LIMIT, check=False
        )
        reason = asked.stderr.strip() if asked.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        raise DevstackError(
            f"{fetched} does not run: {reason}. Remove {fetched.parents[2]} to have it fetched "
            "again, or install nginx (on Debian: apt-get install nginx)."
        )


if __name__ == "__main__":
    sys.exit(tell(program))
