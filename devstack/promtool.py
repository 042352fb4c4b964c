"""promtool, which checks what Prometheus is given: `python -m devstack.promtool` prints its path.

It is the one on the PATH, else out of Debian's package `prometheus`, which is fetched once and
taken apart into the cache. It is not installed: that would start a Prometheus on this machine.
"""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devstack import cache, debian
from devstack.errors import DevstackError
from devstack.report import say

NAME = "promtool"
PACKAGE = "prometheus"
LIMIT = 300  # seconds for one command; the package has 19 MB


def find() -> Path | None:
    """Where it is; None if it would have to be fetched."""
    on_path = shutil.which(NAME)
    return Path(on_path) if on_path else _cached()


async def fetch() -> Path:
    """Where it is now."""
    async with cache.locked("apt-get"):
        found = find()
        if found is None:
            say(f"fetching {NAME} out of Debian's package {PACKAGE}")
            _take_apart()
            found = _cached()
    if found is None:
        raise DevstackError(f"Debian's package {PACKAGE} has no {NAME}; install it yourself")
    return found


def _cached() -> Path | None:
    path = _place()
    return path if path.exists() else None


def _place() -> Path:
    return cache.folder() / f"{NAME}-{platform.machine()}"


def _take_apart() -> None:
    with tempfile.TemporaryDirectory(dir=cache.folder()) as name:
        folder = Path(name)
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        if not _succeeds(download, folder) and debian.can_install():
            _succeeds(["apt-get", "-q", "update"], folder)
            _succeeds(download, folder)
        for package in folder.glob("*.deb"):
            _succeeds(["dpkg-deb", "-x", str(package), "."], folder)
        for program in folder.glob(f"usr/bin/{NAME}"):
            program.rename(_place())


def _succeeds(words: Sequence[str], folder: Path) -> bool:
    try:
        ended = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"{words[0]}: {error}")
        return False
    if ended.returncode != 0:
        say(f"{words[0]}: {ended.stderr.strip()[-500:]}")
    return ended.returncode == 0


def main() -> int:
    try:
        path = find() or asyncio.run(fetch())
    except DevstackError as error:
        say(str(error))
        return os.EX_UNAVAILABLE
    print(path)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
