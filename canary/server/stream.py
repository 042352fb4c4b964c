"""``GET /v2/stream``: server-sent events, one for whatever happens on the boards.

    board    a board's state: all of them first, then each whenever it changes
    change   something happened on a board; its id is the board's path and revision
    gap      something happened that Canary did not see one by one
    store    whether MongoDB answers: while it does not, nothing comes
    reset    events were missed, as by who connects again: fetch anew what is shown
    dropped  the last one: the client was too slow; connect and fetch anew

A comment comes every ``HEARTBEAT`` seconds: gunicorn notices a client that is gone only when it
writes. A stream ends within a second or so of the process being told to stop.
"""

import json
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

from flask import Blueprint, Response, request

from canary.errors import StoreUnavailable
from canary.server import parameters, representation
from canary.server.access import counted
from canary.server.audience import QUEUE_LIMIT, Audience, Subscription
from canary.server.problems import Crowded
from canary.stores.feed import Event, EventName

HEARTBEAT: Final = 10.0  # seconds
TURN: Final = 1.0  # seconds between two looks at whether the process ends
KNOWN_LIMIT: Final = 5.0  # seconds for the feed to read the boards for the first time
SEND_LIMIT: Final = 60.0  # seconds that one write may block on a client that does not read
RECONNECT_MS: Final = 1_000  # what EventSource waits before it connects again

_PREAMBLE: Final = f"retry: {RECONNECT_MS}\n\n".encode()
_HEARTBEAT: Final = b": still here\n\n"


def render(event: Event) -> bytes:
    """Return an event as it is sent."""
    match event.name:
        case EventName.BOARD:
            data = representation.board_state(event.path or "", event.board)
        case EventName.CHANGE:
            data = representation.change(event.document or {})
        case EventName.GAP:
            data = representation.gap(event.document or {})
        case EventName.STORE:
            data = {
                "available": event.available,
                "since": representation.optional_iso(event.since),
            }
        case EventName.RESET:
            data = {}
    identity = event.document["_id"] if event.document else None
    return _sent(event.name.value, data, identity)


def _sent(name: str, data: Mapping[str, Any], identity: str | None = None) -> bytes:
    # JSON in ASCII has no line break in it, and no path that a board may have has one.
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


_RESET: Final = _sent(EventName.RESET.value, {})
DROPPED: Final = _sent(
    "dropped", {"reason": f"more than {QUEUE_LIMIT} events were waiting; connect and fetch anew"}
)


def blueprint(audience: Audience) -> Blueprint:
    """Return the blueprint."""
    stream = Blueprint("stream", __name__)

    @stream.get("/v2/stream")
    def answer() -> Response:
        paths = parameters.paths(request.args)
        if not audience.wait_until_known(KNOWN_LIMIT):
            raise StoreUnavailable("MongoDB has not told the boards yet; connect again in a while")
        subscription = audience.subscribe(paths)
        if subscription is None:
            raise Crowded(
                "This process serves as many event streams as [server] max_streams allows, or it "
                "ends; connect again in a while"
            )
        _limit_sending()
        is_resuming = "Last-Event-ID" in request.headers
        events = _events(audience, subscription, is_resuming)
        chunks = counted(events, request.environ)
        response = Response(chunks, content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(lambda: audience.unsubscribe(subscription))
        return response

    return stream


def _events(audience: Audience, subscription: Subscription, is_resuming: bool) -> Generator[bytes]:
    yield _PREAMBLE
    if is_resuming:
        yield _RESET  # what came in between is not told again
    last = time.monotonic()
    while not audience.is_ending:
        taken = subscription.take(TURN)
        if taken is None:
            return
        now = time.monotonic()
        if not taken and now - last < HEARTBEAT:
            continue
        last = now
        audience.observer.sent(len(taken))
        yield b"".join(taken) or _HEARTBEAT


def _limit_sending() -> None:
    """Let a write to this client fail that blocks too long: it would hold its stream for ever."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SEND_LIMIT)
