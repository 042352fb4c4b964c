"""``/livez`` and ``/readyz``: whether the process answers, and which servers it can reach.

Promises: ``/readyz`` is 200 if and only if MongoDB answers and is one that Canary can work with (an
initiated replica set, or a sharded cluster). It answers within ``CHECK_LIMIT`` and half a second,
whatever hangs: the checks run concurrently, each at most once at a time. Reasons contain no
secrets. A client that has to sign in and has not done so gets no reasons and no number of boards. A
check is never killed: it gets its time limit as an argument and ends by itself.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Protocol

from flask import Blueprint, Response

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError
from canary.logs.output import redact
from canary.server.protection.gate import is_known
from canary.server.representation import JSON
from canary.single_flight import SingleFlight, result_within
from canary.stores.queries.jobs_at import Queries

LOG = logging.getLogger(__name__)

CHECK_LIMIT: Final = 2.0  # seconds
GRACE: Final = 0.5  # seconds for a check to notice its own limit

MONGODB: Final = "mongodb"


class Check(Protocol):
    """Sends a real request to one server; raises a CanaryError if that fails."""

    def __call__(self, timeout: float) -> object:
        """Return or raise within ``timeout`` seconds."""


class Health:
    """Checks which servers this process can reach. ``others`` are checks besides MongoDB's."""

    def __init__(self, queries: Queries, others: Mapping[str, Check], clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._checks: dict[str, Check] = {MONGODB: queries.check, **others}
        self._queries = queries
        self._checking: SingleFlight[object] = SingleFlight()
        self._counting: SingleFlight[Mapping[str, int]] = SingleFlight()

    def report(self) -> JSON:
        """Run all checks and return the body of ``/readyz``."""
        deadline = self._clock.elapsed() + CHECK_LIMIT + GRACE
        begun = {
            name: self._checking.begin(name, partial(check, CHECK_LIMIT))
            for name, check in self._checks.items()
        }
        counting = self._counting.begin("boards", self._count_boards)
        answers = {name: self._answer(name, check, deadline) for name, check in begun.items()}
        counted = self._answer("boards", counting, deadline)
        return {
            "ready": answers[MONGODB]["ready"],
            **answers,
            "boards": counting.result() if counted["ready"] else {},
        }

    def _count_boards(self) -> Mapping[str, int]:
        boards = self._queries.boards(timeout=CHECK_LIMIT)
        return Counter(board.freshness.value for board in boards)

    def _answer(self, name: str, check: "Future[Any]", deadline: float) -> JSON:
        """Return the result of a check. A check that has not ended by ``deadline`` continues."""
        try:
            result_within(max(0.0, deadline - self._clock.elapsed()), check, self._clock)
        except TimeoutError:
            return {"ready": False, "reason": f"no answer within {CHECK_LIMIT:g} s"}
        except CanaryError as error:
            return {"ready": False, "reason": redact(str(error))}
        except Exception:
            LOG.exception("the check of %s raised an unexpected error", name)
            return {
                "ready": False,
                "reason": "unexpected error in the check; see the log of canary-server",
            }
        return {"ready": True}


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
    """Return the public part of a report: what is ready and what is not."""
    return {
        name: {"ready": value["ready"]} if isinstance(value, dict) else value
        for name, value in report.items()
        if name != "boards"
    }
