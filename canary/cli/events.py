"""Server-sent events, decoded as they come (as HTML's standard has it, section 9.2).

Promises: an event is told once it is whole; of one that was cut off by the end nothing is told, so
that who resumes behind ``last`` gets it again. No line grows beyond ``MAX_LINE``.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from canary.errors import CanaryError

MAX_LINE: Final = 16 * 2**20  # bytes; a change has a few hundred


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``identity`` is what resumes behind it, None where nothing does.

    One without a name tells nothing but its identity.
    """

    name: str
    data: Any
    identity: str | None


def decode(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events in ``chunks``; comments and what is no JSON are passed over.

    Raises CanaryError where a line has no end.
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
    """Yield whole lines, without their ends: LF, CRLF or CR."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        # A CR at the very end may be half of a CRLF.
        whole, held = (rest[:-1], rest[-1:]) if rest.endswith(b"\r") else (rest, b"")
        *lines, last = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from lines
        rest = last + held
        if len(rest) > MAX_LINE:
            raise CanaryError("The event stream has a line without an end: check --url")
