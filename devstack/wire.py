"""One connection to a server on loopback, for the few bytes that a probe exchanges with it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from devstack.ports import HOST


@contextlib.asynccontextmanager
async def connection(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, by TLS where that is given, and always close; the caller limits the time."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=tls)
    try:
        yield reader, writer
    finally:
        if tls is None:
            writer.close()
        else:
            writer.transport.abort()  # its peer need not take leave, and may keep one waiting
        with contextlib.suppress(OSError):
            await writer.wait_closed()
