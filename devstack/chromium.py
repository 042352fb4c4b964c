"""Finds Chromium, or installs Debian's: for tests of the dashboard in a browser.

`python -m devstack.chromium` prints where the program is.
"""

import shutil
import sys
from pathlib import Path

from devstack import debian
from devstack.errors import DevstackError
from devstack.program import tell
from devstack.reaper import Reaper

PACKAGE = "chromium"


async def program(reaper: Reaper) -> Path:
    """A Chromium on the PATH."""
    found = shutil.which(PACKAGE)
    if found is None and debian.can_install():
        await debian.install(reaper, PACKAGE)
        found = shutil.which(PACKAGE)
    if found is None:
        raise DevstackError(
            "Chromium is needed, and there is no chromium on the PATH. Install it (on Debian: "
            "apt-get install chromium) and try again."
        )
    return Path(found)


if __name__ == "__main__":
    sys.exit(tell(program))
