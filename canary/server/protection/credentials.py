"""What the Authorization header of a request says: a name with its password, or a token.

Promises: whatever the header holds, `read` returns, and no exception quotes it. What it returns
shows no secret in its ``repr``.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_NAME: Final = 128  # characters

#: Nothing that could break a line or turn its direction.
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750's b64token


@dataclass(frozen=True, slots=True)
class Basic:
    """A name, and the password that is said to be its own."""

    name: str
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token."""

    token: str = field(repr=False)


Credentials: TypeAlias = Basic | Bearer


def read(header: str | None) -> Credentials | None:
    """Return what the header's value says; None where there is none or it can't be made out.

    Its characters are bytes, as WSGI has it. A name is UTF-8, without a control character.
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
    """Tell whether ``text`` can be the name of somebody who signs in."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def _basic(text: str) -> Basic | None:
    try:
        name, colon, password = base64.b64decode(text, validate=True).partition(b":")
        decoded = name.decode()
    except (binascii.Error, ValueError):
        return None
    return Basic(decoded, password) if colon and is_name(decoded) else None
