"""Finds Chromium's headless shell, or installs Debian's: for tests of the dashboard in a browser.

The shell is Chromium's engine without its windows. A page in a context of its own costs a fifth of
the processor time that it costs in the whole browser, which has many more parts to start. Where
there is no shell, the whole browser does.

`python -m devstack.chromium` prints where the program is.
"""

import shutil
import sys
from pathlib import Path

from devstack import debian
from devstack.errors import DevstackError
from devstack.program import tell
from devstack.reaper import Reaper

SHELL, BROWSER = "chromium-headless-shell", "chromium"  # programs, and Debian's packages of them


async def program(reaper: Reaper) -> Path:
    """A Chromium on the PATH."""
    found = shutil.which(SHELL)
    if found is None and debian.can_install():
        try:
            await debian.install(reaper, SHELL)
        except DevstackError:
            if shutil.which(BROWSER) is None:
                raise
        found = shutil.which(SHELL)
    found = found or shutil.which(BROWSER)
    if found is None:
        raise DevstackError(
            f"Chromium is needed, and there is neither {SHELL} nor {BROWSER} on the PATH. "
            f"Install one (on Debian: apt-get install {SHELL}) and try again."
        )
    return Path(found)


if __name__ == "__main__":
    sys.exit(tell(program))
