"""What a request may ask: each parameter's value, checked, or a UsageError that says what may be.

Every message names the parameter, shows its value and says what is allowed.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from werkzeug.datastructures import MultiDict

from canary.config import check_board_path
from canary.config.board_path import shown
from canary.errors import UsageError

Words = MultiDict[str, str]

MAX_INTERVAL: Final = 2_147_483_647  # seconds, as [canary] interval

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT: Final = "a moment from 1970 on, in ISO 8601 with its zone or in seconds since 1970"


def path(words: Words) -> str:
    """Return the one board that is asked for."""
    text = words.get("path", "")
    if not text:
        raise UsageError(
            "The parameter path is missing: name the board, as in ?path=/taskflow/jobs"
        )
    return _checked(text)


def optional_path(words: Words) -> str | None:
    """Return the board that is asked for; None for all of them."""
    return path(words) if "path" in words else None


def _checked(text: str) -> str:
    try:
        return check_board_path(text)
    except UsageError as error:
        raise UsageError(f"The parameter path is wrong. {error}.") from error


def interval(words: Words, default: int) -> timedelta:
    """Return for how long ended jobs are asked for."""
    text = words.get("interval")
    if text is None:
        return timedelta(seconds=default)
    return timedelta(seconds=_whole("interval", text, 0, MAX_INTERVAL, "seconds"))


def at(words: Words) -> datetime | None:
    """Return the moment that is asked about; None for now."""
    text = words.get("at")
    if text is None:
        return None
    moment = _seconds(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text) else _iso(text)
    if moment is None or moment < _EPOCH:
        raise UsageError(f"at is {shown(text)}. Allowed: {_AT}.")
    return moment


def _seconds(text: str) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=float(text))
    except OverflowError:
        return None


def _iso(text: str) -> datetime | None:
    # An unescaped + in a query is a space.
    zoned = re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", text)
    try:
        moment = datetime.fromisoformat(zoned)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _whole(name: str, text: str, low: int, high: int, unit: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    of = f" of {unit}" if unit else ""
    raise UsageError(f"{name} is {shown(text)}. Allowed: a whole number{of} from {low} to {high}.")
