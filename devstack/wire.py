"""One connection to a server on loopback, for the few bytes that a probe exchanges with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from devstack.ports import HOST


@contextlib.asynccontextmanager
async def connection(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect and always close; the caller limits the time."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
