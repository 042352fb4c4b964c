"""A job's payload: untrusted bytes in, bounded and masked text out.

Promises: ``decode`` returns, whatever the bytes are, and its work is linear in their number. What
it returns can be stored and shown, and contains no secret that ``masking`` and ``secret_keys``
know. It does not keep everything: what is too long, too wide or too deep is cut, and the result
says where. ``decoding`` does the same, but pauses every few milliseconds, so that other work can be
done in between.
"""

import hashlib
import json
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from canary.model.payload.fitting import FIRST, MAX_TEXT, fitting
from canary.model.payload.json_decoder import MAX_DEPTH, MAX_ENTRIES, parsing
from canary.model.payload.masking import Masker
from canary.model.payload.private_keys import MASK, MAX_WINDOW, before_cut
from canary.model.payload.tree import CUT, MAX_NAME, MAX_STRING, Cut, fit

__all__ = [
    "CUT",
    "MASK",
    "MAX_DEPTH",
    "MAX_ENTRIES",
    "MAX_EXCERPT",
    "MAX_NAME",
    "MAX_STRING",
    "MAX_TEXT",
    "Cut",
    "Masker",
    "Payload",
    "decode",
    "decoding",
    "identifying",
    "owner",
    "small_object",
    "text",
]

MAX_EXCERPT: Final = 256  # characters shown of a payload that could not be decoded
MAX_LOCK: Final = 64 * 1024  # bytes of a lock or an entity that are decoded; TaskFlow writes 200

_ESCAPED_ASCII: Final = re.compile(r"\\u00([0-7][0-9a-f])", re.IGNORECASE)
_PRIORITIES: Final = frozenset({"VERY_HIGH", "HIGH", "NORMAL", "LOW", "VERY_LOW"})
_MASKER: Final = Masker()

JSON = Any
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Payload:
    """What is kept of a job's payload.

    ``text`` is the JSON of the masked and bounded payload. It is None if the payload is malformed;
    then ``malformed`` says why, and ``excerpt`` shows its first bytes, escaped and masked. ``size``
    (in bytes) and ``sha256`` are those of the original. If it is ``truncated``, ``cuts`` has the
    first of the ``cut_count`` places where something was cut.
    """

    uuid: str | None
    name: str | None
    text: str | None
    malformed: str | None
    excerpt: str | None
    size: int
    sha256: str
    truncated: bool = False
    cuts: tuple[Cut, ...] = ()
    cut_count: int = 0

    @property
    def weight(self) -> int:
        """About how many bytes of memory the texts take."""
        texts = (self.text, self.excerpt, *(cut.pointer for cut in self.cuts))
        return sum(len(text) for text in texts if text is not None)

    def shortened(self) -> "Payload":
        """Return only what identifies the job, for use where the whole payload is too large."""
        if self.text is None:
            return replace(self, excerpt=None, truncated=True)
        who = json.dumps({"uuid": self.uuid, "name": self.name})
        cuts = (Cut("", 2, None),)  # the whole object
        return replace(self, text=who, truncated=True, cuts=cuts, cut_count=1)


def decode(raw: bytes, masker: Masker = _MASKER) -> Payload:
    """Decode a job's bytes as TaskFlow would: a JSON object with ``uuid`` and ``name``.

    As in TaskFlow, a payload with an unknown ``priority`` is malformed. In addition to TaskFlow's
    rules, ``uuid`` and ``name`` must be strings of 1 to ``MAX_NAME`` characters.
    """
    return _at_once(decoding(raw, masker))


def decoding(raw: bytes, masker: Masker = _MASKER) -> Generator[None, None, Payload]:
    """Do what ``decode`` does, as a generator that pauses."""
    size, digest = len(raw), hashlib.sha256(raw).hexdigest()
    yield
    try:
        parsed = yield from parsing(raw.decode("utf-8"), FIRST)
        uuid, name = _identity(parsed.value, masker)
    except RecursionError:
        reason = "nested too deeply"
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        reason = f"not JSON at character {error.pos}" if raw else "empty"
    except ValueError as error:
        # Python's own message about its limit for numbers gives advice to programmers.
        is_number = str(error).startswith("Exceeds the limit")
        reason = "a number has too many digits" if is_number else text(str(error), 200)
    else:
        fitted = yield from fitting(parsed, {"uuid": uuid, "name": name}, masker)
        is_cut = fitted.count > 0
        return Payload(
            *(uuid, name, fitted.text, None, None, size, digest),
            truncated=is_cut,
            cuts=fitted.cuts,
            cut_count=fitted.count,
        )
    return Payload(None, None, None, reason, _excerpt(raw, masker), size, digest)


def identifying(raw: bytes, masker: Masker = _MASKER) -> Generator[None, None, str | None]:
    """Return only the uuid that ``decode`` finds; None if malformed. A generator that pauses."""
    try:
        parsed = yield from parsing(raw.decode("utf-8"), FIRST)
        return _identity(parsed.value, masker)[0]
    except (ValueError, RecursionError):
        return None


def owner(raw: bytes, masker: Masker = _MASKER) -> str | None:
    """Return the owner's name, masked, in the bytes of a lock znode; None if it can't be read."""
    lock = small_object(raw)
    name = lock.get("owner")
    return masker.identity(text(name, MAX_NAME)) if isinstance(name, str) and name else None


def small_object(raw: bytes) -> dict[str, JSON]:
    """Return the JSON object in ``raw``; {} if it is not one, or longer than ``MAX_LOCK``."""
    if len(raw) > MAX_LOCK:
        return {}
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def text(value: str, limit: int) -> str:
    """Return ``value`` in a form to store: lone surrogates escaped, cut to ``limit`` characters."""
    return fit(value, limit)


def _at_once(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found


def _identity(posting: JSON, masker: Masker) -> tuple[str, str]:
    if not isinstance(posting, dict):
        raise ValueError(f"a JSON {_json_type(posting)}, not an object")  # noqa: TRY004
    found = []
    for key in ("uuid", "name"):
        if key not in posting:
            raise ValueError(f"{key!r} is missing")
        value = posting[key]
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
            raise ValueError(f"{key!r} is not a string of 1 to {MAX_NAME} characters")
        # An escaped surrogate takes 6 characters.
        found.append(text(masker.identity(text(value, MAX_NAME * 6)), MAX_NAME * 6))
    priority = posting.get("priority", "NORMAL")
    if not isinstance(priority, str) or priority.upper() not in _PRIORITIES:
        raise ValueError("'priority' is not one of TaskFlow's priorities")
    return found[0], found[1]


def _json_type(value: JSON) -> str:
    names = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string"}
    return names.get(type(value), "array")


def _excerpt(raw: bytes, masker: Masker) -> str:
    """Return the first bytes of ``raw``, escaped to ASCII and masked.

    The name of a secret may be in UTF-16 or with JSON escapes, so these are decoded first.
    """
    window = raw[:MAX_WINDOW].decode("utf-8", "backslashreplace")
    shown = before_cut(window)[: MAX_EXCERPT + 1]
    plain = _ESCAPED_ASCII.sub(lambda match: chr(int(match[1], 16)), shown.replace("\0", ""))
    masked = masker.excerpt(plain)
    escaped = (shown if masked == plain else masked).encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= MAX_EXCERPT else escaped[: MAX_EXCERPT - 1] + CUT
