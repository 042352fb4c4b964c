"""The query of ``/v2``'s lists: one set of parameters for all, checked and documented in one place.

A field's description says what is allowed, in ``/openapi.json`` and in the answer to a wrong value.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from zlib import crc32

from flask import has_request_context, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from werkzeug.datastructures import MultiDict

from canary.config.board_path import shown
from canary.errors import UsageError
from canary.model import filters
from canary.model.filters import Filter, Filters
from canary.server.v2 import cursors
from canary.server.v2.values import BoardPath, Count, Moment, Search, Seconds, Text
from canary.stores.queries.paging import VALUES, Place, Sort
from canary.values import MOMENTS, whole

MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 100
MAX_VALUES: Final = 100  # of one filter

State = Literal["UNCLAIMED", "CLAIMED", "COMPLETE"]
OutcomeName = Literal["consumed", "trashed", "removed", "board_deleted", "unknown"]
KindName = Literal[
    "posted",
    "malformed",
    "claimed",
    "abandoned",
    "edited",
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
_OWNER: Final = _several("who claims the job, or claimed it when it ended; an exact match", "owner")
_NAME: Final = _several("a job's name; an exact match", "name")
_UUID: Final = _several("a job's uuid; an exact match", "uuid")
KIND: Final = _several(
    "what happened: posted, malformed, claimed, abandoned, edited, consumed, trashed, removed, "
    "ended, node_created or node_deleted",
    "kind",
)
_AGE: Final = _one("posted at least this long ago: seconds, or with s, m, h or d as in 5m", "age>")
_WAITING: Final = _one(
    "has been unclaimed for at least this long in total: seconds, or with s, m, h or d as in 5m",
    "waiting>",
)
_RUNNING: Final = _one(
    "has been claimed for at least this long in total: seconds, or with s, m, h or d as in 5m",
    "running>",
)
_CLAIMS: Final = _one("was claimed at least this many times: a whole number", "claims>")
_SINCE: Final = _one(f"existed at this moment or later: {MOMENTS}", "since")
_UNTIL: Final = _one(f"existed at this moment or before: {MOMENTS}", "until")
_TEXT: Final = _one(
    "a text of 1 to 200 characters to find in path, name, uuid or owner, regardless of case; for "
    "jobs also in the payload, for gaps only in the path",
    "q",
)
NOT_KIND: Final = _not(KIND)


class Asked(BaseModel):
    """The parameters of a request. A wrong parameter raises UsageError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the checked parameters.

        Raises UsageError with the parameter, its value and what is allowed.
        """
        if has_request_context():
            cls.check_repeated(request.args)
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise _refused(cls, error) from error

    @classmethod
    def check_repeated(cls, asked: MultiDict[str, str]) -> None:
        """Raise UsageError if a parameter that takes a single value is given more than once."""
        for key, field in cls.model_fields.items():
            name = field.alias or key
            if field.default != [] and len(values := asked.getlist(name)) > 1:
                told = ", ".join(shown(value) for value in values[:3])
                raise UsageError(f"{name} is given {len(values)} times: {told}. Allowed: once.")

    @classmethod
    @cache
    def model_json_schema(cls, *words: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the JSON schema. It is made once, because it is needed at each request.

        It allows no nulls: an optional parameter is left out of a query instead.
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
    claims: Count | None = _CLAIMS
    not_claims: Count | None = _not(_CLAIMS)
    since: Moment | None = _SINCE
    not_since: Moment | None = _not(_SINCE)
    until: Moment | None = _UNTIL
    not_until: Moment | None = _not(_UNTIL)
    q: Search | None = _TEXT
    not_q: Search | None = _not(_TEXT)

    @property
    def filters(self) -> Filters:
        """The filters that the request sets."""
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
    "claims": filters.Field.CLAIMS,
    "since": filters.Field.SINCE,
    "until": filters.Field.UNTIL,
    "q": filters.Field.TEXT,
}


class ListQuery(Query):
    """The query of a list: filters, order and page, or all rows as CSV or JSON lines."""

    #: Names of ``sort`` to fields of documents, where the two differ.
    sorted_by: ClassVar[dict[str, str]] = {}
    #: The model of a row of the list, which says what type each field has.
    row: ClassVar[type[BaseModel] | None] = None
    #: The type of a time that the list is sorted by: text if the list is made in memory.
    moments: ClassVar[type] = datetime

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(whole)] | None = Field(
        None,
        description=f"a whole number from 1 to {MAX_LIMIT}: how many entries, by default "
        f"{DEFAULT_LIMIT}, or all of them as CSV or JSON lines",
    )
    cursor: str | None = Field(None, description="the value of next in the previous page")
    sort: str = ""
    format: Literal["json", "csv", "jsonl"] | None = Field(
        None, description="json, csv or jsonl; by default the Accept header decides"
    )

    @property
    def order(self) -> Sort:
        """The field that the list is sorted by, and the direction."""
        name = self.sort.removeprefix("-")
        return Sort(self.sorted_by.get(name, name), self.sort.startswith("-"))

    @property
    def size(self) -> int:
        """The maximum number of entries of a page."""
        return self.limit or DEFAULT_LIMIT

    @property
    def after(self) -> Place | None:
        """The place after which the page begins; None for the first page.

        Raises UsageError if the cursor is not of this list.
        """
        if self.cursor is None:
            return None
        place = cursors.read(self.cursor, self._fingerprint, self._sorted_types)
        if place is None:
            raise UsageError(
                f"cursor is {shown(self.cursor)}. Allowed: the value of next in the previous page, "
                "with the same filters and the same sort."
            )
        return place

    def cursor_behind(self, place: Place) -> str:
        """Return the cursor of the page that begins after ``place``."""
        return cursors.written(self._fingerprint, place)

    @property
    def _sorted_types(self) -> Collection[type]:
        name = self.sort.removeprefix("-")
        fields = self.row.model_fields if self.row else {}
        field = next((each for key, each in fields.items() if name in {key, each.alias}), None)
        if field is None:
            return VALUES
        types = cursors.types_of(field.annotation)
        return {self.moments if each is datetime else each for each in types}

    @property
    def _fingerprint(self) -> int:
        """A checksum of the list's type, filters and order, which distinguishes lists."""
        asked = sorted(
            (each.field, each.negated, sorted(map(str, each.values))) for each in self.filters
        )
        return crc32(repr((type(self).__name__, self.sort, asked)).encode())


def sorting(*names: str) -> Any:
    """Return the field ``sort`` of a list that may be sorted by ``names``, by default by the first.

    If there is only one name, the list is sorted in one direction only.
    """
    if len(names) == 1:
        return Field(names[0], description=f"{names[0]}, the only order")
    fields = ", ".join(name.removeprefix("-") for name in names)
    return Field(
        names[0],
        description=f"one of {fields}; with - before it for descending; by default {names[0]}",
    )


def _refused(model: type[BaseModel], error: ValidationError) -> UsageError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    allowed = {field.alias or key: field.description for key, field in model.model_fields.items()}
    if first["type"] == "extra_forbidden":
        field, sign, value = name.partition(">")
        meant = ""
        if f"{field}>" in allowed and not value.startswith("!"):
            given = value if sign else str(first["input"])
            meant = f" Did you mean {shown(f'{field}>={given}')}?"
        return UsageError(
            f"There is no parameter {shown(name)}.{meant} Allowed: {', '.join(allowed)}."
        )
    value, reason = shown(str(first.get("input"))), first.get("ctx", {}).get("error")
    because = f": {reason}" if isinstance(reason, ValueError) else ""
    return UsageError(f"{name} is {value}{because}. Allowed: {allowed.get(name)}.")
