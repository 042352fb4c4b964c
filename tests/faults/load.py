"""A load on one board that knows what it did: the oracle of the fault tests.

    python -m tests.faults.load BOARD LOG SEED PAUSE [DATABASE]

Posts, claims, abandons, edits, consumes, trashes and removes jobs as its seed says, by the
transactions that TaskFlow uses, with PAUSE seconds between two operations, until it is sent
SIGTERM. Every operation that was done is a line of JSON in LOG, with how many children of the board
it created and deleted. With Canary's DATABASE a pause lasts until that holds what was done: however
long this machine stands still, no two operations are one look's.

An operation whose answer is lost is looked up until ZooKeeper tells whether it was done: nobody
else works on the board, and every posting and every claim is marked with its own number. Claims
that went with a lost session are looked up too, and logged as abandoned.
"""

import json
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry
from pymongo import MongoClient

# Seconds, the most that devstack's ZooKeeper grants. kazoo waits as long as it asked for, not as it
# was granted, where a server that is just starting takes a connection and answers nothing.
SESSION_TIMEOUT: Final = 10.0
CALL_TIMEOUT: Final = 2.0  # seconds until an answer counts as lost
MAX_ALIVE: Final = 30  # jobs on the board, so that they come and go
SEEN_LIMIT: Final = 60.0  # seconds for Canary to see an operation


@dataclass(slots=True)
class Job:
    """A job of this load's that is on the board."""

    name: str
    uuid: str
    posting: bytes
    owner: str | None = None


