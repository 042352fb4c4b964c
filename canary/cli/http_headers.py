"""Values of response headers, which may be anything.

Promises: no value raises an error. A value that HTTP does not allow is treated as absent.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,9}")  # up to 30 years
_YEARS: Final = range(1970, 9_999)  # without 9999, so that conversions and sums can't overflow


def date(value: str | None) -> datetime | None:
    """Return the moment of an HTTP date, in UTC; None if ``value`` is not one."""
    try:
        moment = parsedate_to_datetime((value or "").strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.year not in _YEARS:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Return how many seconds a Retry-After header asks to wait (RFC 9110, section 10.2.3).

    Returns None if there is no valid one. ``now`` returns the time that a date is compared with.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = date(text)
    return None if moment is None else max(0.0, (moment - now()) / timedelta(seconds=1))
