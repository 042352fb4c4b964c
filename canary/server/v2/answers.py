"""How ``/v2`` answers: a list as a page of JSON, or all of it as CSV or JSON lines.

Promises: a page begins after the last entry of the previous one (``canary.stores.queries.paging``).
An export is sent as it is read, a batch at a time. If an export breaks off, the response has no
proper end, so that no client takes it for the whole list. No spreadsheet takes a cell of CSV for a
formula (``canary.spreadsheet``).
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, Protocol

from flask import Response, current_app, request
from flask_openapi3 import Tag
from pydantic import BaseModel

from canary.clock import now
from canary.model.filters import Filters, leaving_out
from canary.server.representation import JSON
from canary.server.rows import told
from canary.server.v2.query import MAX_LIMIT, ListQuery, Query
from canary.server.v2.schemas import Problem
from canary.spreadsheet import as_json, guarded
from canary.stores.queries.lists import Kept, Lists
from canary.stores.queries.paging import Place, Sort

JOBBOARDS: Final = Tag(name="jobboards", description="the state and the history of jobboards")
JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PROBLEM: Final = "application/problem+json"
ROWS_AT_A_TIME: Final = 100
OWN_BOARD: Final = "OWN_BOARD"  # in Flask's config: the path of Canary's own board
_TYPES: Final = {"json": "application/json", "csv": CSV, "jsonl": JSON_LINES}

Row = Callable[[Mapping[str, Any], datetime], JSON]


class Listing(Protocol):
    """A list that can be read by pages or as a whole."""

    @property
    def names(self) -> list[str]:
        """The names of a row's fields, in order."""

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows that follow ``after``, each with its place."""

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows, or at most ``limit`` of them if it is not 0."""


class Source:
    """A list that is a collection in MongoDB; ``row`` turns a document into a row."""

    def __init__(self, found: Lists, kept: Kept, row: Row, model: type[BaseModel]) -> None:
        self._found, self._kept, self._row = found, kept, row
        self.names = names_of(model)

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows that follow ``after``, each with its place."""
        page = self._found.page(self._kept, filters, moment, sort, after, limit)
        return [
            (self._kept.place_of(sort, document), self._told(document, moment)) for document in page
        ]

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        for document in self._found.walk(self._kept, filters, moment, sort, limit):
            yield self._told(document, moment)

    def _told(self, document: Mapping[str, Any], moment: datetime) -> JSON:
        return told(lambda each: self._row(each, moment), document, self._kept.shape)


@dataclass(frozen=True, slots=True)
class Made:
    """A list that is made as a whole in memory, as lists of boards and conductors are never long.

    ``make`` returns the rows, each with its identity. Rows are sorted by their own fields.
    """

    make: Callable[[Filters, datetime], list[tuple[str, JSON]]]
    names: list[str]

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows that follow ``after``, each with its place."""
        places = ((Place(row[sort.field], key), row) for key, row in self.make(filters, moment))
        rows = sorted(places, key=lambda each: _order(each[0]), reverse=sort.descending)
        if after is not None:
            behind = _order(after)
            rows = [
                each
                for each in rows
                if (_order(each[0]) < behind if sort.descending else _order(each[0]) > behind)
            ]
        return rows[:limit]

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        rows = self.page(filters, moment, sort, None, limit or len(self.make(filters, moment)))
        return (row for _, row in rows)


def _order(place: Place) -> tuple[bool, Any, str]:
    """Sort null first, as MongoDB does."""
    return (place.value is not None, place.value if place.value is not None else 0, place.identity)


def names_of(model: type[BaseModel]) -> list[str]:
    """Return the names of a model's fields as they appear in JSON, in order."""
    return [field.alias or name for name, field in model.model_fields.items()]


def by_pages(
    listing: Listing, filters: Filters, moment: datetime, sort: Sort, limit: int
) -> Iterator[JSON]:
    """Yield the rows of a list that is read by pages only, at most ``limit`` if it is not 0."""
    after, left = None, limit
    while True:
        page = listing.page(filters, moment, sort, after, min(left or MAX_LIMIT, MAX_LIMIT))
        yield from (row for _, row in page)
        left = left and left - len(page)
        if len(page) < MAX_LIMIT or (limit and not left):
            return
        after = page[-1][0]


def asked_of(query: Query) -> Filters:
    """Return a request's filters; they leave out Canary's own board unless ``path`` names it."""
    return leaving_out(query.filters, current_app.config[OWN_BOARD])


def listed(name: str, query: ListQuery, listing: Listing) -> Response:
    """Return the response with the list ``name``, in the format of ``query`` or of Accept."""
    filters, moment = asked_of(query), now()
    form = query.format or _accepted()
    if form != "json":
        rows = listing.walk(filters, moment, query.order, query.limit or 0)
        return _export(name, form, rows, listing.names)
    page = listing.page(filters, moment, query.order, query.after, query.size + 1)
    is_more = len(page) > query.size
    answer: JSON = {
        name: [row for _, row in page[: query.size]],
        "next": query.cursor_behind(page[query.size - 1][0]) if is_more else None,
    }
    return Response(json.dumps(answer), content_type="application/json")


def _accepted() -> str:
    best = request.accept_mimetypes.best_match(list(_TYPES.values()), _TYPES["json"])
    return next(form for form, kind in _TYPES.items() if kind == best)


def _export(name: str, form: str, rows: Iterator[JSON], names: list[str]) -> Response:
    # Read the first rows now: an error then gets its own response instead of a broken export.
    first = list(islice(rows, ROWS_AT_A_TIME))
    lines = _csv if form == "csv" else _json_lines
    kind = f"{CSV}; charset=utf-8; header=present" if form == "csv" else _TYPES[form]
    response = Response(lines(chain(first, rows), names), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response


def _json_lines(rows: Iterator[JSON], _: list[str]) -> Iterator[bytes]:
    while some := list(islice(rows, ROWS_AT_A_TIME)):
        yield "".join(f"{json.dumps(row)}\n" for row in some).encode()


def _csv(rows: Iterator[JSON], names: list[str]) -> Iterator[bytes]:
    text = io.StringIO()
    csv.writer(text).writerow(names)  # Canary's own names, which need no quotes
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    while True:
        some = list(islice(rows, ROWS_AT_A_TIME))
        writer.writerows([_cell(row[name]) for name in names] for row in some)
        if text.tell():
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
        if not some:
            return


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        return as_json(value)
    return guarded(value) if isinstance(value, str) else value


def answered(model: type[BaseModel], *problems: int) -> dict[Any, Any]:
    """Return the OpenAPI responses of a route: its model for 200, and the problems."""
    return {200: model} | refused(*problems)


def refused(*problems: int) -> dict[Any, Any]:
    """Return the OpenAPI responses for the statuses that any route may have, and ``problems``."""
    described = {"content": {PROBLEM: {"schema": Problem.model_json_schema()}}}
    return {status: dict(described) for status in (400, 401, 414, 429, 503, *problems)}