class Load:
    """One board's load."""

    def __init__(self, board: str, log: Path, seed: int) -> None:
        self._board, self._random = board, random.Random(seed)
        self._trash = board.rpartition("/")[0] + "/.trash"
        self._log = log.open("a", encoding="utf-8")
        self._jobs: list[Job] = []
        self._number = 0
        retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5)
        self._client = KazooClient(
            os.environ["DEVSTACK_ZOOKEEPER"],
            timeout=SESSION_TIMEOUT,
            connection_retry=retry,
        )
        self._is_session_lost = False
        self._client.add_listener(self._on_state)
        self._client.start(timeout=60)
        self._client.ensure_path(board)
        self._client.ensure_path(self._trash)
        for name in self._client.get_children(self._trash):  # of an incarnation before, as named
            self._client.delete(f"{self._trash}/{name}")
        self._incarnation = self._client.exists(board).czxid

    def _on_state(self, state: str) -> None:
        if state == KazooState.LOST:
            self._is_session_lost = True

    def _note_lost_claims(self) -> None:
        self._is_session_lost = False
        for job in [job for job in self._jobs if job.owner is not None]:
            lock = f"{self._board}/{job.name}.lock"
            if self._asked(lambda lock=lock: (self._data(lock),)) == (None,):  # type: ignore[misc]
                self._write("abandoned", job, 0, 1)
                job.owner = None

    def one(self) -> None:
        """Do one operation."""
        if self._is_session_lost:
            self._note_lost_claims()
        unclaimed = [job for job in self._jobs if job.owner is None]
        claimed = [job for job in self._jobs if job.owner is not None]
        choices: list[Callable[[], None]] = []
        if len(self._jobs) < MAX_ALIVE:
            choices += [self._post] * 3
        if unclaimed:
            choices += [lambda: self._claim(self._random.choice(unclaimed))] * 4
            choices += [lambda: self._remove(self._random.choice(unclaimed))]
        if claimed:
            choices += [lambda: self._abandon(self._random.choice(claimed))]
            choices += [lambda: self._consume(self._random.choice(claimed))] * 3
            choices += [lambda: self._trash_it(self._random.choice(claimed))]
            choices += [lambda: self._change_hands(self._random.choice(claimed))]
        if self._jobs:
            choices += [lambda: self._edit(self._random.choice(self._jobs))]
        self._random.choice(choices)()

    def is_seen(self, stored: Any) -> bool:
        """Tell whether a board's document is of the board as it is now."""
        stat = self._asked(lambda: self._client.exists_async(self._board).get(timeout=CALL_TIMEOUT))
        seen = (stored or {}).get("stat") or {}
        return (seen.get("czxid"), seen.get("cversion")) == (stat.czxid, stat.cversion)

    def close(self) -> None:
        """Leave the board as it is: claims are abandoned one by one first."""
        for job in [job for job in self._jobs if job.owner is not None]:
            self._abandon(job)
        self._log.close()
        self._client.stop()

    def _post(self) -> None:
        self._number += 1
        identity = str(uuid.UUID(int=self._random.getrandbits(128)))
        posting = json.dumps(
            {"uuid": identity, "name": f"job-{self._number}", "priority": "NORMAL", "details": {}}
        ).encode()
        path = self._done(
            lambda: self._client.create_async(f"{self._board}/job", posting, sequence=True),
            lambda: self._find(posting),
        )
        if path is None:
            return
        job = Job(path.rpartition("/")[2], identity, posting)
        self._jobs.append(job)
        self._write("posted", job, 1, 0)

    def _find(self, posting: bytes) -> str | None:
        """Return the path of the job that was posted so, if it was."""
        known = {job.name for job in self._jobs}
        for name in self._client.get_children_async(self._board).get(timeout=CALL_TIMEOUT):
            if name.startswith("job") and not name.endswith(".lock") and name not in known:
                data, _ = self._client.get_async(f"{self._board}/{name}").get(timeout=CALL_TIMEOUT)
                if data == posting:
                    return f"{self._board}/{name}"
        return None

    def _claim(self, job: Job) -> None:
        self._number += 1
        owner = f"owner-{self._number}"
        lock = f"{self._board}/{job.name}.lock"
        data = json.dumps({"owner": owner}).encode()
        done = self._done(
            lambda: self._client.create_async(lock, data, ephemeral=True),
            lambda: lock if self._data(lock) == data else None,
        )
        if done:
            job.owner = owner
            self._write("claimed", job, 1, 0)

    def _abandon(self, job: Job) -> None:
        lock = f"{self._board}/{job.name}.lock"
        if self._done(lambda: self._client.delete_async(lock), lambda: self._data(lock) is None):
            self._write("abandoned", job, 0, 1)
            job.owner = None

    def _edit(self, job: Job) -> None:
        """Set a job's data anew, which no account counts."""
        self._number += 1
        posting = json.dumps(
            {**json.loads(job.posting), "details": {"edit": self._number}}
        ).encode()
        path = f"{self._board}/{job.name}"
        if self._done(
            lambda: self._client.set_async(path, posting), lambda: self._data(path) == posting
        ):
            job.posting = posting
            self._write("edited", job, 0, 0)

    def _change_hands(self, job: Job) -> None:
        """Let go of a job and claim it again at once: no watch can tell of it."""
        self._number += 1
        owner = f"owner-{self._number}"
        lock = f"{self._board}/{job.name}.lock"
        data = json.dumps({"owner": owner}).encode()

        def commit() -> Any:
            transaction = self._client.transaction()
            transaction.delete(lock)
            transaction.create(lock, data, ephemeral=True)
            return transaction.commit_async()

        if self._done(commit, lambda: self._data(lock) == data):
            self._write("abandoned", job, 0, 1)
            job.owner = owner
            self._write("claimed", job, 1, 0)

    def _consume(self, job: Job) -> None:
        self._end("consumed", job, 2, [("delete", f"{job.name}.lock"), ("delete", job.name)])

    def _remove(self, job: Job) -> None:
        self._end("removed", job, 1, [("delete", job.name)])

    def _trash_it(self, job: Job) -> None:
        steps = [("trash", job.name), ("delete", f"{job.name}.lock"), ("delete", job.name)]
        self._end("trashed", job, 2, steps)

    def _end(self, kind: str, job: Job, deletes: int, steps: list[tuple[str, str]]) -> None:
        def commit() -> Any:
            transaction = self._client.transaction()
            for what, name in steps:
                if what == "trash":
                    transaction.create(f"{self._trash}/{name}", job.posting)
                else:
                    transaction.delete(f"{self._board}/{name}")
            return transaction.commit_async()

        path = f"{self._board}/{job.name}"
        if self._done(commit, lambda: self._data(path) is None):
            self._jobs.remove(job)
            self._write(kind, job, 0, deletes)

    def _data(self, path: str) -> bytes | None:
        try:
            data, _ = self._client.get_async(path).get(timeout=CALL_TIMEOUT)
        except NoNodeError:
            return None
        return bytes(data)

    def _done(self, call: Callable[[], Any], look: Callable[[], Any]) -> Any:
        """Call, and return what says that it was done; ask ZooKeeper where the answer is lost."""
        try:
            answer = call().get(timeout=CALL_TIMEOUT)
        except (KazooException, KazooTimeoutError):
            return self._asked(look)
        results = answer if isinstance(answer, list) else [answer]
        refused = [result for result in results if isinstance(result, KazooException)]
        if refused:
            raise AssertionError(f"nobody else works here, and yet: {refused}")
        return answer

    def _asked(self, look: Callable[[], Any]) -> Any:
        """Ask until there is an answer, on a connection that has seen the lost one's outcome."""
        while True:
            try:
                self._client.sync_async(self._board).get(timeout=CALL_TIMEOUT)
                return look()
            except (KazooException, KazooTimeoutError):
                time.sleep(0.1)

    def _write(self, kind: str, job: Job, creates: int, deletes: int) -> None:
        line = {
            "kind": kind,
            "incarnation": self._incarnation,
            "name": job.name,
            "uuid": job.uuid,
            "owner": job.owner,
            "creates": creates,
            "deletes": deletes,
            "at": time.time(),
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


def wait_until_seen(load: Load, boards: Any, board: str) -> None:
    """Wait until Canary has stored what the load did last."""
    deadline = time.monotonic() + SEEN_LIMIT
    while not load.is_seen(boards.find_one({"_id": board}, {"stat": 1})):
        assert time.monotonic() < deadline, "Canary does not see what is done"
        time.sleep(0.005)


def main(board: str, log: str, seed: str, pause: str, database: str | None = None) -> None:
    """Run a load until SIGTERM."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    load = Load(board, Path(log), int(seed))
    boards: Any = None
    if database is not None:
        boards = MongoClient(os.environ["DEVSTACK_MONGODB"])[database].boards
    while not stopping:
        load.one()
        time.sleep(float(pause))
        if boards is not None:
            wait_until_seen(load, boards, board)
    load.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
