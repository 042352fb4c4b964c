"""How numbers, durations and moments are written: in ``/v1.0``, in ``/v2`` and for the CLI.

Each function takes text and returns the value. It raises ValueError for everything else, with a
short reason that names neither the parameter nor the text. The types of options are stricter in
some ways and looser in others; see `canary.config.kinds`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SECONDS: Final = 100 * 365 * 86_400.0  # longer than anything that Canary watches can last
#: How a moment is written; part of descriptions.
MOMENTS: Final = "ISO 8601 with its zone, as in 2026-11-30T18:00Z, or seconds since 1970"
#: Regular expressions, as JSON Schema has them.
SECONDS: Final = r"^[0-9]{1,9}(\.[0-9]{1,3})?[smhd]?$"
EPOCH_SECONDS: Final = r"^[0-9]{1,11}(\.[0-9]{1,9})?$"

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ISO: Final = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})[Tt ]"
    r"([0-9]{2})(?:(:?)([0-9]{2})(?:\6([0-9]{2})([.,][0-9]+)?)?)?"
    r"([Zz]|[+ -][0-9]{2}(?::?[0-9]{2})?)",
    re.ASCII,
)
# The range that MongoDB's and Python's dates share, less the largest zone offset at both ends.
_EARLIEST: Final = datetime(1, 1, 3, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 29, tzinfo=UTC)


def whole(text: Any) -> int:
    """Return the whole number in ``text``: 1 to 18 digits and nothing else."""
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
        raise ValueError("not a valid number")
    return int(text)


def seconds(text: Any) -> float:
    """Return a duration in seconds: a number, with s, m, h, d or no unit.

    A duration longer than ``MAX_SECONDS`` is cut to that.
    """
    if not isinstance(text, str) or not re.fullmatch(SECONDS[1:-1], text, re.ASCII):
        raise ValueError("not a valid duration")
    unit = text[-1] if text[-1] in _UNITS else ""
    return min(float(text.removesuffix(unit)) * _UNITS[unit], MAX_SECONDS)


def moment(text: Any) -> datetime:
    """Return a moment in UTC: ISO 8601 with its zone, or seconds since 1970.

    The accepted forms of ISO 8601 are year, month and day with a time of day, each with or without
    separators. A moment that MongoDB can't store becomes the earliest or the latest that it can.
    """
    if isinstance(text, str) and re.fullmatch(EPOCH_SECONDS[1:-1], text, re.ASCII):
        return min(EPOCH + timedelta(seconds=float(text)), _LATEST)
    found = _ISO.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        if isinstance(text, str) and _ISO.fullmatch(f"{text}Z"):
            raise ValueError(f"its zone is missing, as in {text}Z for UTC")
        raise ValueError("not a valid moment")
    year, _, month, day, hour, _, minute, second, fraction, zone = found.groups(default="")
    if year == "0000":
        return _EARLIEST
    # An unescaped + in a query is a space. A leap second counts as the second before it.
    zone = zone.upper().replace(" ", "+")
    time = f"{hour}:{minute or '00'}:{second.replace('60', '59') or '00'}{fraction}"
    try:
        told = datetime.fromisoformat(f"{year}-{month}-{day}T{time}{zone}")
        return min(max(told, _EARLIEST), _LATEST).astimezone(UTC)
    except OverflowError:
        return _LATEST if int(year) > EPOCH.year else _EARLIEST
