"""What a list of ``/v2`` may be asked: one query for all of them, checked and documented in one.

A field's description says what is allowed, in ``/openapi.json`` as in the answer to what is not.
"""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Final, Literal, Self
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from canary.config.board_path import shown
from canary.errors import UsageError
from canary.model import filters
from canary.model.filters import Filter, Filters
from canary.server.v2.values import BoardPath, Moment, Search, Seconds, Text
from canary.stores.paging import Place, Sort, Value

MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 100
MAX_VALUES: Final = 100  # of one filter
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

State = Literal["UNCLAIMED", "CLAIMED", "COMPLETE"]
OutcomeName = Literal["consumed", "trashed", "removed", "board_deleted", "unknown"]
KindName = Literal[
    "posted",
    "malformed",
    "claimed",
    "abandoned",
    "consumed",
    "trashed",
    "removed",
    "ended",
    "node_created",
    "node_deleted",
]


def _several(what: str, name: str) -> Any:
    return Field(
        default=[],
        alias=name,
        max_length=MAX_VALUES,
        description=f"{what}. Several values: any of them, at most {MAX_VALUES}",
    )


def _one(what: str, name: str) -> Any:
    return Field(default=None, alias=name, description=what)


def _not(field: Any) -> Any:
    """Return the field of the same filter's NOT."""
    return Field(
        default=field.default,
        alias=f"{field.alias}!",
        max_length=MAX_VALUES if field.default == [] else None,
        description=f"NOT {field.alias}: {field.description}",
    )


_PATH: Final = _several("a board's path, such as /taskflow/jobs", "path")
_STATE: Final = _several("a job's state: UNCLAIMED, CLAIMED or COMPLETE", "state")
_OUTCOME: Final = _several(
    "how a job ended: consumed, trashed, removed, board_deleted or unknown", "outcome"
)
_OWNER: Final = _several("who claims the job, or did at its end, exactly", "owner")
_NAME: Final = _several("a job's name, exactly", "name")
_UUID: Final = _several("a job's uuid, exactly", "uuid")
KIND: Final = _several(
    "what happened: posted, malformed, claimed, abandoned, consumed, trashed, removed, ended, "
    "node_created or node_deleted",
    "kind",
)
_AGE: Final = _one("posted that long ago or more: seconds, or with s, m, h or d as in 5m", "age>")
_WAITING: Final = _one(
    "has waited that long or more, unclaimed: seconds, or with s, m, h or d as in 5m", "waiting>"
)
_RUNNING: Final = _one(
    "has run that long or more, claimed: seconds, or with s, m, h or d as in 5m", "running>"
)
_SINCE: Final = _one(
    "there at that moment or later: ISO 8601 with its zone, or seconds since 1970", "since"
)
_UNTIL: Final = _one(
    "there at that moment or before: ISO 8601 with its zone, or seconds since 1970", "until"
)
_TEXT: Final = _one(
    "a text of 1 to 200 characters, in any case, that is in path, name, uuid or owner; of a job in "
    "its payload as well, of a gap in its path alone",
    "q",
)
NOT_KIND: Final = _not(KIND)


class Asked(BaseModel):
    """What a request asks for; what it asks wrongly is a UsageError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return it. Raises UsageError: which parameter, its value, what is allowed."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise _refused(cls, error) from error

    @classmethod
    @cache
    def model_json_schema(cls, *words: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the schema, made once: it is asked for with each request.

        What need not be there is left out of a query, never null.
        """
        schema = super().model_json_schema(*words, **options)
        for described in schema["properties"].values():
            if described.get("default") in (None, []):
                described.pop("default", None)
            kinds = [kind for kind in described.pop("anyOf", []) if kind != {"type": "null"}]
            described.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
        return schema


class Query(Asked):
    """The filters that every list and the event stream take."""

    path: list[BoardPath] = _PATH
    not_path: list[BoardPath] = _not(_PATH)
    state: list[State] = _STATE
    not_state: list[State] = _not(_STATE)
    outcome: list[OutcomeName] = _OUTCOME
    not_outcome: list[OutcomeName] = _not(_OUTCOME)
    owner: list[Text] = _OWNER
    not_owner: list[Text] = _not(_OWNER)
    name: list[Text] = _NAME
    not_name: list[Text] = _not(_NAME)
    uuid: list[Text] = _UUID
    not_uuid: list[Text] = _not(_UUID)
    age: Seconds | None = _AGE
    not_age: Seconds | None = _not(_AGE)
    waiting: Seconds | None = _WAITING
    not_waiting: Seconds | None = _not(_WAITING)
    running: Seconds | None = _RUNNING
    not_running: Seconds | None = _not(_RUNNING)
    since: Moment | None = _SINCE
    not_since: Moment | None = _not(_SINCE)
    until: Moment | None = _UNTIL
    not_until: Moment | None = _not(_UNTIL)
    q: Search | None = _TEXT
    not_q: Search | None = _not(_TEXT)

    @property
    def filters(self) -> Filters:
        """What is asked for."""
        found = []
        for name in self.model_fields_set:
            about = _ABOUT.get(name.removeprefix("not_"))
            value = getattr(self, name)
            if about is not None and value not in (None, []):
                values = tuple(value) if isinstance(value, list) else (value,)
                found.append(Filter(about, values, name.startswith("not_")))
        return frozenset(found)


