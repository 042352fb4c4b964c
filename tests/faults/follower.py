"""A client of ``/v2/stream`` that loses its connection, comes back, and still has all of it.

When it first connects, and whenever it is told ``reset``, it fetches the board's jobs, and then
folds every change that comes; one that the answer had in it already does no harm, for the last word
on a job is the last. When it comes back it says where it was, and fetches nothing.
"""

import contextlib
import json
import time
from typing import Any

import gevent
import requests
from gevent.event import Event

from tests.faults.shown import Told

TIMEOUT = 15.0  # seconds without a byte; the server sends one every ten


class Follower:
    """Follows one board in a greenlet.

    ``jobs`` is what it holds to be on the board, ``revisions`` are those of the changes that were
    told since it fetched last; ``told`` is what the stream ever said of the board's freshness.
    """

    def __init__(self, url: str, board: str) -> None:
        self._url, self._board = url, board
        self.jobs: dict[str, tuple[str, str | None]] = {}  # by name: state and owner
        self.revisions: list[int] = []
        self.told: list[Told] = []
        self.connections = self.fetches = 0
        self._last: str | None = None  # the id behind which it goes on
        self._response: requests.Response | None = None
        self._stopping = Event()
        self._greenlet = gevent.spawn(self._run)

    def drop(self) -> None:
        """Lose the connection, if there is one."""
        if self._response is not None:
            with contextlib.suppress(OSError, RuntimeError):  # it is over already
                self._response.raw.shutdown()

    def stop(self) -> None:
        """Follow no more."""
        # Not killed: inside a connect that leaves a socket which nobody closes.
        self._stopping.set()
        self.drop()
        self._greenlet.join(2 * TIMEOUT)
        assert self._greenlet.dead, "it follows on"

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(requests.RequestException, OSError, ValueError, TypeError):
                self._follow()
            self._stopping.wait(0.1)

    def _follow(self) -> None:
        with requests.get(
            f"{self._url}/v2/stream",
            params={"path": self._board},
            headers={"Last-Event-ID": self._last} if self._last else {},
            stream=True,
            timeout=(2.0, TIMEOUT),
        ) as response:
            response.raise_for_status()
            self._response = response
            try:
                self._read(response)
            finally:
                self._response = None

    def _read(self, response: requests.Response) -> None:
        name, data = "", ""
        identity = self._last
        for line in response.iter_lines(chunk_size=None):  # as it comes, not byte by byte
            if self._stopping.is_set():
                return
            field, _, value = line.decode().partition(": ")
            match field:
                case "retry":
                    self.connections += 1
                    if self._last is None:
                        self._fetch()
                case "id":
                    identity = value
                case "event":
                    name = value
                case "data":
                    data = value
                case "":  # only now the event is whole, and may be gone behind
                    self._take(name, data)
                    if name == "dropped":
                        return
                    name, data, self._last = "", "", identity
                    gevent.sleep(0)  # what always has more to read would let nobody else run

    def _take(self, name: str, data: str) -> None:
        if name == "reset":
            self._fetch()
        elif name == "change":
            self._fold(json.loads(data))
        elif name == "board":
            self.told.append(Told(time.monotonic(), json.loads(data)["freshness"]))

    def _fetch(self) -> None:
        answer = requests.get(
            f"{self._url}/v1.0/jobs", params={"path": self._board, "interval": "1"}, timeout=TIMEOUT
        )
        answer.raise_for_status()
        [found] = answer.json()
        self.jobs = {
            job["_path"].rpartition("/")[2]: (job["status"], job["owner"])
            for job in found["jobs"]
            if job["status"] != "COMPLETE"
        }
        self.revisions, self.fetches = [], self.fetches + 1

    def _fold(self, change: dict[str, Any]) -> None:
        name, kind = change["name"], change["kind"]
        self.revisions.append(change["revision"])
        match kind:
            case "posted" | "malformed" | "abandoned":
                self.jobs[name] = ("UNCLAIMED", None)
            case "claimed":
                self.jobs[name] = ("CLAIMED", change["owner"])
            case "consumed" | "trashed" | "removed" | "ended":
                self.jobs.pop(name, None)
