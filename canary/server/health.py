"""``/livez`` and ``/readyz``: whether the process answers, and what it can reach.

Promises: ``/readyz`` is 200 if and only if MongoDB answers, and comes within ``CHECK_LIMIT`` and a
half seconds, whatever hangs: the checks run beside each other, each at most once at a time. Reasons
hold no secrets, and who needed to sign in and did not gets none, nor how many boards there are. A
check is never killed: it ends by its own limit, which it is handed.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final, Protocol

from flask import Blueprint, Response

from canary.errors import CanaryError
from canary.logs import redact
from canary.server.protection.gate import is_known
from canary.server.representation import JSON
from canary.stores.reading import Reading

CHECK_LIMIT: Final = 2.0  # seconds
GRACE: Final = 0.5  # seconds for a check to notice its own limit

MONGODB: Final = "mongodb"


class Check(Protocol):
    """Asks one server something real; raises a CanaryError where that fails."""

    def __call__(self, timeout: float) -> object:
        """Return within ``timeout`` seconds or raise."""


class _Probe:
    """One check, run at most once at a time; who asks meanwhile waits for the same answer."""

    def __init__(self, name: str, check: Check) -> None:
        self._name, self._check = name, check
        self._lock = threading.Lock()
        self._done: threading.Event | None = None
        self._answer: JSON = {}

    def begin(self) -> threading.Event:
        with self._lock:
            if self._done is None:
                self._done = threading.Event()
                threading.Thread(target=self._run, name=f"check-{self._name}", daemon=True).start()
            return self._done

    def answer(self, done: threading.Event, deadline: float) -> JSON:
        if not done.wait(max(0.0, deadline - time.monotonic())):
            return {"ready": False, "reason": f"no answer within {CHECK_LIMIT:g} s"}
        return self._answer

    def _run(self) -> None:
        answer: JSON = {"ready": False, "reason": "the check itself failed; the log says more"}
        try:
            self._check(CHECK_LIMIT)
            answer = {"ready": True}
        except CanaryError as error:
            answer = {"ready": False, "reason": redact(str(error))}
        finally:
            with self._lock:
                self._answer = answer
                if self._done:
                    self._done.set()
                self._done = None


class Health:
    """What this process can reach. ``others`` are reported beside MongoDB, by name."""

    def __init__(self, reading: Reading, others: Mapping[str, Check]) -> None:
        checks: dict[str, Check] = {MONGODB: reading.ping, **others}
        self._probes = {name: _Probe(name, check) for name, check in checks.items()}
        self._boards = _Probe("boards", self._count_boards)
        self._reading = reading
        self._counts: dict[str, int] = {}

    def report(self) -> JSON:
        """Check everything and return what came of it."""
        deadline = time.monotonic() + CHECK_LIMIT + GRACE
        begun = {name: probe.begin() for name, probe in self._probes.items()}
        counting = self._boards.begin()
        answers = {name: self._probes[name].answer(done, deadline) for name, done in begun.items()}
        counted = self._boards.answer(counting, deadline)
        return {
            "ready": answers[MONGODB]["ready"],
            **answers,
            "boards": self._counts if counted["ready"] else {},
        }

    def _count_boards(self, timeout: float) -> None:
        boards = self._reading.boards(timeout=timeout)
        self._counts = dict(Counter(board.freshness.value for board in boards))


def blueprint(health: Health) -> Blueprint:
    """Return the blueprint."""
    probes = Blueprint("health", __name__)

    @probes.get("/livez")
    def live() -> JSON:
        return {"live": True}

    @probes.get("/readyz")
    def ready() -> Response:
        report = health.report()
        if not is_known():
            report = _bare(report)
        status = 200 if report["ready"] else 503
        response = Response(json.dumps(report), status, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return probes


def _bare(report: JSON) -> JSON:
    """Return what anybody may know of a report: what is ready and what is not."""
    return {
        name: {"ready": value["ready"]} if isinstance(value, dict) else value
        for name, value in report.items()
        if name != "boards"
    }
