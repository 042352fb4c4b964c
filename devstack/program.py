"""Prints where a program is, for who runs a module of devstack that finds or fetches one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from devstack.errors import DevstackError
from devstack.reaper import Reaper
from devstack.report import say


def tell(find: Callable[[Reaper], Awaitable[Path]]) -> int:
    """Print what ``find`` finds, or say why there is none; return the exit status."""
    return asyncio.run(_tell(find))


async def _tell(find: Callable[[Reaper], Awaitable[Path]]) -> int:
    with Reaper() as reaper:
        try:
            print(await find(reaper))
        except DevstackError as error:
            say(str(error))
            return 1
    return 0
