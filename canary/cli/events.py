"""Server-sent events, decoded as they arrive (HTML standard, section 9.2).

Promises: an event is yielded once it is complete. An event that the end of the stream cut off is
dropped: a client that resumes after the last event gets it again. No more than ``MAX_LINE`` bytes
of a line are kept, plus one chunk.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from canary.errors import CanaryError

MAX_LINE: Final = 16 * 2**20  # bytes; a change has a few hundred


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``identity`` is its id, after which a client can resume; None if it has none.

    An event without a name has nothing but its id.
    """

    name: str
    data: Any
    identity: str | None


def decode(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events in ``chunks``; comments and data that is not JSON are skipped.

    Raises CanaryError if a line is longer than ``MAX_LINE``.
    """
    name, identity = "message", None
    data: list[str] = []
    for line in _lines(chunks):
        if not line:
            event = _event(name, data, identity)
            if event is not None:
                yield event
            name, data, identity = "message", [], None
            continue
        field, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        match field:
            case b"event":
                name = text
            case b"data":
                data.append(text)
            case b"id" if "\0" not in text:
                identity = text


def _event(name: str, data: list[str], identity: str | None) -> Event | None:
    if not data:
        return None if identity is None else Event("", None, identity)
    try:
        return Event(name, json.loads("\n".join(data)), identity)
    except (ValueError, RecursionError):
        return None


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield complete lines without their line ends, which are LF, CRLF or CR."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        # A CR at the very end may be half of a CRLF.
        whole, held = (rest[:-1], rest[-1:]) if rest.endswith(b"\r") else (rest, b"")
        *lines, last = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from lines
        rest = last + held
        if len(rest) > MAX_LINE:
            raise CanaryError("The event stream has a line that is too long: check --url")
