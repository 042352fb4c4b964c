"""Whether MongoDB answers, asked before a request asks it anything that may take its time.

Promises: while MongoDB is away, refuses, or stands still, a request to the API is told so with 503
and the reason within ``PING_LIMIT`` and a little, and at once while that is known; when it is back
the next request is served. One question is under way at a time, however many ask, and none while
nobody does.

Does not bound a request that MongoDB stopped answering in the middle: ``[mongo] timeout`` does.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, request

from canary.clock import elapsed
from canary.errors import StoreError, StoreUnavailable

PING_LIMIT: Final = 2.0  # seconds; a healthy MongoDB answers in a millisecond
GRACE: Final = 0.2  # seconds for the question to notice its own limit
FRESH: Final = 0.25  # seconds for which an answer is good
KNOWN: Final = 2.0  # seconds for which a failure is, but for a look whether it has passed
QUICK: Final = 0.1  # seconds for that look

#: Under these paths everything is read from MongoDB, but for the stream, which tells of it itself.
_ASKING: Final = ("/v1.0/", "/v2/")
_STREAM: Final = "/v2/stream"


@dataclass(frozen=True, slots=True)
class _Answer:
    at: float  # by the monotonic clock
    error: StoreError | None

    def is_younger(self, seconds: float) -> bool:
        return elapsed() - self.at < seconds


class Presence:
    """MongoDB's. ``ping`` raises a StoreError after the seconds that it is given."""

    def __init__(self, ping: Callable[[float], None]) -> None:
        self._ping = ping
        self._lock = threading.Lock()
        self._asking: threading.Event | None = None
        self._answer: _Answer | None = None

    def check(self) -> None:
        """Return if MongoDB answers; else raise StoreUnavailable or StoreRefused."""
        before = self._answer
        if before is None or not before.is_younger(FRESH) or before.error is not None:
            is_known = before is not None and before.error and before.is_younger(KNOWN)
            asked = self._ask()
            if not asked.wait(QUICK if is_known else PING_LIMIT + GRACE) and not is_known:
                raise StoreUnavailable(f"MongoDB does not answer within {PING_LIMIT:g} s")
        answer = self._answer
        if answer is not None and answer.error is not None:
            raise type(answer.error)(str(answer.error))  # each request its own, with its traceback

    def _ask(self) -> threading.Event:
        """Begin to ask, unless that is under way; the result is set once there is an answer."""
        with self._lock:
            if self._asking is None:
                self._asking = threading.Event()
                threading.Thread(target=self._run, name="presence", daemon=True).start()
            return self._asking

    def _run(self) -> None:
        error: StoreError | None = StoreUnavailable(
            "Canary could not ask MongoDB; its log says why"
        )
        try:
            self._ping(PING_LIMIT)
            error = None
        except StoreError as caught:
            error = caught
        finally:
            with self._lock:
                self._answer = _Answer(elapsed(), error)
                if self._asking is not None:
                    self._asking.set()
                self._asking = None


def guard(app: Flask, presence: Presence) -> None:
    """Have every request that needs MongoDB refused while it is away."""

    @app.before_request
    def need_mongodb() -> None:
        asks = request.endpoint is not None and request.path.startswith(_ASKING)
        if asks and request.path != _STREAM:
            presence.check()
