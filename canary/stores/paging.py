"""Pages of a sorted list that is never the same twice: where the next one begins.

Promises: a page begins behind the last entry of the page before, by the value that is sorted by
and the identity: what comes or goes meanwhile shifts nothing, nothing is listed twice and nothing
that stays as it is is left out. An entry whose value changes may be met again, or missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from canary.stores.documents import Document

#: Fields that are null in no document: a list that is sorted by one of them has no such end.
ALWAYS_THERE: Final = frozenset({"posted_at", "since", "seen_at", "revision", "from", "to"})

Value = str | int | float | datetime | None


@dataclass(frozen=True, slots=True)
class Sort:
    """What a list is sorted by: a field of its documents, and then their identity."""

    field: str
    descending: bool = False

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The same as pymongo takes it."""
        direction = -1 if self.descending else 1
        return [(self.field, direction), ("_id", direction)]

    def place_of(self, document: Mapping[str, Any]) -> "Place":
        """Return where the list goes on behind ``document``."""
        return Place(document[self.field], document["_id"])

    def behind(self, place: "Place") -> Document:
        """Return the query for all that comes behind ``place``. MongoDB sorts null first."""
        beyond, up_to = ("$lt", "$lte") if self.descending else ("$gt", "$gte")
        further: Document = {"_id": {beyond: place.identity}}
        if place.value is None:
            same = {self.field: None, **further}
            # Nothing comes before null.
            return same if self.descending else {"$or": [same, {self.field: {"$ne": None}}]}
        # Said twice, so that MongoDB begins in its index where the page does.
        found: Document = {
            self.field: {up_to: place.value},
            "$or": [{self.field: {beyond: place.value}}, further],
        }
        if self.descending and self.field not in ALWAYS_THERE:
            return {"$or": [found, {self.field: None}]}
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's place in a sorted list."""

    value: Value
    identity: str
