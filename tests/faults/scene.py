"""A board that is worked on and watched by Canary, for something to break."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from tests.faults.account import Course, Life, Window
from tests.faults.findings import Finding, What
from tests.faults.follower import Follower
from tests.faults.shown import Poller, Shown, first
from tests.integration.conftest import Command, Spawn
from tests.integration.lossy_proxy import LossyProxy
from tests.integration.proxy import Proxy
from tests.ports import free_port
from tests.waiting import eventually

HUMAN_PACE: Final = 0.05  # seconds between two operations on the board
BURST: Final = 0.001  # seconds: faster than ZooKeeper's watches tell one by one
SECONDS_TO_LIVE: Final = 60.0  # until a board is live again after a fault; far more than it takes
SESSION_TIMEOUT: Final = 4.0  # seconds: the workers'
SHARE: Final = {"OS_CANARY__NAME": "a"}  # a worker to whom one board goes, and
STAND_BY: Final = {"OS_CANARY__NAME": "b"}  # one to whom it does not while the other is there


def mongodb_address() -> str:
    """Return the host and port of the dev stack's MongoDB."""
    return os.environ["DEVSTACK_MONGODB"].partition("://")[2].partition("/")[0]


def mongodb_through(proxy: Proxy) -> dict[str, str]:
    """Return the variables that let a program reach MongoDB by a proxy."""
    return {"OS_MONGO__URI": f"mongodb://{proxy.address}/?directConnection=true"}


