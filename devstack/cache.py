"""Where fetched things are kept between runs, and the locks that make concurrent runs safe.

The cache is `$XDG_CACHE_HOME/canary-devstack`, or that below `~/.cache`. What is in it is complete:
it is made elsewhere and renamed. It may be removed at any time that no stack runs.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from devstack.report import say

PAUSE = 0.1  # seconds between two looks at a lock that another run holds


def folder() -> Path:
    """The cache's folder, made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is to be ignored, says the XDG specification.
    parent = Path(base) if base.startswith("/") else Path.home() / ".cache"
    path = parent / "canary-devstack"
    path.mkdir(parents=True, exist_ok=True)
    return path


@asynccontextmanager
async def locked(name: str) -> AsyncIterator[None]:
    """Hold the cache's lock of this name; the kernel frees it however this process ends."""
    lock = os.open(folder() / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"waiting for another run that fetches {name}")
                told = True
            await asyncio.sleep(PAUSE)
        yield
    finally:
        os.close(lock)
