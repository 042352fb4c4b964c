"""Events as clients are sent them: as server-sent events, or as one JSON object a line.

Promises: an event is written once in each form, however many clients it is sent to. Its id, where
it has one, is a position: whoever was sent it was sent everything up to there.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from canary.server import representation
from canary.stores.events import Event, EventName, identity_of

LOG = logging.getLogger(__name__)

RECONNECT_MS: Final = 1_000  # what EventSource waits before it connects again


class Form(Protocol):
    """How a stream is written. ``data`` is JSON in ASCII, which has no line break in it."""

    content_type: str
    preamble: bytes

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        """Return one event."""

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        """Return what says that all was sent up to ``identity``, where that is known.

        ``is_reached`` says that there is nothing else by now.
        """


class _ServerSentEvents:
    content_type = "text/event-stream"
    preamble = f"retry: {RECONNECT_MS}\n\n".encode()

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        head = f"id: {identity}\n" if identity else ""
        return f"{head}event: {name}\ndata: {data}\n\n".encode()

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        # An id alone is remembered by the client, and is no event: it can say nothing else.
        del is_reached
        return f"id: {identity}\n\n".encode() if identity else b": still here\n\n"


class _JSONLines:
    content_type = "application/x-ndjson"
    preamble = b""

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        head = json.dumps({"event": name, "id": identity})
        return f'{head[:-1]}, "data": {data}}}\n'.encode()

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        return self.event("heartbeat", identity, json.dumps({"reached": is_reached}))


SERVER_SENT_EVENTS: Final[Form] = _ServerSentEvents()
JSON_LINES: Final[Form] = _JSONLines()
FORMS: Final = (SERVER_SENT_EVENTS, JSON_LINES)


class Telling:
    """One event on its way to clients.

    ``data`` is a mapping, or one that is JSON already. ``event`` is the feed's, None for what it
    did not tell.
    """

    __slots__ = ("__weakref__", "_sent", "data", "event", "name", "position")

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any] | str,
        position: str | None = None,
        event: Event | None = None,
    ) -> None:
        self.name, self.position, self.event = name, position, event
        self.data = data if isinstance(data, str) else json.dumps(data)
        self._sent: dict[Form, bytes] = {}

    def sent(self, form: Form) -> bytes:
        """Return it as it is sent in ``form``."""
        written = self._sent.get(form)
        if written is None:
            identity = identity_of(self.position) if self.position else None
            written = self._sent[form] = form.event(self.name, identity, self.data)
        return written


class Heartbeat:
    """What says that a stream lives, and that its client has everything up to ``position``.

    ``is_reached`` says that this is all that the process knows: the client has caught up with it.
    """

    def __init__(self, position: str | None, *, is_reached: bool) -> None:
        self._identity = identity_of(position) if position else None
        self._is_reached = is_reached

    def sent(self, form: Form) -> bytes:
        """Return it as it is sent in ``form``."""
        return form.heartbeat(self._identity, is_reached=self._is_reached)


def telling(event: Event) -> Telling:
    """Return one of the feed's events on its way. Raises KeyError for a document that lacks one."""
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
    return Telling(event.name.value, data, event.position, event)


def tellings(events: Iterable[Event]) -> list[Telling]:
    """Return the feed's events on their way, without those that cannot be told."""
    found = []
    for event in events:
        try:
            found.append(telling(event))
        except Exception:  # of another version's making, perhaps; the feed leaves it out as well
            LOG.exception("a document could not be told")
    return found


def reset(position: str | None) -> Telling:
    """Return what tells a client that events may be missing up to ``position``."""
    return Telling(EventName.RESET.value, {}, position)


def dropped(reason: str) -> Telling:
    """Return the last that a client is told, and why it is."""
    return Telling("dropped", {"reason": reason})
