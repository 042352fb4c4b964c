"""The servers of one run together: started at the same time, listed, ended.

The list is a JSON file, name → pid, written anew whenever a server starts or ends, so it names
running servers only, and a reader never sees half of it.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from devstack.errors import DevstackError
from devstack.ports import Ports
from devstack.reaper import Reaper
from devstack.report import say
from devstack.server import Server

LIST = "pids.json"


class Service(Protocol):
    """One of the three, as one server or several."""

    @property
    def name(self) -> str:
        """As the user calls it."""

    async def install(self) -> None:
        """Fetch what is missing."""

    def servers(self, folder: Path, ports: Ports) -> Sequence[Server]:
        """Write the configuration; the servers, not started."""

    def environment(self) -> Mapping[str, str]:
        """What COMMAND is told."""


class Stack:
    def __init__(self, folder: Path, ports: Ports, reaper: Reaper) -> None:
        self._folder, self._ports, self._reaper = folder, ports, reaper
        self._servers: dict[str, Server] = {}
        self._closed = False
        self.list = folder / LIST
        self._write()

    async def start(self, services: Sequence[Service]) -> None:
        """Start everything and wait until it can be used; the first failure ends the waiting."""
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(self._start_service(service))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def start_server(self, name: str) -> Server:
        """Start one that does not run, on the port and the data that it had."""
        if self._closed:
            raise DevstackError("the stack is being ended")
        server = self.server(name)
        server.start(self._reaper, self._write)
        self._write()
        return server

    def server(self, name: str) -> Server:
        try:
            return self._servers[name]
        except KeyError:
            known = ", ".join(self._servers)
            raise DevstackError(f"there is no server {name!r}; there are: {known}") from None

    def pids(self) -> dict[str, int]:
        """Those of all running servers."""
        pids = {name: server.pid for name, server in self._servers.items()}
        return {name: pid for name, pid in pids.items() if pid is not None}

    async def end(self) -> None:
        """SIGKILL every server and wait until it has ended; nothing can be started after it."""
        self._closed = True
        await asyncio.gather(*(server.stop() for server in self._servers.values()))

    async def _start_service(self, service: Service) -> None:
        await service.install()
        began = time.monotonic()
        servers = service.servers(self._folder, self._ports)
        self._servers |= {server.name: server for server in servers}
        for server in servers:
            self.start_server(server.name)
        for server in servers:
            await server.wait_ready()
        say(f"{service.name} up in {time.monotonic() - began:.1f} s")

    def _write(self) -> None:
        new = self.list.with_suffix(".new")
        new.write_text(json.dumps(self.pids(), indent=2) + "\n")
        new.rename(self.list)
