"""Values in a form for people: short times and durations, text that can't control a terminal.

What comes from a job may be hostile. ``printable`` promises: its result contains no control
character, no escape sequence, no line break, nothing invisible, and nothing that changes the
direction of text.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

NOTHING: Final = "-"  # shown for null, so that a row keeps its columns

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def printable(text: str) -> str:
    """Return ``text`` with every character that is not printable escaped, as Python escapes it.

    Not printable are Unicode's categories control, format, surrogate, private and unassigned, and
    all separators except the space.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def duration(seconds: float) -> str:
    """Return ``seconds`` as text with at most two units: 350ms, 4.2s, 2m13s, 3h05m, 12d4h.

    The duration is rounded to milliseconds and then cut: what is shown has passed in full. The
    dashboard has the same rule.
    """
    milliseconds = math.floor(abs(seconds) * 1_000 + 0.5)
    sign = "-" if seconds < 0 and milliseconds else ""
    whole = milliseconds // 1_000
    if milliseconds < 1_000:
        short = f"{milliseconds}ms"
    elif whole < 10:
        short = f"{whole}.{milliseconds % 1_000 // 100}s"
    elif whole < _MINUTE:
        short = f"{whole}s"
    elif whole < _HOUR:
        short = f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    elif whole < _DAY:
        short = f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    else:
        short = f"{whole // _DAY}d{whole % _DAY // _HOUR}h"
    return sign + short


def ago(moment: datetime, now: datetime) -> str:
    """Return how long before ``now`` a moment was; a moment in the future counts as ``now``."""
    return f"{duration(max(0.0, (now - moment) / timedelta(seconds=1)))} ago"


def clock(moment: datetime) -> str:
    """Return the time of day in this machine's zone, to the millisecond.

    The zone's name follows if the hour occurs twice, because clocks go back.
    """
    local = _local(moment)
    zone = f" {local:%Z}" if _comes_twice(local.replace(tzinfo=None)) else ""
    return f"{local:%H:%M:%S}.{moment.microsecond // 1000:03}{zone}"


def day(moment: datetime) -> str:
    """Return date and time in this machine's zone, to the millisecond."""
    return f"{_local(moment):%Y-%m-%d} {clock(moment)}"


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone()
    except (ValueError, OverflowError):  # in that zone, it is in a year that datetime does not have
        return moment


def _comes_twice(local: datetime) -> bool:
    """Return whether this machine's clock shows a local time twice on that day."""
    try:
        return local.replace(fold=0).timestamp() != local.replace(fold=1).timestamp()
    except (ValueError, OverflowError, OSError):
        return False


def parsed(text: str) -> datetime | None:
    """Return the moment in an ISO 8601 text, UTC if it has no zone; None if it is not a moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
