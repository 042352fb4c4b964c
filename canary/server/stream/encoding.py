"""Events in the form in which they are sent: server-sent events, or one JSON object per line.

Promises: an event is encoded once per form, however many clients it is sent to. An event's id, if
it has one, is a position: a client that was sent the id was sent everything up to that position.
"""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from canary.errors import PlaceLost
from canary.server import representation
from canary.stores.changestream.events import Event, EventName, identity_of

RECONNECT_MS: Final = (1_000, 5_000)  # what EventSource waits before it connects again


class Form(Protocol):
    """The format of a stream. ``data`` is JSON in ASCII and contains no line break."""

    content_type: str

    def preamble(self) -> bytes:
        """Return the first bytes of a stream."""

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        """Return one event as bytes."""

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        """Return a heartbeat: everything up to ``identity`` was sent; None if that is not known.

        ``is_reached`` says that there are no further events yet.
        """


class _ServerSentEvents:
    content_type = "text/event-stream"

    def preamble(self) -> bytes:
        # A random delay per stream: clients do not all reconnect at once when a server ends.
        return f"retry: {random.randint(*RECONNECT_MS)}\n\n".encode()  # noqa: S311

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        head = f"id: {identity}\n" if identity else ""
        return f"{head}event: {name}\ndata: {data}\n\n".encode()

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        # A client remembers an id without data but dispatches no event, so only the id can be sent.
        del is_reached
        return f"id: {identity}\n\n".encode() if identity else b": still here\n\n"


class _JSONLines:
    content_type = "application/x-ndjson"

    def preamble(self) -> bytes:
        return b""

    def event(self, name: str, identity: str | None, data: str) -> bytes:
        head = json.dumps({"event": name, "id": identity})
        return f'{head[:-1]}, "data": {data}}}\n'.encode()

    def heartbeat(self, identity: str | None, *, is_reached: bool) -> bytes:
        return self.event("heartbeat", identity, json.dumps({"reached": is_reached}))


SERVER_SENT_EVENTS: Final[Form] = _ServerSentEvents()
JSON_LINES: Final[Form] = _JSONLines()
FORMS: Final = (SERVER_SENT_EVENTS, JSON_LINES)


class EncodedEvent:
    """An event that is ready to be sent to clients.

    ``data`` is JSON, made once. ``event`` is the feed's event, or None if the feed sent none.
    """

    __slots__ = ("_sent", "data", "event", "name", "position")

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any],
        position: str | None = None,
        event: Event | None = None,
    ) -> None:
        self.name, self.position, self.event = name, position, event
        self.data = json.dumps(data, allow_nan=False)
        self._sent: dict[Form, bytes] = {}

    def sent(self, form: Form) -> bytes:
        """Return the event's bytes in ``form``."""
        written = self._sent.get(form)
        if written is None:
            identity = identity_of(self.position) if self.position else None
            written = self._sent[form] = form.event(self.name, identity, self.data)
        return written


class Heartbeat:
    """A sign of life, which says that the client was sent everything up to ``position``.

    ``is_reached`` says that the process knows nothing further: the client has caught up.
    """

    def __init__(self, position: str | None, *, is_reached: bool) -> None:
        self._identity = identity_of(position) if position else None
        self._is_reached = is_reached

    def sent(self, form: Form) -> bytes:
        """Return the heartbeat's bytes in ``form``."""
        return form.heartbeat(self._identity, is_reached=self._is_reached)


def encode(event: Event) -> EncodedEvent:
    """Return an event of the feed, ready to be sent.

    Raises an exception of any type if the event's document can't be encoded.
    """
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
                "reason": event.reason,
            }
        case EventName.RESET:
            data = {}
    return EncodedEvent(event.name.value, data, event.position, event)


def encode_all(events: Iterable[Event]) -> list[EncodedEvent]:
    """Return events of the feed, ready to be sent. Raises PlaceLost if one can't be encoded."""
    try:
        return [encode(event) for event in events]
    except Exception as error:  # damaged, or written by another version
        raise PlaceLost("A document after that position can't be sent") from error


def reset(position: str | None) -> EncodedEvent:
    """Return a ``reset`` event: events up to ``position`` may be missing."""
    return EncodedEvent(EventName.RESET.value, {}, position)


def dropped(reason: str) -> EncodedEvent:
    """Return a ``dropped`` event, the last of a stream; ``reason`` says why the stream ends."""
    return EncodedEvent("dropped", {"reason": reason})
