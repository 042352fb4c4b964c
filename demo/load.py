"""The load of one board: somebody who posts jobs, and TaskFlow's own conductors that do them.

    python -m demo.load --hosts HOSTS --prefix PREFIX --ledger FILE SERVICE

Every one of them has a ZooKeeper session of its own; the jobs' logbooks are in ZooKeeper as well.
Now and then a job breaks down, is abandoned and done by the next who claims it, and one has lost
its logbook and is trashed. SIGTERM: no more jobs are posted, those that are there are done, then it
ends. SIGINT, or a second signal: what is running is broken off and abandoned.
"""

import argparse
import contextlib
import logging
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from taskflow.conductors.backends.impl_nonblocking import NonBlockingConductor
from taskflow.exceptions import TaskFlowException
from taskflow.persistence.backends.impl_zookeeper import ZkBackend

from demo import boards, flows
from demo.boards import DemoBoard
from demo.jobboard import RecordingJobBoard
from demo.ledger import Ledger
from demo.pace import Pace

LOG = logging.getLogger(__name__)

PAUSES = (0.9, 1.8)  # seconds between two jobs on a board: about three in four seconds
SLOTS = 3  # jobs that one conductor does at the same time; twice what is needed on the average
BREAKDOWN = (5, 1)  # of every five jobs the second
LOST_BOOK = (8, 3)  # of every eight the fourth
KEPT_BOOKS = 100  # logbooks of jobs that are done, for who looks at them in ZooKeeper
DRAIN_LIMIT = 60.0  # seconds for the jobs that are there when no more are posted
STOP_LIMIT = 10.0  # seconds for conductors to stop
LOOK = 0.05  # seconds between two looks at whether all is done
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Member:
    """Who takes part in a board: a session, a view of the board, and of its logbooks."""

    def __init__(self, name: str, hosts: str, board: DemoBoard, ledger: Ledger, pace: Pace) -> None:
        self.name = name
        self._client = KazooClient(hosts)
        self.books = ZkBackend({"path": board.books}, client=self._client)
        self.board = RecordingJobBoard(name, board.path, self._client, self.books, ledger, pace)

    def connect(self) -> None:
        """Open the session; make the board and the place of the logbooks if they are missing."""
        self.board.connect()
        with contextlib.closing(self.books.get_connection()) as connection:
            connection.upgrade()

    def close(self) -> None:
        """End the session, and with it what is ephemeral."""
        self.board.close()
        self._client.stop()
        self._client.close()


class Worker:
    """A TaskFlow conductor in a thread."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._done_books: deque[str] = deque()
        self._conductor = NonBlockingConductor(
            member.name, member.board, persistence=member.books, max_simultaneous_jobs=SLOTS
        )
        self._conductor.notifier.register("job_consumed", self._clear_away)
        self._thread = threading.Thread(target=self._conductor.run, name=member.name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._member.connect()
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end."""
        self._conductor.stop()

    def join(self) -> bool:
        """Wait until it has ended, for some time; whether it has."""
        self._thread.join(STOP_LIMIT)
        ended = not self._thread.is_alive()
        self._member.close()
        return ended

    def _clear_away(self, _event: str, details: Mapping[str, Any]) -> None:
        self._done_books.append(details["job"].book_uuid)
        if len(self._done_books) > KEPT_BOOKS:
            with contextlib.closing(self._member.books.get_connection()) as connection:
                connection.destroy_logbook(self._done_books.popleft())


class Poster:
    """Posts one job after the other."""

    def __init__(self, member: Member, board: DemoBoard) -> None:
        self._member, self._board = member, board
        self._number = 0

    def post(self) -> None:
        """Post the next job. What fails is logged and left: the next one may do better."""
        number = self._number
        self._number += 1
        kind = self._board.kinds[number % len(self._board.kinds)]
        book = flows.write_book(kind, number, breaks_down=_falls_on(number, BREAKDOWN))
        details = {"request": f"req-{number:05}", "project": f"project-{number % 7}"}
        try:
            if not _falls_on(number, LOST_BOOK):
                with contextlib.closing(self._member.books.get_connection()) as connection:
                    connection.save_logbook(book)
            self._member.board.post(kind.name, book=book, details=details)
        except TaskFlowException:
            LOG.exception("job %d could not be posted", number)


def _falls_on(number: int, turn: tuple[int, int]) -> bool:
    every, first = turn
    return number % every == first


class Load:
    """All that goes on on one board."""

    def __init__(self, hosts: str, board: DemoBoard, ledger: Path) -> None:
        self._ledger = Ledger(board.path, ledger)
        pace = Pace()
        self._pause = random.Random(board.service)  # noqa: S311 - nothing secret
        self._poster_member = Member(f"{board.service}-api", hosts, board, self._ledger, pace)
        self._poster = Poster(self._poster_member, board)
        self._workers = [
            Worker(Member(name, hosts, board, self._ledger, pace)) for name in board.conductors
        ]

    def run(self) -> int:
        """Work until a signal of `SIGNALS`, which are blocked in all threads; the exit status."""
        self._poster_member.connect()
        for worker in self._workers:
            worker.start()
        number = self._post_until_signal()
        if number != signal.SIGINT:
            self._drain()
        flows.HURRY.set()
        for worker in self._workers:
            worker.stop()
        # kazoo takes a second to end a session, so they are ended side by side.
        with ThreadPoolExecutor() as pool:
            pool.submit(self._poster_member.close)
            ended = list(pool.map(Worker.join, self._workers))
        self._ledger.close()
        return 0 if number is not None and all(ended) else 1

    def _post_until_signal(self) -> int | None:
        while all(worker.works for worker in self._workers):
            self._poster.post()
            if (told := signal.sigtimedwait(SIGNALS, self._pause.uniform(*PAUSES))) is not None:
                return told.si_signo
        LOG.error("a conductor ended by itself")
        return None

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_LIMIT
        while self._ledger.open_jobs and time.monotonic() < deadline:
            if signal.sigtimedwait(SIGNALS, LOOK) is not None:
                return


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.load")
    parser.add_argument("--hosts", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--ledger", required=True, type=Path)
    parser.add_argument("service", choices=sorted(boards.SERVICES))
    chosen = parser.parse_args()
    # Before any thread is there, so that none of them gets the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return Load(chosen.hosts, boards.board(chosen.prefix, chosen.service), chosen.ledger).run()


if __name__ == "__main__":
    sys.exit(main())