class Scene:
    """One board, its load, and Canary's processes."""

    def __init__(
        self,
        board: str,
        log: Path,
        spawn: Spawn,
        add: Callable[..., None],
        zookeeper: KazooClient,
        database: Database[dict[str, Any]],
        broken: str | None = None,
    ) -> None:
        self.board, self.log = board, log
        self.jobboard = ""
        self.zookeeper, self.database = zookeeper, database
        self.add, self.spawn, self.broken = add, spawn, broken
        port = str(free_port())
        self.shown = Shown(f"http://127.0.0.1:{port}")
        self.server = spawn("canary-server", OS_SERVER__PORT=port)
        add(board)  # meanwhile
        self._ending = ExitStack()
        self.loads: list[subprocess.Popen[bytes]] = []
        self._loaded: list[datetime] = []
        self._lives: list[Life] = []
        self.workers: list[Command] = []
        self.killed: set[Command] = set()
        self.faults: list[Window] = []
        self.unknowable: set[str] = set()  # reasons of gaps whose size nobody can know
        self.findings: list[Finding] = []
        self.notes: dict[str, float] = {}
        self.admitted: list[float] = []
        self.told: list[float] = []
        self.recovered: list[float] = []
        self._struck_at = self._over_at = 0.0  # by the monotonic clock
        eventually(self.shown.is_ready, 60.0, "the server answers")
        self.api = Poller(lambda: self.shown.freshness(board))
        self._ending.callback(self.api.stop)
        self.follower = Follower(self.shown.url, board)
        self._ending.callback(self.follower.stop)

    def close(self) -> None:
        """End what was started; Canary's own processes are ``spawn``'s to end."""
        self._ending.close()
        for load in self.loads:
            if load.poll() is None:
                load.kill()
                load.wait()

    # What is there.

    def proxy(self, server: str) -> Proxy:
        """Return a proxy before a server, there until the scene is closed."""
        return self._ending.enter_context(Proxy(server))

    def lossy_proxy(self) -> LossyProxy:
        """Return a proxy before MongoDB that can lose a commit, there until the scene is closed."""
        host, _, port = mongodb_address().rpartition(":")
        proxy = LossyProxy(host, int(port))
        proxy.start()
        self._ending.callback(proxy.stop)
        return proxy

    def worker(self, *altered: str, **variables: str) -> Command:
        """Start a worker, altered as ``broken`` says, and as the scene says."""
        variables = {"OS_CANARY__RECONCILE_INTERVAL": "1"} | variables
        names = [*altered, *([self.broken] if self.broken else [])]
        if names:
            command = [sys.executable, "-m", "tests.faults.broken", *names]
        else:
            command = ["canary-worker"]
        self.workers.append(self.spawn(*command, **variables))
        return self.workers[-1]

    def kill(self, worker: Command) -> None:
        """Kill a worker with -9; from then on it is Canary's turn."""
        self.killed.add(worker)
        worker.end(signal.SIGKILL)
        self.over()

    def dismiss(self, worker: Command) -> None:
        """Have a worker end, as it should."""
        self.killed.add(worker)
        worker.process.send_signal(signal.SIGTERM)
        self.over()
        assert worker.process.wait(60) == 0

    def start(
        self, seed: int, pace: float = BURST, *, one_by_one: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Start a load, once the board is awaited: what was before the first look is no gap.

        ``one_by_one``: each operation waits until the one before is seen.
        """
        if not self.loads:
            awaited = {"missing", "live"}
            eventually(lambda: self.freshness() in awaited, 60.0, "the board is awaited")
        self._loaded.append(now())
        if not self._lives or not self.zookeeper.exists(self.board):
            self._lives.append(Life(self._loaded[-1], self.operations()))
        command = [sys.executable, "-m", "tests.faults.load", self.board, str(self.log)]
        words = [str(seed), str(pace), *([self.database.name] if one_by_one else [])]
        self.loads.append(subprocess.Popen([*command, *words], env=os.environ))
        return self.loads[-1]

    def begin(self, worker: Command, seed: int, pace: float = BURST) -> Command:
        """Start a load; return the worker, which was just started, once the board is worked on."""
        self.start(seed, pace)
        self.await_live()
        self.await_operations(40 if pace == HUMAN_PACE else 300)
        return worker

    def end_load(self) -> None:
        """End the loads; what they were at is finished and logged."""
        for load in self.loads:
            if load.poll() is None:
                load.terminate()
            assert load.wait(90) == 0, "the load went wrong"
        self._loaded.append(now())

    def course(self) -> Course:
        """Return what happened when."""
        load = (self._loaded[0], self._loaded[-1])
        return Course(load, self.faults, self._lives, frozenset(self.unknowable))

    def note(self, kind: str, name: str, creates: int, deletes: int, **more: Any) -> None:
        """Log an operation that was done by hand; call it right after."""
        row = {"kind": kind, "name": name, "uuid": None, "owner": None, "incarnation": 0}
        line = row | {"creates": creates, "deletes": deletes} | more
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    # What is known of it.

    def stored(self) -> Mapping[str, Any]:
        """Return the board's document in MongoDB."""
        return self.database.boards.find_one({"_id": self.board}) or {}

    def watcher(self) -> str:
        """Return who watches the board, the empty string for nobody."""
        writer = self.stored().get("writer")
        return writer["worker"] if writer else ""

    def claims(self) -> dict[str, int]:
        """Return which session holds which claim on Canary's own board."""
        retry = self.zookeeper.retry  # this client's own session may have been lost
        claims = {}
        for name in retry(self.zookeeper.get_children, self.jobboard):
            stat = retry(self.zookeeper.exists, f"{self.jobboard}/{name}")
            if name.endswith(".lock") and stat is not None:
                claims[name] = stat.ephemeralOwner
        return claims

    def is_watched_by(self, worker: Command) -> bool:
        return self.watcher().endswith(f":{worker.process.pid}")

    def freshness(self) -> str | None:
        """Return what the API says of the board now; None where it says nothing of it."""
        return self.shown.freshness(self.board)

    def operations(self) -> int:
        """Return how many operations the load has done."""
        with self.log.open("rb") as log:
            return sum(1 for _ in log)

    def story(self) -> str:
        """Return what may tell why a run came to no verdict."""
        lines = [f"{self.operations()} operations"]
        lines += [f"{each.at:.1f} s: the API says {each.freshness}" for each in self.api.told[-20:]]
        lines.append(f"{time.monotonic():.1f} s: this is told")
        try:
            lines += [str(self.stored()), *map(str, self.database.workers.find())]
        except PyMongoError as error:
            lines.append(f"MongoDB: {error}")
        return "\n".join(lines)

    # Waiting.

    def await_live(self) -> None:
        eventually(lambda: self.freshness() == "live", SECONDS_TO_LIVE, "the board is live")

    def await_taken(self, worker: Command) -> None:
        """Wait until a worker has the board."""
        eventually(lambda: self.is_watched_by(worker), SECONDS_TO_LIVE, "another has the board")

    def await_operations(self, more: int, timeout: float = 90.0) -> None:
        """Wait until the load has done so many more; the stream's client loses its connection."""
        self.follower.drop()
        goal = self.operations() + more
        eventually(lambda: self.operations() >= goal, timeout, f"{more} more operations")

    def await_admitted(self, *freshness: str, limit: float) -> None:
        """Wait until API and stream have called the board one of these since the fault struck.

        It is a finding if one of them has not within ``limit`` seconds.
        """
        self.admitted += self._await_told("the API", self.api, freshness, limit)
        self.told += self._await_told("the stream", self.follower, freshness, limit)

    def _await_told(
        self, who: str, teller: Poller | Follower, freshness: Collection[str], limit: float
    ) -> list[float]:
        """Return after how many seconds it was told, if it was."""
        left = max(0.0, self._struck_at + limit - time.monotonic())
        try:
            eventually(lambda: first(teller.told, freshness, self._struck_at) is not None, left)
        except AssertionError:
            last = [each.freshness for each in teller.told[-1:]]
            words = f"{who} calls it {last}, not {freshness}, after {limit:g} s"
            self.findings.append(Finding(What.STALE, words))
            return []
        return [first(teller.told, freshness, self._struck_at) or 0.0]

    def await_rest(self) -> None:
        """Wait until the board's watcher says that there is nothing more to read or to store."""
        moment = now()

        def rests() -> bool:
            worker = self.database.workers.find_one({"_id": self.watcher()})
            if worker is None or worker["until"] is None or worker["until"] <= moment:
                return False
            behind = [each["board"] for each in worker["behind"]]
            return self.board not in behind and self.freshness() == "live"

        eventually(rests, SECONDS_TO_LIVE, "the watcher says that it knows all")

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Something is broken in the ``with``; then it is waited until the board is live again."""
        window, self._over_at = self.begin_fault(), 0.0
        yield
        over_at = self._over_at or time.monotonic()
        self.await_live()
        self.recovered.append(time.monotonic() - over_at)
        self.faults.append(window())

    def over(self) -> None:
        """Say in a fault's ``with`` that from now on it is Canary's turn, as when a worker died."""
        self._struck_at = self._over_at = time.monotonic()

    def begin_fault(self) -> Callable[[], Window]:
        """Begin a fault whose end is not that the board is live; call the result at its end."""
        start, self._struck_at = now(), time.monotonic()
        return lambda: (start, now())


def now() -> datetime:
    return datetime.now(UTC)
