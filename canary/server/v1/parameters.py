"""The parameters of a request to ``/v1.0``: each function returns a checked value.

A wrong value raises UsageError. Its message names the parameter, shows the value and says what is
allowed.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from werkzeug.datastructures import MultiDict

from canary.config import check_board_path
from canary.config.board_path import shown
from canary.errors import UsageError
from canary.values import EPOCH, MOMENTS, moment, whole

Words = MultiDict[str, str]

MAX_INTERVAL: Final = 2_147_483_647  # seconds, as [canary] interval

_AT: Final = f"a moment from 1970 on: {MOMENTS}"


def path(words: Words) -> str:
    """Return the path of the board that the request names."""
    text = _only(words, "path") or ""
    if not text:
        raise UsageError(
            "The parameter path is missing: name the board, as in ?path=/taskflow/jobs"
        )
    return _checked(text)


def optional_path(words: Words) -> str | None:
    """Return the path of the board that the request names; None for all boards."""
    return path(words) if "path" in words else None


def _only(words: Words, name: str) -> str | None:
    """Return the single value of a parameter; None if it is not given."""
    values = words.getlist(name)
    if len(values) > 1:
        told = ", ".join(shown(value) for value in values[:3])
        raise UsageError(f"{name} is given {len(values)} times: {told}. Allowed: once.")
    return values[0] if values else None


def _checked(text: str) -> str:
    try:
        return check_board_path(text)
    except UsageError as error:
        raise UsageError(f"The parameter path is wrong. {error}.") from error


def interval(words: Words, default: int) -> timedelta:
    """Return how far back ended jobs are listed; ``default`` is in seconds."""
    text = _only(words, "interval")
    if text is None:
        return timedelta(seconds=default)
    return timedelta(seconds=_whole("interval", text, 0, MAX_INTERVAL, "seconds"))


def at(words: Words) -> datetime | None:
    """Return the moment at which the board is shown; None for now."""
    text = _only(words, "at")
    if text is None:
        return None
    try:
        told = moment(text)
    except ValueError as error:
        raise UsageError(f"at is {shown(text)}: {error}. Allowed: {_AT}.") from None
    if told < EPOCH:
        raise UsageError(f"at is {shown(text)}. Allowed: {_AT}.")
    return told


def _whole(name: str, text: str, low: int, high: int, unit: str) -> int:
    with suppress(ValueError):
        number = whole(text)
        if low <= number <= high:
            return number
    of = f" of {unit}" if unit else ""
    raise UsageError(f"{name} is {shown(text)}. Allowed: a whole number{of} from {low} to {high}.")
