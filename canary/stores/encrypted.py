"""A connection to Cassandra by TLS, for the driver's event loop on asyncio.

The driver's own hands the encrypted socket to asyncio, which refuses such sockets: nothing would
ever be read. This one reads and writes it itself, and has asyncio tell when that can go on.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

from cassandra.io.asyncioreactor import AsyncioConnection

PAUSE: Final = (
    0.01  # seconds, where reading waits for writing or the other way round, which is rare
)


class EncryptedConnection(AsyncioConnection):
    """The driver's connection; all that it promises holds with an SSL context, too."""

    async def handle_read(self) -> None:
        """Read until the connection ends."""
        while True:
            try:
                received = self._socket.recv(self.in_buffer_size)
            except ssl.SSLWantReadError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
                continue
            except ssl.SSLWantWriteError:
                await asyncio.sleep(PAUSE)
                continue
            except OSError as error:
                self.defunct(error)
                return
            if not received:
                self.close()
                return
            self._iobuf.write(received)
            self.process_io_buffer()
            await asyncio.sleep(0)  # what is to be written has its turn

    async def handle_write(self) -> None:
        """Write what is queued, until the connection ends."""
        while True:
            message = memoryview(await self._write_queue.get())
            while message:
                try:
                    message = message[self._socket.send(message) :]
                except ssl.SSLWantWriteError:
                    await self._ready(self._loop.add_writer, self._loop.remove_writer)
                except ssl.SSLWantReadError:
                    await asyncio.sleep(PAUSE)
                except OSError as error:
                    self.defunct(error)
                    return

    async def _ready(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        """Wait until the socket can be read or written, as ``add`` says."""
        ready = self._loop.create_future()
        descriptor = self._socket.fileno()
        add(descriptor, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            if not self.is_closed:  # closing has removed it, and the number may be another's now
                remove(descriptor)
