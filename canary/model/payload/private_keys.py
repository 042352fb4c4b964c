"""Private keys within a text: in PEM, PuTTY's and age's.

A key is recognized by the mark at its beginning or end, even if a part of it is cut off or its line
breaks are lost. The cost is linear in the text's length.
"""

import re
from typing import Final

MASK: Final = "***"
MAX_WINDOW: Final = 16 * 1024  # characters: what is shown, and the longest private key after it

_GAP: Final = r"(?:[ +_]|%20)"  # between words, also encoded for a URI
_NAME: Final = rf"(?:PRIVATE|STATIC){_GAP}{{1,3}}KEY"
_NEAR: Final = re.compile(_NAME, re.IGNORECASE)
_KEY_MARK: Final = re.compile(
    rf"-{{1,5}}{_GAP}?(BEGIN|END)(?:[A-Z0-9]|{_GAP}){{0,40}}?{_NAME}"
    rf"(?:{_GAP}BLOCK)?(?:{_GAP}V\d)?(?:{_GAP}?-{{1,5}})?",
    re.IGNORECASE,
)
_AGE: Final = re.compile(r"AGE-SECRET-KEY-[\w\-]*+", re.IGNORECASE)
MAX_LINE: Final = 80  # characters of a line of a key in PEM


class Lines:
    """Recognizes a private key in successive values, each of which holds a line of it.

    If ``strict``, a key begins only in a value of at most ``MAX_LINE`` characters.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict, self._is_in = strict, False

    def hides(self, value: object) -> bool:
        """Return whether the next value is, or contains, a line of a key that began before it.

        The value in which a key begins does not count.
        """
        line = _line(value)
        if line is None:
            return False
        is_in = self._is_in
        is_end = is_in and ends_private_key(line)
        is_beginning = opens_private_key(line) and (
            not self._strict or len(line.strip()) <= MAX_LINE
        )
        self._is_in = is_beginning or (is_in and not is_end)
        return is_in


def _line(value: object) -> str | None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and len(value) <= 3:
        value = next((each for each in value if isinstance(each, str)), None)
    return value if isinstance(value, str) else None


def before_cut(value: str) -> str:
    """Return a text that will be cut, with private keys masked that may lose their end.

    A key without its beginning is recognized only by its end. Only the first ``MAX_WINDOW``
    characters are searched.
    """
    window = value[:MAX_WINDOW]
    if not _NEAR.search(window):
        return value
    return without_private_keys(window) + value[MAX_WINDOW:]


def opens_private_key(value: str) -> bool:
    """Return whether a private key begins in ``value`` and does not end in it."""
    if not _NEAR.search(value):
        return False
    marks = [mark[1].upper() for mark in _KEY_MARK.finditer(value)]
    return bool(marks) and marks[-1] == "BEGIN"


def ends_private_key(value: str) -> bool:
    """Return whether a private key ends in ``value``."""
    return _NEAR.search(value) is not None and any(
        mark[1].upper() == "END" for mark in _KEY_MARK.finditer(value)
    )


def without_private_keys(value: str) -> str:
    """Return a text with ``MASK`` in place of each private key, or what is left of it."""
    lower = value.lower()
    if "private-lines" in lower:  # PuTTY's
        value = value[: lower.index("private-lines")] + MASK
    if "age-secret-key-" in lower:
        value = _AGE.sub(MASK, value)
    if not _NEAR.search(value):
        return value
    parts: list[str] = []
    done, begun = 0, None
    for mark in _KEY_MARK.finditer(value):
        if mark[1].upper() == "BEGIN":
            if begun is None:
                begun = mark.start()
            continue
        if begun is None:  # its beginning was cut off: the key is what is before its end
            before, other, _ = value[done : mark.start()].rpartition("-----")
            begun = done + len(before) + len(other)
        parts += value[done:begun], MASK
        done, begun = mark.end(), None
    if begun is not None:
        parts += value[done:begun], MASK
        done = len(value)
    return "".join((*parts, value[done:]))
