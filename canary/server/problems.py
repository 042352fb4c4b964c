"""Errors as answers: one place that turns an exception into a status and a body.

Below ``/v1.0``, a body is ``{"title", "description"}`` as in the original Canary. Everywhere else
it is a problem document (RFC 9457). An unexpected exception is logged, and the client gets no
details of it.
"""

import json
import logging
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.exceptions import NotFound as RouteNotFound

from canary.config.board_path import shown
from canary.errors import CanaryError, StoreError, UsageError, ZooKeeperUnavailable

LOG = logging.getLogger(__name__)

RETRY_AFTER: Final = 2  # seconds; a server that is away is tried again as often


class NotRegistered(CanaryError):  # noqa: N818 -- as the other leaves
    """The path is not registered with Canary."""


class NotFound(CanaryError):  # noqa: N818 -- as the other leaves
    """There is nothing with that name."""


class Crowded(CanaryError):  # noqa: N818 -- as the other leaves
    """The process has reached a limit and takes no more requests of this kind."""


class NotSignedIn(CanaryError):  # noqa: N818 -- as the other leaves
    """The request has no valid credentials; ``challenges`` are values of WWW-Authenticate."""

    def __init__(self, message: str, challenges: Sequence[str]) -> None:
        super().__init__(message)
        self.challenges = challenges


class Misdirected(CanaryError):  # noqa: N818 -- as the other leaves
    """The request is for a host that this server does not serve."""


class TooOften(CanaryError):  # noqa: N818 -- as the other leaves
    """A client has sent too many requests; it may send the next one after ``wait`` seconds."""

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
    """Register the error handlers with ``app``."""
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
                answer.headers["Retry-After"] = _seconds(error.wait)
            return answer
    LOG.error("a request failed", exc_info=error)
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error; see the log of canary-server."
    )


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, InternalServerError):
        return _answer(
            HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error; see the log of canary-server."
        )
    made = error.get_response()
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response(made.get_data(), made.status_code, list(made.headers))
    said = error.description or ""
    if isinstance(error, RouteNotFound) and said == RouteNotFound.description:
        said = f"There is nothing at {shown(request.path)}. /docs lists the addresses of the API."
    answer = _answer(HTTPStatus(error.code), said)
    if "Allow" in made.headers:
        answer.headers["Allow"] = made.headers["Allow"]
    return answer


def _answer(status: HTTPStatus, text: str) -> Response:
    body, content_type = document(request.path, status, text)
    answer = Response(body, status.value, content_type=content_type)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def document(path: str, status: HTTPStatus, text: str) -> tuple[str, str]:
    """Return the body and content type for an error in a request for ``path``."""
    if path.startswith("/v1.0"):
        return json.dumps({"title": status.phrase, "description": text}), "application/json"
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": text,
    }
    return json.dumps(problem), "application/problem+json"


def refusal(path: str, error: TooOften | Crowded) -> tuple[HTTPStatus, str, dict[str, str]]:
    """Return status, body and header fields to refuse a request that does not reach Flask."""
    status, wait = HTTPStatus.SERVICE_UNAVAILABLE, float(RETRY_AFTER)
    if isinstance(error, TooOften):
        status, wait = HTTPStatus.TOO_MANY_REQUESTS, error.wait
    body, content_type = document(path, status, str(error))
    return status, body, {"Content-Type": content_type, "Retry-After": _seconds(wait)}


def _seconds(wait: float) -> str:
    return str(max(1, math.ceil(wait)))
