"""Pages of a sorted list that changes all the time: where the next page begins.

Promises: a page begins after the last entry of the page before, by the sorted value and the id. So
entries that come or go meanwhile shift nothing, nothing is listed twice, and nothing that stays
unchanged is left out. An entry whose value changes may be listed again, or missed.

MongoDB compares values of one type only, and matches a list by any of its values. So a damaged
document, whose value or id has another type than all others, is listed *aside*: after everything
that can be sorted, in either direction, by its id.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import bson
from bson import CodecOptions, Int64
from bson.errors import BSONError

from canary.stores.mongo.documents import Document

Value = str | int | float | datetime | None
VALUES: Final = frozenset({str, int, float, bool, datetime})
_INT64: Final = range(-(2**63), 2**63)
_AWARE: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True)
_MAX_IDENTITY: Final = 1_024  # bytes of an id that is no text: MongoDB bounds its depth
#: By the type of a field: its types in Python, and their names in MongoDB.
_SORTED: Final[dict[type, tuple[tuple[type, ...], tuple[str, ...]]]] = {
    str: ((str,), ("string",)),
    int: ((int, Int64), ("int", "long")),
    datetime: ((datetime,), ("date",)),
}
_NULL: Final = ("null", "missing", "undefined")


@dataclass(frozen=True, slots=True)
class Sort:
    """What a list is sorted by: a field of its documents, and then their id."""

    field: str
    descending: bool = False

    def sorts(self, kind: type) -> Document:
        """Return the query for all documents that can be sorted by the field of type ``kind``."""
        return {"$expr": self._is_sorted(kind)}

    def leaves(self, kind: type) -> Document:
        """Return the query for all other documents."""
        return {"$expr": {"$not": [self._is_sorted(kind)]}}

    def _is_sorted(self, kind: type) -> Document:
        # An expression chooses no index: that is for the filters and for the order.
        types = [*_SORTED[kind][1], *_NULL]
        is_value = {"$in": [{"$type": f"${self.field}"}, types]}
        return {"$and": [is_value, {"$eq": [{"$type": "$_id"}, "string"]}]}

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The same in pymongo's form."""
        direction = -1 if self.descending else 1
        return [(name, direction) for name in dict.fromkeys([self.field, "_id"])]

    def place_of(self, document: Mapping[str, Any], kind: type) -> "Place":
        """Return where the list continues after ``document``."""
        value, identity = document.get(self.field), document["_id"]
        if type(identity) is str and (value is None or type(value) in _SORTED[kind][0]):
            return Place(value, identity)
        return Place(None, bson.encode({"": identity}).hex(), is_aside=True)

    def behind(self, place: "Place") -> Document:
        """Return the query for everything after ``place``. MongoDB sorts null first."""
        if place.is_aside:
            return {"$expr": {"$gt": ["$_id", {"$literal": place.whole_identity}]}}
        further: Document = {"_id": {"$lt" if self.descending else "$gt": place.identity}}
        if place.value is None:
            same = {self.field: None, **further}
            # Nothing comes before null.
            return same if self.descending else {"$or": [same, {self.field: {"$ne": None}}]}
        # The bound is repeated so that MongoDB starts in its index where the page does.
        if self.descending:  # null comes last, and is less than every value
            return {
                self.field: {"$not": {"$gt": place.value}},
                "$or": [{self.field: {"$not": {"$gte": place.value}}}, further],
            }
        return {
            self.field: {"$gte": place.value},
            "$or": [{self.field: {"$gt": place.value}}, further],
        }


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's place in a sorted list. If it is aside, the id is BSON in hexadecimal."""

    value: Value
    identity: str
    is_aside: bool = False

    @property
    def whole_identity(self) -> Any:
        """The id as it is in MongoDB, of any type. Raises ValueError if it is not an id."""
        if not self.is_aside:
            return self.identity
        raw = bytes.fromhex(self.identity)
        try:
            [identity] = bson.decode(raw, _AWARE).values()
            is_same = bson.encode({"": identity}) == raw
        except BSONError as error:
            raise ValueError("it is no BSON") from error
        if not is_same or (len(raw) > _MAX_IDENTITY and not isinstance(identity, str)):
            raise ValueError("no identity is such")
        return identity

    @property
    def is_sound(self) -> bool:
        """Return whether a document can be there: not if MongoDB can't store such values."""
        try:
            if self.is_aside:
                return self.value is None and self.whole_identity is not None
            for text in (self.identity, self.value):
                if isinstance(text, str):
                    text.encode()
        except ValueError:  # also raised for a lone surrogate
            return False
        if isinstance(self.value, float):
            return math.isfinite(self.value)
        return not isinstance(self.value, int) or self.value in _INT64


BY_IDENTITY: Final = Sort("_id")
