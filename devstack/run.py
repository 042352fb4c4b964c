"""One run: servers, COMMAND beside them, and the end of everything."""

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack import cassandra, folder, mongodb, switchboard, zookeeper
from devstack.command import Command
from devstack.errors import DevstackError
from devstack.ports import Ports
from devstack.reaper import Reaper
from devstack.report import say
from devstack.security import Security
from devstack.stack import Service, Stack
from devstack.stops import Stops

SERVICES = (zookeeper.NAME, mongodb.NAME, cassandra.NAME)
FAILED = 125  # the exit status where COMMAND never ran, as `docker run` has it


@dataclass(frozen=True)
class Options:
    action: str
    services: Sequence[str]
    zookeepers: int = 1
    keep: bool = False
    command: Sequence[str] = ()
    secure: bool = False


class StoppedError(Exception):
    """A stop came before COMMAND was started; `status` is what to exit with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


async def run(options: Options) -> int:
    """Do what the command line says; the exit status."""
    stops = Stops()
    with Reaper() as reaper:
        security = Security(reaper) if options.secure else None
        services = _services(options, reaper, security)
        try:
            if options.action == "install":
                await _or_stopped(_install(services), stops)
                return 0
            return await _run(options, reaper, services, stops, security)
        except StoppedError as stopped:
            return stopped.status
        except DevstackError as error:
            say(str(error))
            return FAILED


def _services(options: Options, reaper: Reaper, security: Security | None) -> Sequence[Service]:
    made: Mapping[str, Service] = {
        zookeeper.NAME: zookeeper.ZooKeeper(reaper, options.zookeepers, security),
        mongodb.NAME: mongodb.MongoDB(security),
        cassandra.NAME: cassandra.Cassandra(reaper, security),
    }
    return [made[name] for name in options.services]


async def _install(services: Sequence[Service]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(service.install())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _run(
    options: Options,
    reaper: Reaper,
    services: Sequence[Service],
    stops: Stops,
    security: Security | None,
) -> int:
    home = folder.fresh()
    keep = options.keep
    with Ports() as ports:
        stack = Stack(home.path, ports, reaper)
        command = Command(reaper, options.command)
        try:
            if security is not None:
                await _or_stopped(security.make(home.path), stops)
            await _or_stopped(stack.start(services), stops)
            async with switchboard.open_for(stack, home.path):
                return await command.run(_environment(services, home.path, stack.list), stops)
        except DevstackError:
            keep = True
            raise
        finally:
            await command.end_leftovers(stack.pids().values(), stops)
            await stack.end()
            if keep:
                home.keep()
                say(f"kept {home.path}")
            else:
                home.remove()


async def _or_stopped(work: Coroutine[object, object, None], stops: Stops) -> None:
    """Do this work, or cancel it at the first reason to stop."""
    working = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stops.next())
    await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        stop.cancel()
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    raise StoppedError(stop.result().signal)


def _environment(services: Sequence[Service], home: Path, pids: Path) -> Mapping[str, str]:
    """This process's own environment, less what an outer devstack said of its stack."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DEVSTACK_")
    }
    environment[folder.VARIABLE], environment["DEVSTACK_PIDS"] = str(home), str(pids)
    # Canary's default is to use Cassandra; a setting of the user's own for it is left as it is.
    if cassandra.NAME not in [service.name for service in services]:
        environment["OS_CASSANDRA__ENABLED"] = "false"
    for service in services:
        environment |= service.environment()
    return environment
