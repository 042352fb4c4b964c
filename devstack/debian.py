"""Installs Debian packages where that can be done without asking: as root, with apt-get.

apt-get is never interrupted, because a half-configured package is worse than a late end: it is not
on devstack's leash, and its end is awaited even when devstack is told to stop.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
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
        await _update(reaper)
        words = [*_apt_get("install"), "--no-install-recommends", package]
        await _run(reaper, words, f"apt-get could not install {package}")


async def unpack(reaper: Reaper, package: str, folder: Path) -> None:
    """Put one package's files into `folder` and nowhere else; what it needs must be there.

    For a program whose package would start it as a service of the whole machine.
    """
    async with cache.locked("apt-get"):
        say(f"fetching {package} with apt-get into {folder}")
        await _update(reaper)
        with tempfile.TemporaryDirectory() as work:
            failed = f"apt-get could not fetch {package}"
            await _run(reaper, [*_apt_get("download"), package], failed, Path(work))
            [file] = Path(work).glob("*.deb")
            words = ["dpkg-deb", "--extract", str(file), str(folder)]
            await _run(reaper, words, f"dpkg-deb could not unpack {package}")


def _apt_get(action: str) -> list[str]:
    return ["apt-get", "-q", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT}", action]


async def _update(reaper: Reaper) -> None:
    await _run(reaper, _apt_get("update"), None)  # old lists may do as well


async def _run(
    reaper: Reaper, words: Sequence[str], failed: str | None, cwd: Path | None = None
) -> None:
    with tempfile.TemporaryFile() as output:
        child = reaper.spawn(
            words,
            cwd=cwd,
            environment={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            output=output,
            leash=False,
        )
        try:
            status = await child.wait()
        except asyncio.CancelledError:
            say(f"waiting for {words[0]}, which must not be interrupted")
            await child.wait()
            raise
        if status != 0 and failed is not None:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()[-TAIL:]
            raise DevstackError(f"{failed}:\n    " + "\n    ".join(lines))
