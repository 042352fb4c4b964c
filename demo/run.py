"""One demo from its first process to its last.

The dashboard's address, and what another shell needs to know, are said when the API answers and
both boards are live; only then the load begins, so that Canary watches from the first job on. A
process that ends by itself ends the demo, with the end of its log and exit status 1.
"""

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from pymongo.errors import PyMongoError

from canary.errors import CanaryError
from canary.stores.mongo.client import connect
from demo import ledger
from demo.api import Api
from demo.boards import boards
from demo.children import Children
from demo.outcome import Outcome
from demo.progress import DemoError, say, show, until
from demo.settings import Settings
from demo.shell import export
from devstack.ports import Ports
from devstack.reaper import Reaper

START_LIMIT = 60.0  # seconds for Canary to be there
LOAD_LIMIT = 30.0  # seconds for a load to post its first job
DRAIN_LIMIT = 90.0  # seconds for the load to do what is left; it gives up after 60 itself
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PYTHON = sys.executable
PROGRAMS = Path(PYTHON).parent  # where pip puts Canary's


async def run(settings: Settings) -> int:
    """Run the demo; its exit status."""
    stops = _Stops()
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=settings.folder))
    logging.basicConfig(filename=folder / "demo.log")  # kazoo has much to say
    with Reaper() as reaper, Ports() as ports:
        children = Children(reaper, folder)
        port = settings.port or ports.reserve()
        work = asyncio.ensure_future(_Demo(settings, children, folder, port).run())
        try:
            if (status := await _first(work, stops, children)) is not None:
                return status
            say("ending")
            return 0 if settings.seconds is None else 128 + stops.number
        except (DemoError, CanaryError) as error:
            say(str(error))
            return 1
        except PyMongoError as error:
            say(f"MongoDB does not do what the demo asks: {error}")
            return 1
        finally:
            work.cancel()
            await asyncio.wait({work})
            await children.end(stops.second)


async def _first(work: asyncio.Future[int], stops: "_Stops", children: Children) -> int | None:
    """Return the work's status, or None if a signal came before; raise if a process ended."""
    stop = asyncio.ensure_future(stops.first.wait())
    waited: set[asyncio.Future[Any]] = {work, stop, children.failure}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if children.failure.done():
        raise DemoError(children.failure.result())
    return work.result() if work.done() else None


class _Stops:
    """The signals that end the demo: the first asks, the second hurries."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()
        self.number = 0
        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, self._arrived, number)

    def _arrived(self, number: int) -> None:
        if self.first.is_set():
            self.second.set()
        self.number = self.number or number
        self.first.set()


class _Demo:
    """What the demo does when nothing interferes."""

    def __init__(self, settings: Settings, children: Children, folder: Path, port: int) -> None:
        self._settings, self._children, self._port = settings, children, port
        self._boards = boards(settings.prefix)
        self._ledgers = {board.path: folder / f"{board.service}.jsonl" for board in self._boards}
        self._hosts = ",".join(settings.canary.zookeeper.hosts)
        self._api = Api(settings.canary.server.host, port)
        self._folder = folder
        self._began = time.monotonic()

    async def run(self) -> int:
        """Go through with it; the exit status."""
        say(f"starting Canary; all logs are in {self._folder}")
        self._start_canary()
        await asyncio.to_thread(self._make_boards)
        database = connect(self._settings.canary.mongo)
        outcome = Outcome(database, self._ledgers, self._api)
        try:
            if self._settings.seconds is not None:
                await asyncio.to_thread(outcome.open)
            await self._canary_is_up()
            await asyncio.to_thread(outcome.mark)
            loads = self._start_loads()
            await until("the first jobs", self._no_jobs_yet, LOAD_LIMIT)
            if self._settings.seconds is None:
                say("the load works; Ctrl-C ends everything")
                await asyncio.Event().wait()
            await self._work_for(self._settings.seconds or 0, loads)
            return 0 if await outcome.tell() else 1
        finally:
            outcome.close()
            database.client.close()

    def _make_boards(self) -> None:
        """Make the boards' nodes, which Canary could wait for, so that they are live at once."""
        client = KazooClient(self._hosts)
        try:
            client.start(timeout=self._settings.canary.zookeeper.call_timeout)
            for board in self._boards:
                client.ensure_path(board.path)
        except (KazooException, client.handler.timeout_exception) as error:
            raise DemoError(f"ZooKeeper at {self._hosts} does not answer: {error}") from error
        finally:
            client.stop()
            client.close()

    def _start_canary(self) -> None:
        server = {"OS_SERVER__PORT": str(self._port)}
        self._children.start("canary-server", [str(PROGRAMS / "canary-server")], server)
        self._children.start("canary-worker", [str(PROGRAMS / "canary-worker")])
        producer = [str(PROGRAMS / "canary-producer"), "add", *sorted(self._ledgers)]
        self._children.start("canary-producer", producer, may_end=True)

    async def _canary_is_up(self) -> None:
        paths = sorted(self._ledgers)

        async def unready() -> str | None:
            if not self._children.has_done("canary-producer"):
                return "canary-producer has not added the boards yet"
            return await self._api.unready(paths)

        try:
            await until("Canary", unready, START_LIMIT)
        except DemoError as error:
            raise DemoError(f"{error}\n{self._children.tails()}") from error
        took = time.monotonic() - self._began
        say(f"Canary is up after {took:.1f} s and watches {' and '.join(paths)}")
        show("", f"    the dashboard: {self._api.address}")
        show("    for canary, canary doctor and curl in another shell, this line:", "")
        show(export(self._api.address, os.environ), "")

    def _start_loads(self) -> list[str]:
        names = []
        for board in self._boards:
            name = f"load-{board.service}"
            words = [PYTHON, "-m", "demo.load", "--hosts", self._hosts]
            words += ["--prefix", self._settings.prefix]
            words += ["--ledger", str(self._ledgers[board.path]), board.service]
            self._children.start(name, words, stop=signal.SIGINT)
            names.append(name)
        return names

    async def _no_jobs_yet(self) -> str | None:
        empty = [path for path, file in self._ledgers.items() if not ledger.read(file)]
        return f"none on {' and '.join(empty)}" if empty else None

    async def _work_for(self, seconds: float, loads: list[str]) -> None:
        """Let the load work, then end it in its own time."""
        say(f"the load works for {seconds:g} s")
        await asyncio.sleep(seconds)
        self._children.tell(loads, signal.SIGTERM)

        async def unfinished() -> str | None:
            if all(self._children.has_done(name) for name in loads):
                return None
            left = sum(len(ledger.open_jobs(ledger.read(f))) for f in self._ledgers.values())
            return f"{left} jobs are left" if left else "conductors end their sessions"

        await until("the load to finish", unfinished, DRAIN_LIMIT)
