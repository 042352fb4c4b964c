"""A job's payload: hostile bytes in, bounded and masked text out.

Promises: whatever the bytes are, ``decode`` returns; what it returns can be stored and shown;
values under keys that name a secret are not in it. It does not promise to keep everything: what is
too long, too wide or too deep is cut, and the cut says so.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

MAX_TEXT: Final = 64 * 1024  # characters of JSON kept of one payload: 10,000 such jobs are 640 MB
MAX_STRING: Final = 8 * 1024  # characters kept of one string
MAX_ENTRIES: Final = 1_000  # entries kept of one object or list
MAX_DEPTH: Final = 64  # levels kept: MongoDB takes 100 and Python's json a few hundred
MAX_NAME: Final = 1024  # characters of a name, a uuid, an owner
MAX_EXCERPT: Final = 256  # characters shown of what could not be decoded
MASK: Final = "***"
CUT: Final = "…"

_SECRET_KEY: Final = re.compile(  # what keys are searched for
    r"pass(?!ive|age|eng|ed|es|ing|thr)|pwd|pswd|psk|secret|token|credential|cookie|bearer|jwt"
    r"|signature|authorization|(?<![a-z])(?:auth|otp)(?![a-z])|^private$"
    r"|(?:api|auth|access|private|signing|encryption|ssh|master|tls|ssl|certificate|cert|fernet"
    r"|kerberos|host|session|service|storage|account|shared)[\W_]*key",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^\s/@:]*:[^\s@]*(?=@)")  # user and password in a URI
_ESCAPED_ASCII: Final = re.compile(r"\\u00([0-7][0-9a-f])", re.IGNORECASE)
_PRIORITIES: Final = frozenset({"VERY_HIGH", "HIGH", "NORMAL", "LOW", "VERY_LOW"})

JSON = Any
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Payload:
    """What is kept of a job's payload.

    ``text`` is the JSON of the masked and bounded payload, or None where it is malformed; then
    ``malformed`` says why and ``excerpt`` shows its first bytes, escaped and masked. ``size``
    (bytes) and ``sha256`` are those of the original.
    """

    uuid: str | None
    name: str | None
    text: str | None
    malformed: str | None
    excerpt: str | None
    size: int
    sha256: str
    truncated: bool = False

    @property
    def weight(self) -> int:
        """About how many bytes of memory its texts take."""
        return sum(len(text) for text in (self.text, self.excerpt) if text is not None)

    def shortened(self) -> "Payload":
        """Return as much of it as tells which job it is, for where all of it is too much."""
        who = json.dumps({"uuid": self.uuid, "name": self.name}) if self.text is not None else None
        return replace(self, text=who, excerpt=None, truncated=True)


def decode(raw: bytes) -> Payload:
    """Decode a job's bytes as TaskFlow would: a JSON object with ``uuid`` and ``name``.

    A ``priority`` that is none of TaskFlow's makes it malformed, to TaskFlow too. Beyond TaskFlow,
    ``uuid`` and ``name`` must be strings of 1 to ``MAX_NAME`` characters.
    """
    size, digest = len(raw), hashlib.sha256(raw).hexdigest()
    try:
        posting = json.loads(raw.decode("utf-8"))
        uuid, name = _identity(posting)
    except RecursionError:
        reason = "nested too deeply"
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        reason = f"not JSON at character {error.pos}" if raw else "empty"
    except ValueError as error:
        reason = text(str(error), 200)
    else:
        body, truncated = _bounded(posting)
        return Payload(uuid, name, body, None, None, size, digest, truncated)
    return Payload(None, None, None, reason, _excerpt(raw), size, digest)


def owner(raw: bytes) -> str | None:
    """Return the owner's name in the bytes of a lock znode, or None where there is none to read."""
    try:
        lock = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    name = lock.get("owner") if isinstance(lock, dict) else None
    return text(name, MAX_NAME) if isinstance(name, str) and name else None


