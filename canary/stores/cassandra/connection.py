"""Connections to Cassandra on the driver's asyncio event loop, without two of its defects.

In a process that was forked after the driver was imported, as a server's are, the driver's class
makes a new event loop for each cluster but runs only the first. If the first try to connect had
failed, no later one would ever be answered. It also hands TLS sockets to asyncio, which refuses
them: nothing would ever be read.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any, Final

from cassandra.io.asyncioreactor import AsyncioConnection

PAUSE: Final = 0.01  # seconds, if reading waits for writing or the reverse, which is rare


class RingConnection(AsyncioConnection):
    """The driver's connection, with one event loop per process."""

    @classmethod
    def initialize_reactor(cls) -> None:
        """Start the event loop, unless this very process already has."""
        if cls._pid != os.getpid():
            cls._pid, cls._loop, cls._loop_thread = os.getpid(), None, None
        super().initialize_reactor()


class EncryptedConnection(RingConnection):
    """The same with TLS: it reads and writes itself, and asyncio only says when."""

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
            await asyncio.sleep(0)  # lets what is queued be written

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
            if not self.is_closed:  # else it is removed already, and the number may be reused
                remove(descriptor)
