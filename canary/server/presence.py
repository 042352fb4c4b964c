"""Whether MongoDB answers; checked by a ping before a request sends it a query.

Promises: while MongoDB is away, refuses or is frozen, a request to the API gets 503 with the reason
within ``PING_LIMIT`` and ``GRACE``, and at once if the failure is known already. The next request
after MongoDB has come back is served. At most one ping is in progress at a time, however many
requests there are, and none while there are no requests.

It does not bound a request during which MongoDB stops answering: ``[mongo] timeout`` does that.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, request

from canary.clock import CLOCK, Clock
from canary.errors import StoreError, StoreUnavailable
from canary.single_flight import SingleFlight, result_within

LOG = logging.getLogger(__name__)

PING_LIMIT: Final = 2.0  # seconds; a healthy MongoDB answers in a millisecond
GRACE: Final = 0.2  # seconds for the ping to notice its own limit
FRESH: Final = 0.25  # seconds for which a success is valid
KNOWN: Final = 2.0  # seconds for which a failure is valid, unless a quick ping succeeds
QUICK: Final = 0.1  # seconds to wait for that ping

#: Routes below these paths read MongoDB, except the stream, which reports MongoDB's state itself.
_ASKING: Final = ("/v1.0/", "/v2/")
_STREAM: Final = "/v2/stream"


@dataclass(frozen=True, slots=True)
class _Answer:
    at: float  # by the clock's elapsed()
    error: StoreError | None


class Presence:
    """Whether MongoDB is present. ``ping`` takes a timeout in seconds and raises StoreError."""

    def __init__(self, ping: Callable[[float], None], clock: Clock = CLOCK) -> None:
        self._ping, self._clock = ping, clock
        self._asking: SingleFlight[None] = SingleFlight()
        self._answer: _Answer | None = None

    def check(self) -> None:
        """Return if MongoDB answers, otherwise raise StoreUnavailable or StoreRefused."""
        before = self._answer
        age = self._clock.elapsed() - before.at if before is not None else 0.0
        if before is None or age >= FRESH or before.error is not None:
            is_known = before is not None and before.error and age < KNOWN
            asked = self._asking.begin("presence", self._ask)
            try:
                limit = QUICK if is_known else PING_LIMIT + GRACE
                result_within(limit, asked, self._clock)
            except TimeoutError:
                if not is_known:
                    why = f"MongoDB does not answer within {PING_LIMIT:g} s"
                    raise StoreUnavailable(why) from None
        answer = self._answer
        if answer is not None and answer.error is not None:
            raise type(answer.error)(str(answer.error))  # a new one per request

    def _ask(self) -> None:
        error: StoreError | None = None
        try:
            self._ping(PING_LIMIT)
        except StoreError as failure:
            error = failure
        except Exception:
            LOG.exception("unexpected error while checking MongoDB")
            error = StoreUnavailable("Canary could not query MongoDB; see the log of canary-server")
        self._answer = _Answer(self._clock.elapsed(), error)


def guard(app: Flask, presence: Presence) -> None:
    """Make ``app`` refuse every request that needs MongoDB while MongoDB does not answer."""

    @app.before_request
    def need_mongodb() -> None:
        asks = request.endpoint is not None and request.path.startswith(_ASKING)
        if asks and request.path != _STREAM:
            presence.check()