_ABOUT: Final = {
    "path": filters.Field.PATH,
    "state": filters.Field.STATE,
    "outcome": filters.Field.OUTCOME,
    "owner": filters.Field.OWNER,
    "name": filters.Field.NAME,
    "uuid": filters.Field.UUID,
    "kind": filters.Field.KIND,
    "age": filters.Field.AGE,
    "waiting": filters.Field.WAITING,
    "running": filters.Field.RUNNING,
    "since": filters.Field.SINCE,
    "until": filters.Field.UNTIL,
    "q": filters.Field.TEXT,
}


class ListQuery(Query):
    """The same, of a list: sorted, a page at a time or, as CSV or JSON lines, all at once."""

    #: The fields of documents that the names of ``sort`` stand for, where they differ.
    sorted_by: ClassVar[dict[str, str]] = {}

    limit: int | None = Field(
        None,
        ge=1,
        le=MAX_LIMIT,
        description=f"a whole number from 1 to {MAX_LIMIT}: how many entries, by default "
        f"{DEFAULT_LIMIT}, and all of them as CSV or JSON lines",
    )
    cursor: str | None = Field(None, description="what stood in next of the page before")
    sort: str = ""
    format: Literal["json", "csv", "jsonl"] | None = Field(
        None, description="json, csv or jsonl; by default what the header Accept asks for"
    )

    @property
    def order(self) -> Sort:
        """What the list is sorted by."""
        name = self.sort.removeprefix("-")
        return Sort(self.sorted_by.get(name, name), self.sort.startswith("-"))

    @property
    def size(self) -> int:
        """How many entries a page has."""
        return self.limit or DEFAULT_LIMIT

    @property
    def after(self) -> Place | None:
        """The place behind which the page begins. Raises UsageError if it is another list's."""
        if self.cursor is None:
            return None
        try:
            told = base64.b64decode(self.cursor.encode(), b"-_", validate=True)
            fingerprint, kind, value, identity = json.loads(told)
            if fingerprint == self._fingerprint and isinstance(identity, str):
                return Place(_value(kind, value), identity)
        except (binascii.Error, ValueError, TypeError, KeyError, OverflowError):
            pass
        raise UsageError(
            f"cursor is {shown(self.cursor)}. Allowed: what stood in next of the page before, "
            "with the same filters and the same sort."
        )

    def cursor_behind(self, place: Place) -> str:
        """Return the cursor of the page that begins behind ``place``."""
        kind, value = "value", place.value
        if isinstance(value, datetime):
            kind, value = "moment", (value - _EPOCH) // timedelta(milliseconds=1)
        told = json.dumps([self._fingerprint, kind, value, place.identity])
        return base64.urlsafe_b64encode(told.encode()).decode()

    @property
    def _fingerprint(self) -> int:
        """Tell one list from another: its filters and its order."""
        asked = sorted(
            (each.field, each.negated, sorted(map(str, each.values))) for each in self.filters
        )
        return crc32(repr((type(self).__name__, self.sort, asked)).encode())


def _value(kind: str, value: Any) -> Value:
    if kind == "moment":
        return _EPOCH + timedelta(milliseconds=value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError("no value that a list is sorted by")


def sorting(*names: str) -> Any:
    """Return the field of what a list may be sorted by; the first is the default.

    A single one is sorted in one direction only.
    """
    if len(names) == 1:
        return Field(names[0], description=f"{names[0]}: there is no other order")
    return Field(names[0], description=f"one of {', '.join(names)}; - for descending")


def _refused(model: type[BaseModel], error: ValidationError) -> UsageError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    allowed = {field.alias or key: field.description for key, field in model.model_fields.items()}
    if first["type"] == "extra_forbidden":
        field, sign, value = name.partition(">")
        meant = ""
        if sign and f"{field}>" in allowed and not value.startswith("!"):
            meant = f" Is {shown(f'{field}>={value}')} meant?"
        return UsageError(
            f"There is no parameter {shown(name)}.{meant} Allowed: {', '.join(allowed)}."
        )
    value, reason = shown(str(first.get("input"))), first.get("ctx", {}).get("error")
    because = f": {reason}" if isinstance(reason, ValueError) else ""
    return UsageError(f"{name} is {value}{because}. Allowed: {allowed.get(name)}.")
