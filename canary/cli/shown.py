"""Values as people read them: times and durations in few characters, text that steers nothing.

What comes from a job is hostile. Promises of ``printable``: its result holds no control character,
no escape sequence, no line break, nothing that changes the direction of text or cannot be seen.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

NOTHING: Final = "-"  # stands for null, so that a row keeps its columns

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def printable(text: str) -> str:
    """Return ``text`` with all escaped that is not plainly shown, as Python escapes it.

    That is what Unicode calls control, format, surrogate, private, unassigned, and every separator
    but the space.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def duration(seconds: float) -> str:
    """Return so many seconds in two units at most: 350ms, 4.2s, 2m13s, 3h05m, 12d4h."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    whole = round(seconds)
    if seconds < 0.9995:
        short = f"{seconds * 1000:.0f}ms"
    elif seconds < 9.95:
        short = f"{seconds:.1f}s"
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
    """Return how long before ``now`` a moment was; one that is to come was now."""
    return f"{duration(max(0.0, (now - moment) / timedelta(seconds=1)))} ago"


def clock(moment: datetime) -> str:
    """Return the time of the day in this machine's zone, to the millisecond."""
    return moment.astimezone().strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def day(moment: datetime) -> str:
    """Return date and time in this machine's zone, to the millisecond."""
    return f"{moment.astimezone():%Y-%m-%d} {clock(moment)}"


def parsed(text: str) -> datetime | None:
    """Return a moment that the server wrote; None if it is no moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
