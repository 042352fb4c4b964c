"""The log of requests: one line each, once it is answered; of an event stream, once it has ended.

What is written of a request: method, path, status, bytes of the answer's body, milliseconds, the
client's address and name; of a stream how many events it was sent; the board that it asked about,
where ``path`` names one. Nothing else of the query, and no header: there may be a secret in both,
put there by mistake.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from canary.config import check_board_path
from canary.errors import UsageError
from canary.server.protection.gate import CALLER

LOG = logging.getLogger(__name__)

SLOW: Final = 1.0  # seconds
MAX_PATH: Final = 200  # characters of a path that are written
MAX_FIELDS: Final = 200  # of a query that are looked at

#: Where in a request's environment a stream counts the events that it was sent.
EVENTS: Final = "canary.events"


class AccessLog:
    """gunicorn's hooks around a request. ``is_all``: every request is worth a line at INFO."""

    def __init__(self, is_all: bool) -> None:
        self._is_all = is_all

    def begin(self, _worker: Any, request: Any) -> None:
        """Called before a request is answered."""
        request.begun = time.monotonic()

    def end(self, _worker: Any, request: Any, environ: Mapping[str, Any], response: Any) -> None:
        """Called once it was answered, or could not be."""
        if response is None or response.status is None:
            return  # the worker logs what happened
        status = int(str(response.status)[:3])
        seconds = time.monotonic() - request.begun
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
    """Return the one board that a query asks about; None where it is not one."""
    try:
        paths = parse_qs(query, max_num_fields=MAX_FIELDS).get("path", [])
        return check_board_path(paths[0]) if len(paths) == 1 else None
    except (UsageError, ValueError):
        return None
