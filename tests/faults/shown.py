"""What canary-server shows of the boards, and when it showed what.

``Poller`` asks the API ten times a second and keeps what it said, so that what lasts a second is
not missed by who looks later.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import gevent
import requests
from gevent.event import Event

PAUSE: Final = 0.1  # seconds between two questions
LIMIT: Final = 15.0  # seconds for an answer: MongoDB may be away


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a board's freshness, None for nothing, when by the monotonic clock."""

    at: float
    freshness: str | None


class Shown:
    """What the server at ``url`` shows now."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Tell whether it serves."""
        try:
            with requests.get(f"{self.url}/readyz", timeout=LIMIT) as answer:
                return answer.status_code == 200
        except requests.RequestException:
            return False

    def boards(self) -> dict[str, Mapping[str, Any]]:
        """Return what it shows of all boards, by path; nothing where it can't, without MongoDB."""
        try:
            with requests.get(f"{self.url}/v2/boards?window=1", timeout=LIMIT) as answer:
                return {each["path"]: each for each in answer.json().get("boards", ())}
        except (requests.RequestException, ValueError):
            return {}

    def freshness(self, board: str) -> str | None:
        """Return what it says of a board; None where it says nothing of it."""
        found = self.boards().get(board)
        return found["freshness"] if found else None


class Poller:
    """Asks for one board's freshness again and again; ``told`` is what it was told."""

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask
        self.told: list[Told] = []
        self._stopping = Event()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        self._greenlet.join(2 * LIMIT)
        assert self._greenlet.dead, "it asks on"

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE):
            # By when it was asked: the answer is of no earlier moment.
            asked, freshness = time.monotonic(), self._ask()
            if not self.told or self.told[-1].freshness != freshness:
                self.told.append(Told(asked, freshness))


def first(told: Collection[Told], freshness: Collection[str], since: float) -> float | None:
    """Return the seconds from ``since`` until one of ``freshness`` was told; None for not yet.

    Zero where it was told before, and nothing else since.
    """
    before = [each.freshness for each in told if each.at < since][-1:]
    if before and before[0] in freshness:
        return 0.0
    after = (each.at - since for each in told if each.at >= since and each.freshness in freshness)
    return next(after, None)
