"""The kinds of values that a query of ``/v2`` holds, each checked, and described for OpenAPI."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from canary.config import check_board_path
from canary.errors import UsageError

MAX_TEXT: Final = 6_144  # characters: a name may have 1,024, each escaped as six
MAX_SEARCH: Final = 200  # characters
MAX_SECONDS: Final = 100 * 365 * 86_400.0  # longer than anything lasts that is watched
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SECONDS: Final = r"^[0-9]{1,9}(\.[0-9]{1,3})?[smhd]?$"
_EPOCH_SECONDS: Final = r"^[0-9]{1,11}(\.[0-9]{1,9})?$"
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?"
    r"([Zz]|[+ -][0-9]{2}:?[0-9]{2})",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What MongoDB's dates and Python's have in common, with a zone's width of room at both ends.
_EARLIEST: Final = datetime(1, 1, 3, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 29, tzinfo=UTC)


def board_path(text: str) -> str:
    """Return ``text`` if it may be a board's path. Raises ValueError with the reason."""
    try:
        return check_board_path(text)
    except UsageError as error:
        raise ValueError(str(error)) from error


def seconds(text: Any) -> float:
    """Return a duration in seconds: a number, and behind it s, m, h or d. Raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(_SECONDS[1:-1], text, re.ASCII):
        raise ValueError("it is no such duration")
    unit = text[-1] if text[-1] in _UNITS else ""
    return min(float(text.removesuffix(unit)) * _UNITS[unit], MAX_SECONDS)


def moment(text: Any) -> datetime:
    """Return a moment: RFC 3339 with its zone, or seconds since 1970. Raises ValueError."""
    if isinstance(text, str) and re.fullmatch(_EPOCH_SECONDS[1:-1], text, re.ASCII):
        return min(_EPOCH + timedelta(seconds=float(text)), _LATEST)
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("it is no such moment")
    day, minute, second, zone = found.groups()
    if day.startswith("0000"):
        return _EARLIEST
    # An unescaped + in a query is a space; a leap second is told as the one before it.
    zone = zone.upper().replace(" ", "+")
    second = re.sub("^:60", ":59", second or "")
    try:
        told = datetime.fromisoformat(f"{day}T{minute}{second}{zone}")
        return min(max(told, _EARLIEST), _LATEST).astimezone(UTC)
    except OverflowError:
        return _LATEST if int(day[:4]) > _EPOCH.year else _EARLIEST


def _searched(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("it has a control character in it")
    return text


BoardPath = Annotated[
    str,
    AfterValidator(board_path),
    WithJsonSchema({"type": "string", "pattern": r"^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"}),
]
Seconds = Annotated[
    float, BeforeValidator(seconds), WithJsonSchema({"type": "string", "pattern": _SECONDS})
]
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "pattern": _EPOCH_SECONDS},
            ]
        }
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Search = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_SEARCH),
    AfterValidator(_searched),
    WithJsonSchema({"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$", "maxLength": MAX_SEARCH}),
]
