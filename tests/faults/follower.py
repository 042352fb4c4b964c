"""A client of ``/v2/stream`` that loses its connection, comes back, and still has all of it.

Whenever it connects it fetches the board's jobs first, and then folds every change that comes; what
comes twice does no harm, for the last word on a job is the last.
"""

import contextlib
import json
from typing import Any

import gevent
import requests
from gevent.event import Event

TIMEOUT = 15.0  # seconds without a byte; the server sends one every ten


class Follower:
    """Follows one board in a greenlet; ``jobs`` is what it holds to be on the board."""

    def __init__(self, url: str, board: str) -> None:
        self._url, self._board = url, board
        self.jobs: dict[str, tuple[str, str | None]] = {}  # by name: state and owner
        self.connections = 0
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
        name = ""
        for line in response.iter_lines(chunk_size=1):
            if self._stopping.is_set():
                return
            field, _, value = line.decode().partition(": ")
            if field == "retry" or (field == "event" and value == "reset"):
                self._fetch()
                self.connections += field == "retry"
            elif field == "event":
                name = value
            elif field == "data" and name == "change":
                self._fold(json.loads(value))
            elif field == "data" and name == "dropped":
                return

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

    def _fold(self, change: dict[str, Any]) -> None:
        name, kind = change["name"], change["kind"]
        match kind:
            case "posted" | "malformed" | "abandoned":
                self.jobs[name] = ("UNCLAIMED", None)
            case "claimed":
                self.jobs[name] = ("CLAIMED", change["owner"])
            case "consumed" | "trashed" | "removed" | "ended":
                self.jobs.pop(name, None)
