"""A board that is worked on and watched by Canary, for something to break."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests
from kazoo.client import KazooClient
from pymongo.database import Database

from tests.faults.follower import Follower
from tests.faults.judge import Verdict, Window, is_mirror, judge
from tests.integration.conftest import Command, Spawn
from tests.integration.proxy import Proxy
from tests.ports import free_port
from tests.waiting import eventually

HUMAN_PACE: Final = 0.05  # seconds between two operations on the board
BURST: Final = 0.001  # seconds: faster than ZooKeeper's watches tell one by one
SECONDS_TO_LIVE: Final = 60.0  # until a board is live again after a fault; far more than it takes
SESSION_TIMEOUT: Final = 4.0  # seconds: the workers'


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault with one seed."""

    verdict: Verdict
    seconds_to_live: float | None
    seconds_to_admit: float | None


def mongodb_address() -> str:
    """Return the host and port of the dev stack's MongoDB."""
    return os.environ["DEVSTACK_MONGODB"].partition("://")[2].partition("/")[0]


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
        self.add, self.spawn, self._broken = add, spawn, broken
        add(board)
        self._proxies = ExitStack()
        self._loads: list[subprocess.Popen[bytes]] = []
        self._loaded: list[datetime] = []
        self.faults: list[Window] = []
        self.is_deleted = False  # whether the board ever was
        self.workers: list[Command] = []
        self._admitted: list[float] = []
        self._recovered: list[float] = []
        self._over_at: float | None = None  # by the monotonic clock
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self._server = spawn("canary-server", OS_SERVER__PORT=port)
        eventually(self._answers, 30.0, "the server answers")
        self._follower = Follower(self.url, board)

    def close(self) -> None:
        """End what was started; Canary's own processes are ``spawn``'s to end."""
        self._follower.stop()
        self._proxies.close()
        for load in self._loads:
            if load.poll() is None:
                load.kill()
                load.wait()

    def proxy(self, server: str) -> Proxy:
        """Return a proxy before a server, there until the scene is closed."""
        return self._proxies.enter_context(Proxy(server))

    def worker(self, *altered: str, **variables: str) -> Command:
        """Start a worker, altered as ``broken`` says, and as the scene says."""
        variables = {"OS_CANARY__RECONCILE_INTERVAL": "1"} | variables
        names = [*altered, *([self._broken] if self._broken else [])]
        program = [sys.executable, "-m", "tests.faults.broken", *names]
        worker = self.spawn(*(program if names else ["canary-worker"]), **variables)
        self.workers.append(worker)
        return worker

    def start(self, seed: int, pace: float) -> subprocess.Popen[bytes]:
        """Start a load, once the board is awaited: what was before the first look is no gap."""
        if not self._loads:
            awaited = {"missing", "live"}
            eventually(lambda: self.freshness() in awaited, 30.0, "the board is awaited")
        self._loaded.append(now())
        command = [sys.executable, "-m", "tests.faults.load", self.board, str(self.log)]
        load = subprocess.Popen([*command, str(seed), str(pace)], env=os.environ)
        self._loads.append(load)
        return load

    def begin(self, seed: int, pace: float = BURST, *altered: str, **variables: str) -> Command:
        """Start a worker and a load, and return the worker once the board is live and worked on."""
        worker = self.worker(*altered, **variables)
        self.start(seed, pace)
        self.await_live()
        self.await_operations(40 if pace == HUMAN_PACE else 300)
        return worker

    def end_load(self) -> None:
        """End the loads; what they were at is finished and logged."""
        for load in self._loads:
            if load.poll() is None:
                load.terminate()
                assert load.wait(90) == 0
        self._loaded.append(now())

    def note(self, kind: str, name: str, creates: int, deletes: int, **more: Any) -> None:
        """Log an operation that was done by hand; call it right after."""
        row = {"kind": kind, "name": name, "uuid": None, "owner": None, "incarnation": 0}
        line = row | {"creates": creates, "deletes": deletes} | more
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def stored(self) -> Mapping[str, Any]:
        """Return the board's document in MongoDB."""
        return self.database.boards.find_one({"_id": self.board}) or {}

    def watcher(self) -> str:
        """Return who watches the board, the empty string for nobody."""
        writer = self.stored().get("writer")
        return writer["worker"] if writer else ""

    def is_watched_by(self, worker: Command) -> bool:
        return self.watcher().endswith(f":{worker.process.pid}")

    def freshness(self) -> str | None:
        """Return what the API says of the board; None where it says nothing of it."""
        board = self.shown()
        return board["freshness"] if board else None

    def shown(self) -> Mapping[str, Any] | None:
        """Return the board as the API shows it; None where it does not, as without MongoDB."""
        return self.boards().get(self.board)

    def boards(self) -> dict[str, Mapping[str, Any]]:
        """Return what the API shows of all boards, by path; nothing where it does not answer."""
        try:
            answer = requests.get(f"{self.url}/v2/boards", timeout=15)
        except requests.RequestException:
            return {}
        return {each["path"]: each for each in answer.json().get("boards", ())}

    def await_live(self) -> None:
        eventually(lambda: self.freshness() == "live", SECONDS_TO_LIVE, "the board is live")

    def operations(self) -> int:
        """Return how many operations the load has done."""
        with self.log.open("rb") as log:
            return sum(1 for _ in log)

    def await_operations(self, more: int, timeout: float = 90.0) -> None:
        """Wait until the load has done so many more."""
        goal = self.operations() + more
        eventually(lambda: self.operations() >= goal, timeout, f"{more} more operations")

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Something is broken in the ``with``; then it is waited until the board is live again."""
        window, self._over_at = self.begin_fault(), None
        yield
        over_at = self._over_at or time.monotonic()
        self.await_live()
        self._recovered.append(time.monotonic() - over_at)
        self.faults.append(window())

    def over(self) -> None:
        """Say in a fault's ``with`` that from now on it is Canary's turn, as when a worker died."""
        self._over_at = time.monotonic()

    def begin_fault(self) -> Callable[[], Window]:
        """Begin a fault whose end is not that the board is live; call the result at its end."""
        start = now()
        return lambda: (start, now())

    def await_admitted(self, *freshness: str, limit: float) -> None:
        """Wait until the API calls the board one of these, at most ``limit`` seconds."""
        began = time.monotonic()
        eventually(lambda: self.freshness() in freshness, limit, f"it is called {freshness}")
        self._admitted.append(time.monotonic() - began)

    def settle(self) -> Outcome:
        """End the load, wait for Canary to have caught up, and judge."""
        self.end_load()
        self.await_mirror()
        self._await_reconciled()
        load = (self._loaded[0], self._loaded[-1])
        verdict = judge(
            *(self.database, self.zookeeper, self.board, self.log, load, self.faults),
            may_be_unknown=self.is_deleted,
        )
        self._follower.drop()
        eventually(self._follows, why="the stream, folded, is what MongoDB holds")
        return Outcome(
            verdict, max(self._recovered, default=None), max(self._admitted, default=None)
        )

    def await_mirror(self) -> None:
        """Wait until MongoDB holds what ZooKeeper does, and the API calls that live."""
        eventually(
            lambda: (
                self.freshness() == "live" and is_mirror(self.database, self.zookeeper, self.board)
            ),
            SECONDS_TO_LIVE,
            "MongoDB holds what ZooKeeper does",
        )

    def await_rest(self) -> None:
        """Wait until the board's watcher says that there is nothing more to read or to store."""
        self.await_mirror()
        moment = now()

        def rests() -> bool:
            worker = self.database.workers.find_one({"_id": self.watcher()})
            return worker is not None and worker["until"] > moment and not worker["behind"]

        eventually(rests, 30.0, "the watcher rests")

    def _await_reconciled(self) -> None:
        """Wait until every living worker has compared its boards once more."""
        before = {each["_id"]: each["reconciled"] for each in self.database.workers.find()}

        def reconciled() -> bool:
            watcher = self.watcher()  # the board may be handed on meanwhile
            worker = self.database.workers.find_one({"_id": watcher})
            return worker is not None and worker["reconciled"] > before.get(watcher, 0) + 1

        eventually(reconciled, 30.0, "the reconciler has been there")
        drift = [each["drift"] for each in self.database.workers.find()]
        assert not any(drift), f"the reconciler had something to mend: {drift}"

    def _follows(self) -> bool:
        jobs = self.database.jobs.find({"board": self.board, "state": {"$ne": "COMPLETE"}})
        stored = {job["name"]: (job["state"], job["owner"]) for job in jobs}
        assert self._follower.jobs == stored
        return self._follower.connections > 1

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=15).status_code == 200
        except requests.RequestException:
            return False


def now() -> datetime:
    return datetime.now(UTC)
