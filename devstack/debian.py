"""Installs Debian packages where that can be done without asking: as root, with apt-get.

apt-get is never interrupted, because a half-configured package is worse than a late end: it is not
on devstack's leash, and its end is awaited even when devstack is told to stop.
"""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from devstack import cache
from devstack.errors import DevstackError
from devstack.reaper import Reaper
from devstack.report import say
from devstack.server import TAIL

LOCK_LIMIT = 120  # seconds that apt-get waits for another one, such as unattended-upgrades


def can_install() -> bool:
    """Whether this is root on a Debian or one of its descendants."""
    return (
        os.geteuid() == 0
        and Path("/etc/debian_version").exists()
        and shutil.which("apt-get") is not None
    )


async def install(reaper: Reaper, package: str) -> None:
    """Install one package and what it needs; raise with apt-get's own words if that fails."""
    async with cache.locked("apt-get"):
        say(f"installing {package} with apt-get")
        options = ["-q", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT}"]
        for words in (["update"], ["install", "--no-install-recommends", package]):
            with tempfile.TemporaryFile() as output:
                child = reaper.spawn(
                    ["apt-get", *options, *words],
                    environment={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    output=output,
                    leash=False,
                )
                try:
                    status = await child.wait()
                except asyncio.CancelledError:
                    say("waiting for apt-get, which must not be interrupted")
                    await child.wait()
                    raise
                if status != 0 and words[0] != "update":
                    output.seek(0)
                    lines = output.read().decode(errors="replace").splitlines()[-TAIL:]
                    raise DevstackError(
                        f"apt-get could not install {package}:\n    " + "\n    ".join(lines)
                    )