def text(value: str, limit: int) -> str:
    """Return ``value`` fit for storing: at most ``limit`` characters, lone surrogates escaped."""
    fit = value[: limit + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return fit if len(fit) <= limit else fit[: limit - 1] + CUT


def _identity(posting: JSON) -> tuple[str, str]:
    if not isinstance(posting, dict):
        raise ValueError(f"a JSON {_json_type(posting)}, not an object")  # noqa: TRY004
    found = []
    for key in ("uuid", "name"):
        if key not in posting:
            raise ValueError(f"no {key!r} in it")
        value = posting[key]
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
            raise ValueError(f"its {key!r} is no string of 1 to {MAX_NAME} characters")
        found.append(text(value, MAX_NAME * 6))  # an escaped surrogate takes 6
    priority = posting.get("priority", "NORMAL")
    if not isinstance(priority, str) or priority.upper() not in _PRIORITIES:
        raise ValueError("its 'priority' is none of TaskFlow's")
    return found[0], found[1]


def _json_type(value: JSON) -> str:
    names = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string"}
    return names.get(type(value), "array")


def _bounded(posting: dict[str, JSON]) -> tuple[str, bool]:
    """Return the masked JSON text of ``posting`` and whether anything of it was cut."""
    cutter = _Cutter()
    # Of more entries than are kept the first ones are: let those be that say which job it is.
    identity = {"uuid": posting["uuid"], "name": posting["name"]}
    kept = cutter.clean(posting if len(posting) <= MAX_ENTRIES else identity | posting, MAX_DEPTH)
    body = json.dumps(kept, ensure_ascii=True, allow_nan=False)
    if len(body) <= MAX_TEXT:
        return body, cutter.cut
    return json.dumps(_smallest(kept)), True


def _smallest(kept: dict[str, JSON]) -> dict[str, JSON]:
    """Return what of ``kept`` fits into ``MAX_TEXT``: who it is, then the smallest entries."""
    sizes = {key: len(json.dumps({key: entry})) for key, entry in kept.items()}
    fitting: dict[str, JSON] = {}
    room = MAX_TEXT
    for key in sorted(sizes, key=lambda key: (key not in {"uuid", "name"}, sizes[key])):
        entry, size = kept[key], sizes[key]
        if size > room:
            entry, size = CUT, len(json.dumps({key: CUT}))
        if size <= room:
            fitting[key] = entry
            room -= size
    return {key: fitting[key] for key in kept if key in fitting}


class _Cutter:
    """Masks and bounds a JSON value, and remembers whether it had to cut."""

    def __init__(self) -> None:
        self.cut = False

    def clean(self, value: JSON, depth: int) -> JSON:
        match value:
            case str():
                self.cut |= len(value) > MAX_STRING
                return _USERINFO.sub(MASK, text(value, MAX_STRING))
            case float() if not math.isfinite(value):
                return str(value)  # NaN and the infinities are no JSON
            case dict() | list() if depth == 0:
                self.cut = True
                return CUT
            case dict():
                return {
                    self._key(key): MASK
                    if _SECRET_KEY.search(key)
                    else self.clean(entry, depth - 1)
                    for key, entry in self._first(value.items(), len(value))
                }
            case list():
                return [self.clean(entry, depth - 1) for entry in self._first(value, len(value))]
        return value

    def _key(self, key: str) -> str:
        self.cut |= len(key) > MAX_NAME
        return text(key, MAX_NAME)

    def _first(self, entries: Iterable[Entry], size: int) -> Iterable[Entry]:
        self.cut |= size > MAX_ENTRIES
        return (entry for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False))


def _excerpt(raw: bytes) -> str:
    """Return the first bytes of ``raw``, escaped to ASCII, up to what looks like a secret's key.

    No rule tells where a secret ends in bytes that are no JSON, so all that follows the key is
    masked. The key may itself be written in UTF-16 or with JSON's escapes.
    """
    shown = raw[: MAX_EXCERPT + 1].decode("utf-8", "backslashreplace")
    plain = _ESCAPED_ASCII.sub(lambda match: chr(int(match[1], 16)), shown.replace("\0", ""))
    key = _SECRET_KEY.search(plain)
    if key:
        shown = plain[: key.end()] + MASK
    escaped = shown.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= MAX_EXCERPT else escaped[: MAX_EXCERPT - 1] + CUT
