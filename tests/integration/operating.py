"""What operators do on a jobboard, through TaskFlow alone, each in a process of its own.

    python -m tests.integration.operating hands     BOARD LOG URL SEED COUNT
    python -m tests.integration.operating conductor BOARD LOG URL COUNT

``hands`` posts, claims, abandons, consumes and trashes jobs by TaskFlow's own jobboard calls, as
its seed says; ``conductor`` posts jobs with a logbook and runs them on a stock TaskFlow conductor.
Both write one line of JSON to LOG for every operation that was done, and end when all is done.

Between two operations on one job there is a pause, as between any two of a person: ZooKeeper's
watches tell of the last of several changes that come at once. How long it is, on a machine that may
stand still at times, nobody knows beforehand: it lasts until the canary-server at URL shows the
operation before.
"""

import contextlib
import json
import os
import random
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import requests
from taskflow import engines, task
from taskflow.conductors import backends as conductors
from taskflow.jobs import backends as jobboards
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard
from taskflow.patterns import linear_flow
from taskflow.persistence import backends as persistences
from taskflow.persistence import models

PAUSE: Final = 0.02  # seconds between two questions
SHOWN_LIMIT: Final = 60.0  # seconds for an operation to be shown
OWNERS: Final = ("alice", "bob")
DONE: Final = {"abandon": "abandoned", "consume": "consumed", "trash": "trashed"}


class Log:
    """The operations that were done, in order."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 -- for the process's life
        self._lock = threading.Lock()

    def add(self, kind: str, uuid: str, owner: str | None) -> None:
        """Write down one operation."""
        with self._lock:
            self._file.write(json.dumps({"kind": kind, "uuid": uuid, "owner": owner}) + "\n")
            self._file.flush()


class Shown:
    """What the canary-server at ``url`` shows of a board."""

    def __init__(self, url: str, path: str) -> None:
        self._url, self._query = f"{url}/v1.0/jobs", {"path": path, "interval": "3600"}

    def wait(self, uuid: str, status: str) -> None:
        """Return once a job is shown to be in ``status``."""
        deadline = time.monotonic() + SHOWN_LIMIT
        while self._status(uuid) != status:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {uuid} is not shown as {status}")
            time.sleep(PAUSE)

    def _status(self, uuid: str) -> str | None:
        with requests.get(self._url, params=self._query, timeout=SHOWN_LIMIT) as answer:
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                return None  # nothing is shown while MongoDB is slow to answer
            answer.raise_for_status()
            [board] = answer.json()
        return next((job["status"] for job in board["jobs"] if job["_uuid"] == uuid), None)


def hands(board: ZookeeperJobBoard, log: Log, shown: Shown, seed: int, count: int) -> None:
    """Do ``count`` operations; what is legal for a job is chosen by the seed."""
    chooser = random.Random(seed)
    unclaimed: list[Any] = []
    claimed: list[tuple[Any, str]] = []
    for _ in range(count):
        choices = ["post"] + ["claim"] * (2 * bool(unclaimed))
        choices += ["abandon", "consume", "consume", "trash"] * bool(claimed)
        choice = chooser.choice(choices)
        if choice == "post":
            job = board.post(f"job-{chooser.randrange(100)}", details={"n": chooser.randrange(9)})
            unclaimed.append(job)
            log.add("posted", job.uuid, None)
            shown.wait(job.uuid, "UNCLAIMED")
        elif choice == "claim":
            job = unclaimed.pop(chooser.randrange(len(unclaimed)))
            owner = chooser.choice(OWNERS)
            board.claim(job, owner)
            claimed.append((job, owner))
            log.add("claimed", job.uuid, owner)
            shown.wait(job.uuid, "CLAIMED")
        else:
            job, owner = claimed.pop(chooser.randrange(len(claimed)))
            getattr(board, choice)(job, owner)
            log.add(DONE[choice], job.uuid, owner)
            if choice == "abandon":
                unclaimed.append(job)
            shown.wait(job.uuid, "UNCLAIMED" if choice == "abandon" else "COMPLETE")
    board.close()
    for job, owner in claimed:  # a session takes its claims with it
        log.add("abandoned", job.uuid, owner)


class Work(task.Task):  # type: ignore[misc,unused-ignore]
    """Takes a moment."""

    def execute(self) -> None:
        """Take it."""
        time.sleep(PAUSE)


def flow() -> linear_flow.Flow:
    """Return the flow that the conductor's jobs run."""
    return linear_flow.Flow("work").add(Work("work"))


class LoggedBoard(ZookeeperJobBoard):  # type: ignore[misc,unused-ignore]
    """A jobboard that writes down what a stock conductor does on it, and gives it time."""

    log: Log
    shown: Shown

    def claim(self, job: Any, who: str) -> None:
        self.shown.wait(job.uuid, "UNCLAIMED")
        super().claim(job, who)
        self.log.add("claimed", job.uuid, who)

    def consume(self, job: Any, who: str) -> None:
        self.shown.wait(job.uuid, "CLAIMED")
        super().consume(job, who)
        self.log.add("consumed", job.uuid, who)


def conductor(board: LoggedBoard, persistence: Any, log: Log, shown: Shown, count: int) -> None:
    """Post ``count`` jobs with a logbook each, and have a stock conductor run them."""
    board.log, board.shown = log, shown
    runner = conductors.fetch("blocking", "stock", board, persistence=persistence)
    thread = threading.Thread(target=runner.run)
    thread.start()
    for number in range(count):
        book = models.LogBook(f"book-{number}")
        detail = models.FlowDetail(f"flow-{number}", book.uuid)
        book.add(detail)
        with contextlib.closing(persistence.get_connection()) as connection:
            connection.save_logbook(book)
        engines.save_factory_details(detail, flow, [], {}, backend=persistence)
        job = board.post(f"work-{number}", book=book)
        log.add("posted", job.uuid, None)
    while board.job_count:
        time.sleep(PAUSE)
    runner.stop()
    thread.join()


def main(what: str, path: str, log_path: str, url: str, *numbers: str) -> None:
    """Run one of the two."""
    conf = {"board": "zookeeper", "hosts": os.environ["DEVSTACK_ZOOKEEPER"], "path": path}
    log, shown = Log(log_path), Shown(url, path)
    if what == "hands":
        board = jobboards.fetch("hands", conf)
        board.connect()
        hands(board, log, shown, *(int(number) for number in numbers))
    else:
        persistence = persistences.fetch({"connection": "memory"})
        board = LoggedBoard("conductor", conf, persistence=persistence)
        board.connect()
        conductor(board, persistence, log, shown, *(int(number) for number in numbers))
        board.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
