"""The access log: one line per request, written once it is answered.

The line of an event stream is written once the stream has ended.

A line contains the method, the path, the status, the size of the response's body in bytes, the
duration in milliseconds, and the client's address and name. For a stream it contains the number of
events that were sent, and for a request whose ``path`` names one board, that board. It contains
nothing else of the query, and no header: both may contain a secret, by mistake.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from canary.clock import CLOCK, Clock
from canary.config import check_board_path
from canary.errors import UsageError
from canary.server.protection.gate import CALLER

LOG = logging.getLogger(__name__)

SLOW: Final = 1.0  # seconds
MAX_PATH: Final = 200  # characters of a path that are written
MAX_FIELDS: Final = 200  # of a query that are parsed

#: The key in a request's environment with the number of events that a stream has sent.
EVENTS: Final = "canary.events"


class AccessLog:
    """gunicorn's hooks around a request. With ``is_all``, every request is logged at INFO."""

    def __init__(self, is_all: bool, clock: Clock = CLOCK) -> None:
        self._is_all, self._clock = is_all, clock

    def begin(self, _worker: Any, request: Any) -> None:
        """gunicorn's ``pre_request``: note when the request began."""
        request.begun = self._clock.elapsed()

    def end(self, _worker: Any, request: Any, environ: Mapping[str, Any], response: Any) -> None:
        """gunicorn's ``post_request``: log the request, whether it was answered or failed."""
        if response is None or response.status is None:
            return  # the worker logs the failure
        status = int(str(response.status)[:3])
        seconds = self._clock.elapsed() - request.begun
        is_stream = EVENTS in environ
        is_notable = status >= 400 or seconds >= SLOW or is_stream
        level = logging.INFO if is_notable or self._is_all else logging.DEBUG
        if LOG.isEnabledFor(level):
            facts = {
                "method": request.method,
                "path": _cut(request.path),
                "status": status,
                "bytes": response.sent,
                "ms": round(1000 * seconds),
                "client": environ.get("REMOTE_ADDR"),
                "user": environ.get(CALLER),
                "events": environ.get(EVENTS),
                "board": _board(environ.get("QUERY_STRING", "")),
            }
            LOG.log(level, "stream ended" if is_stream else "answered", extra=facts)


def _cut(path: str) -> str:
    return path if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}…"


def _board(query: str) -> str | None:
    """Return the board that a query names; None unless it names exactly one."""
    try:
        paths = parse_qs(query, max_num_fields=MAX_FIELDS).get("path", [])
        return check_board_path(paths[0]) if len(paths) == 1 else None
    except (UsageError, ValueError):
        return None
