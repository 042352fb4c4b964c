"""Errors as answers: one place that turns an exception into a status and a body.

Under ``/v1.0`` a body is the original's ``{"title", "description"}``, everywhere else a problem
document (RFC 9457). What nobody foresaw is logged, and tells the client nothing of its inside.
"""

import json
import logging
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from canary.errors import CanaryError, StoreError, UsageError, ZooKeeperUnavailable

LOG = logging.getLogger(__name__)

RETRY_AFTER: Final = 2  # seconds; what is away is tried again as often


class NotRegistered(CanaryError):  # noqa: N818 -- as the other leaves
    """Nobody told Canary to watch that path."""


class NotFound(CanaryError):  # noqa: N818 -- as the other leaves
    """There is nothing of that name."""


class Crowded(CanaryError):  # noqa: N818 -- as the other leaves
    """This process does as much of that as it may."""


class NotSignedIn(CanaryError):  # noqa: N818 -- as the other leaves
    """Nobody who is known asked; ``challenges`` say how to sign in."""

    def __init__(self, message: str, challenges: Sequence[str]) -> None:
        super().__init__(message)
        self.challenges = challenges


class Misdirected(CanaryError):  # noqa: N818 -- as the other leaves
    """The request was for a host that this is not."""


class TooOften(CanaryError):  # noqa: N818 -- as the other leaves
    """A client asked too often; it may again after ``wait`` seconds."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


_STATUS: Final[tuple[tuple[type[CanaryError], HTTPStatus], ...]] = (
    (UsageError, HTTPStatus.BAD_REQUEST),
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (NotRegistered, HTTPStatus.NOT_FOUND),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Misdirected, HTTPStatus.MISDIRECTED_REQUEST),
    (TooOften, HTTPStatus.TOO_MANY_REQUESTS),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ZooKeeperUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Crowded, HTTPStatus.SERVICE_UNAVAILABLE),
)


def register(app: Flask) -> None:
    """Let ``app`` answer its errors so."""
    app.register_error_handler(CanaryError, _canary_error)
    app.register_error_handler(HTTPException, _http_error)


def _canary_error(error: CanaryError) -> Response:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            if status is HTTPStatus.SERVICE_UNAVAILABLE:
                LOG.warning("answered 503: %s", error)
            answer = _answer(status, str(error))
            if isinstance(error, NotSignedIn):
                for challenge in error.challenges:
                    answer.headers.add("WWW-Authenticate", challenge)
            if isinstance(error, TooOften):
                answer.headers["Retry-After"] = str(max(1, math.ceil(error.wait)))
            return answer
    LOG.error("a request failed", exc_info=error)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Canary failed; its log says more.")


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, InternalServerError):
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Canary failed; its log says more.")
    made = error.get_response()
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response(made.get_data(), made.status_code, list(made.headers))
    answer = _answer(HTTPStatus(error.code), error.description or "")
    if "Allow" in made.headers:
        answer.headers["Allow"] = made.headers["Allow"]
    return answer


def _answer(status: HTTPStatus, text: str) -> Response:
    if request.path.startswith("/v1.0"):
        body: dict[str, object] = {"title": status.phrase, "description": text}
        content_type = "application/json"
    else:
        body = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": text,
        }
        content_type = "application/problem+json"
    answer = Response(json.dumps(body), status.value, content_type=content_type)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer
