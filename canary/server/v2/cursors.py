"""Cursors: the place after which a page begins, as opaque text that a client sends back.

Promises: ``read`` accepts only what ``written`` returned, with a value of one of the types that the
list is sorted by, so that it can be used in a query to MongoDB. For any other text it returns None.
"""

import base64
import binascii
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, get_args

from canary.stores.queries.paging import VALUES, Place, Value
from canary.values import EPOCH

_MOMENT, _ASIDE = "moment", "aside"


def written(fingerprint: int, place: Place) -> str:
    """Return the cursor for ``place`` in the list with this fingerprint."""
    kind, value = _ASIDE if place.is_aside else "value", place.value
    if isinstance(value, datetime):
        kind, value = _MOMENT, (value - EPOCH) // timedelta(milliseconds=1)
    told = json.dumps([fingerprint, kind, value, place.identity])
    return base64.urlsafe_b64encode(told.encode()).decode()


def read(cursor: str, fingerprint: int, types: Collection[type]) -> Place | None:
    """Return the place that a cursor stands for, or None if the cursor is not of this list.

    ``types`` are the types that a value of the list may have, besides None.
    """
    try:
        told = base64.b64decode(cursor.encode(), b"-_", validate=True)
        mine, kind, value, identity = json.loads(told)
        place = Place(_value(kind, value, types), identity, kind == _ASIDE)
        # Only a cursor that an answer contained is the same when it is written again.
        is_ours = mine == fingerprint and isinstance(identity, str) and place.is_sound
        return place if is_ours and written(fingerprint, place) == cursor else None
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        return None


def types_of(annotation: Any) -> set[type]:
    """Return the types that the values of a row's field may have, without null."""
    if annotation is float:
        return {float, int}
    if annotation in VALUES:
        return {annotation}
    parts = get_args(annotation)
    if any(isinstance(part, str) for part in parts):  # a Literal
        return {str}
    return {each for part in parts for each in types_of(part)}


def _value(kind: Any, value: Any, types: Collection[type]) -> Value:
    if kind == _MOMENT:
        value = EPOCH + timedelta(milliseconds=value)
    if value is not None and type(value) not in types:
        raise ValueError("no value that the list is sorted by")
    return value  # type: ignore[no-any-return]
