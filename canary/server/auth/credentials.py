"""The credentials in a request's Authorization header: a name with a password, or a token.

Promises: `read` returns whatever the header contains, and no exception quotes it. The ``repr`` of
what it returns shows no secret.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_NAME: Final = 128  # characters

#: No characters that could break a line or change its direction.
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750's b64token


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and a password, not checked yet."""

    name: str
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, not checked yet."""

    token: str = field(repr=False)


Credentials: TypeAlias = Basic | Bearer


def read(header: str | None) -> Credentials | None:
    """Return the credentials in the header's value; None if it is None or can't be parsed.

    The characters of ``header`` are bytes, as in WSGI. A name is UTF-8 without control characters.
    """
    if header is None:
        return None
    scheme, _, rest = header.partition(" ")
    rest = rest.strip(" ")
    match scheme.lower():
        case "basic":
            return _basic(rest)
        case "bearer" if _TOKEN.fullmatch(rest):
            return Bearer(rest)
    return None


def is_name(text: str) -> bool:
    """Return whether ``text`` is valid as the name of somebody who signs in."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def _basic(text: str) -> Basic | None:
    try:
        name, colon, password = base64.b64decode(text, validate=True).partition(b":")
        decoded = name.decode()
    except (binascii.Error, ValueError):
        return None
    return Basic(decoded, password) if colon and is_name(decoded) else None
