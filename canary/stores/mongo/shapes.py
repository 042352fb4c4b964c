"""Documents with missing or damaged fields, made safe to publish.

Many fields may be null, and each of those may be absent: MongoDB's projection of a field in
``payload`` drops ``payload`` itself if that is null. So what is published comes from a ``Told``, in
which absent and null are the same. The other fields are in every document that nobody damaged.
``Shape.whole`` makes a damaged document publishable, so that it fails no list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from types import NoneType
from typing import Any, Final

from canary.model.jobs import JobState

#: Stands for a moment that no field of a document gives; it is never a real one.
NO_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Told(dict[str, Any]):
    """A document in which absent fields are null."""

    def __missing__(self, name: str) -> None:
        """Return None for an absent field."""
        return


@dataclass(frozen=True, slots=True)
class Shape:
    """What documents of one kind hold.

    ``types`` are the types of fields that may be null. ``always`` are fields that may not, each
    with its default. ``moments`` are further fields that may not be null; the first other moment
    that is there is their default. ``known`` are fields that every undamaged document has. ``held``
    is made of all those: the type of each field.
    """

    types: Mapping[str, type | tuple[type, ...]]
    always: Mapping[str, str | int]
    moments: tuple[str, ...]
    known: tuple[str, ...]
    held: Mapping[str, type | tuple[type, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the type of each field."""
        held: dict[str, type | tuple[type, ...]] = {"board": str, "name": str}
        held |= {name: type(nothing) for name, nothing in self.always.items()}
        held |= dict.fromkeys(self.moments, datetime)
        object.__setattr__(self, "held", held | dict(self.types))

    def is_damaged(self, document: Mapping[str, Any]) -> bool:
        """Return whether a document lacks a field that every undamaged one has."""
        return any(document.get(name) is None for name in self.known)

    def is_as_written(self, document: Mapping[str, Any]) -> bool:
        """Return whether ``document`` has all its fields, each of the right type."""
        return (
            not self.is_damaged(document)
            and self.fits(document)
            and ("edit" not in self.types or _is_edit(document.get("edit")))
        )

    def fits(self, document: Mapping[str, Any]) -> bool:
        """Return whether no field of ``document``, which may be incomplete, has a wrong type."""
        return all(
            value is None or name not in self.held or is_of(value, self.held[name])
            for name, value in document.items()
        )

    def sound(self, document: Mapping[str, Any]) -> Told:
        """Return ``document`` if its types fit, else what can be published of it."""
        return Told(document) if self.fits(document) else self.whole(document)

    def whole(self, document: Mapping[str, Any]) -> Told:
        """Return ``document`` with all fields that may not be null, and none of a wrong type."""
        found = self._filled(document)
        if "state" in self.always and found["state"] not in set(JobState):
            is_claimed = found["lock"] or found["claimed_at"]
            state = JobState.CLAIMED if is_claimed else JobState.UNCLAIMED
            found["state"] = JobState.COMPLETE.value if found["ended_at"] else state.value
        return found

    def _filled(self, document: Mapping[str, Any]) -> Told:
        found = Told(document)
        found["_id"] = str(document.get("_id", ""))
        board, _, rest = found["_id"].partition("#")
        for name, types in self.types.items():
            if not is_of(found[name], types):
                found[name] = None
        for name, nothing in {**self.always, "board": board, "name": rest}.items():
            if not is_of(found[name], type(nothing)):
                found[name] = nothing
        known = [found[name] for name in ("at", *self.moments) if is_of(found[name], datetime)]
        for name in self.moments:
            if not is_of(found[name], datetime):
                found[name] = known[0] if known else NO_MOMENT
        return found


def is_of(value: Any, types: type | tuple[type, ...]) -> bool:
    """Return whether ``value`` is one of ``types``. A boolean is no number, nor is a NaN."""
    if isinstance(value, bool):
        return types is bool
    return isinstance(value, types) and (not isinstance(value, float) or isfinite(value))


def fitting(value: Any, types: Any, otherwise: Any = None) -> Any:
    """Return ``value`` if it is one of ``types``, else ``otherwise``."""
    return value if is_of(value, types) else otherwise


def _is_edit(edit: Any) -> bool:
    """Return whether nothing within a change's ``edit`` has a wrong type."""
    if edit is None:
        return True
    changed = edit.get("changed") or []
    return (
        _are(edit, str, "of")
        and _are(edit, int, "edits")
        and _are(edit, Mapping, "before", "after")
        and all(_is_side(edit.get(side) or {}) for side in ("before", "after"))
        and isinstance(changed, list)
        and all(isinstance(each, Mapping) and _is_difference(each) for each in changed)
    )


def _is_side(side: Mapping[str, Any]) -> bool:
    payload = side.get("payload")
    return _are(side, str, "uuid", "name", "owner") and (
        payload is None
        or (
            isinstance(payload, Mapping)
            and _are(payload, str, "malformed", "sha256")
            and _are(payload, int, "size")
        )
    )


def _is_difference(difference: Mapping[str, Any]) -> bool:
    return isinstance(difference.get("field"), str) and _are(difference, str, "before", "after")


def _are(document: Mapping[str, Any], types: type, *names: str) -> bool:
    """Return whether the fields called ``names`` are of a type, or null."""
    return all(isinstance(document.get(name), (types, NoneType)) for name in names)


_NUMBER: Final = (int, float)
JOB: Final = Shape(
    {
        **dict.fromkeys(("uuid", "job_name", "owner", "outcome", "in_trash"), str),
        **dict.fromkeys(("at", "claimed_at", "ended_at", "waiting_from", "running_from"), datetime),
        **dict.fromkeys(("waited", "ran"), _NUMBER),
        **dict.fromkeys(("lock", "payload"), Mapping),
    },
    {"state": "", "claims": 0, "revision": 0},
    ("posted_at", "seen_at", "since"),
    ("board", "name", "state", "posted_at", "since", "claims", "revision"),
)
CHANGE: Final = Shape(
    {
        **dict.fromkeys(("uuid", "job_name", "owner", "outcome", "state", "state_before"), str),
        **dict.fromkeys(("at", "moment", "posted_at"), datetime),
        **dict.fromkeys(("waiting", "running"), _NUMBER),
        "session": int,
        "edit": Mapping,
    },
    {"kind": "", "revision": 0, "creates": 0, "deletes": 0},
    ("seen_at",),
    ("board", "name", "kind", "revision", "seen_at", "creates", "deletes"),
)
GAP: Final = Shape(
    {"creates": int, "deletes": int},
    {"reason": ""},
    ("to", "from"),
    ("board", "reason", "to", "from"),
)
