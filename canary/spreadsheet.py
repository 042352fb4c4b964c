"""CSV cells that no spreadsheet evaluates as a formula, whatever a job's name is.

A text that a spreadsheet might evaluate is given a leading apostrophe, which makes it text (OWASP
calls the attack CSV injection). Numbers stay numbers, negative ones too. In many countries a
semicolon separates cells instead of a comma. Then a quote after a comma does not quote, and a text
with semicolons may become several cells.
"""

import json
import re
import unicodedata
from typing import Any, Final

APOSTROPHE: Final = "'"
_BEGINNINGS: Final = frozenset("=+-@\N{MINUS SIGN}")
_SEPARATORS: Final = re.compile("([;\t\r\n])")
_UNSEEN: Final = ("C", "Z", "M")  # Unicode categories: other (such as control), separator, mark


def guarded(text: str) -> str:
    """Return ``text`` with an apostrophe before each cell in it that begins like a formula.

    Invisible characters before the first sign are skipped. A leading tab or line break always gets
    an apostrophe. Full-width signs count, because some spreadsheets accept them.
    """
    place = _first_seen(text)
    first, *others = _SEPARATORS.split(text[place:])
    told = text[:place] + first + "".join(map(_marked, others))
    is_formula = text[:1] in {"\t", "\r", "\n"} or _is_sign(first[:1])
    return APOSTROPHE + told if is_formula else told


def as_json(value: Any) -> str:
    """Return ``value`` as JSON with semicolons escaped: another cell might begin after one."""
    return json.dumps(value).replace(";", r"\u003b")


def _marked(part: str) -> str:
    """Return the text after a separator, with an apostrophe before a sign that begins it."""
    place = _first_seen(part, '"')
    return (
        f"{part[:place]}{APOSTROPHE}{part[place:]}" if _is_sign(part[place : place + 1]) else part
    )


def _first_seen(text: str, passed: str = "") -> int:
    """Return the index of the first visible character that is not in ``passed``."""
    seen = (
        place
        for place, each in enumerate(text)
        if each not in passed and unicodedata.category(each)[0] not in _UNSEEN
    )
    return next(seen, len(text))


def _is_sign(sign: str) -> bool:
    return unicodedata.normalize("NFKC", sign)[:1] in _BEGINNINGS
