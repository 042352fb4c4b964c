"""How ``/v2`` answers: a list as a page of JSON, or all of it as CSV or JSON lines.

Promises: a page begins where the one before ended (``canary.stores.paging``); what is exported is
sent as it is read, a batch at a time, and an export that breaks off is not ended properly, so that
nobody takes it for the whole. A cell of CSV that a spreadsheet would take for a formula begins with
an apostrophe (as OWASP has it under CSV injection).
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
from canary.server.v2.query import MAX_LIMIT, ListQuery, Query
from canary.server.v2.schemas import Problem
from canary.stores.lists import Kept, Lists
from canary.stores.paging import Place, Sort

JOBBOARDS: Final = Tag(name="jobboards", description="what happens on them, and what happened")
JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PROBLEM: Final = "application/problem+json"
ROWS_AT_A_TIME: Final = 100
OWN_BOARD: Final = "OWN_BOARD"  # in Flask's config: the path of Canary's own board
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_TYPES: Final = {"json": "application/json", "csv": CSV, "jsonl": JSON_LINES}

Row = Callable[[Mapping[str, Any], datetime], JSON]


class Listing(Protocol):
    """What a list is read from."""

    @property
    def names(self) -> list[str]:
        """Those of its rows."""

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows behind ``after``, each with its place."""

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows, ``limit`` at most unless it is 0."""


class Source:
    """A list that is a collection in MongoDB; ``row`` makes of a document what is told of it."""

    def __init__(self, found: Lists, kept: Kept, row: Row, model: type[BaseModel]) -> None:
        self._found, self._kept, self._row = found, kept, row
        self.names = names_of(model)

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows behind ``after``, each with its place."""
        page = self._found.page(self._kept, filters, moment, sort, after, limit)
        return [(sort.place_of(document), self._row(document, moment)) for document in page]

    def walk(self, filters: Filters, moment: datetime, sort: Sort, limit: int) -> Iterator[JSON]:
        """Yield all rows."""
        for document in self._found.walk(self._kept, filters, moment, sort, limit):
            yield self._row(document, moment)


@dataclass(frozen=True, slots=True)
class Made:
    """A list that is made whole in memory: one of boards or conductors is never long.

    ``make`` returns the rows, each with its identity; they are sorted by the row's own fields.
    """

    make: Callable[[Filters, datetime], list[tuple[str, JSON]]]
    names: list[str]

    def page(
        self, filters: Filters, moment: datetime, sort: Sort, after: Place | None, limit: int
    ) -> list[tuple[Place, JSON]]:
        """Return at most ``limit`` rows behind ``after``, each with its place."""
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
    """Return the names of an answer's fields, in order."""
    return [field.alias or name for name, field in model.model_fields.items()]


def by_pages(
    listing: Listing, filters: Filters, moment: datetime, sort: Sort, limit: int
) -> Iterator[JSON]:
    """Yield the rows of a list that is read by pages only, ``limit`` at most unless it is 0."""
    after, left = None, limit
    while True:
        page = listing.page(filters, moment, sort, after, min(left or MAX_LIMIT, MAX_LIMIT))
        yield from (row for _, row in page)
        left = left and left - len(page)
        if len(page) < MAX_LIMIT or (limit and not left):
            return
        after = page[-1][0]


def asked_of(query: Query) -> Filters:
    """Return what a request asks for: of Canary's own board only if it names that."""
    return leaving_out(query.filters, current_app.config[OWN_BOARD])


def listed(name: str, query: ListQuery, listing: Listing) -> Response:
    """Return the list called ``name`` as ``query`` and the header Accept ask for it."""
    filters, moment = asked_of(query), now()
    form = query.format or _accepted()
    if form != "json":
        rows = listing.walk(filters, moment, query.order, query.limit or 0)
        return _export(name, form, rows, listing.names)
    page = listing.page(filters, moment, query.order, query.after, query.size + 1)
    is_more = len(page) > query.size
    told: JSON = {
        name: [row for _, row in page[: query.size]],
        "next": query.cursor_behind(page[query.size - 1][0]) if is_more else None,
    }
    return Response(json.dumps(told), content_type="application/json")


def _accepted() -> str:
    best = request.accept_mimetypes.best_match(list(_TYPES.values()), _TYPES["json"])
    return next(form for form, kind in _TYPES.items() if kind == best)


def _export(name: str, form: str, rows: Iterator[JSON], names: list[str]) -> Response:
    # What is wrong with the question or with MongoDB is an answer, not a broken one.
    first = list(islice(rows, ROWS_AT_A_TIME))
    lines = _csv if form == "csv" else _json_lines
    response = Response(lines(chain(first, rows), names), content_type=_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response


def _json_lines(rows: Iterator[JSON], _: list[str]) -> Iterator[bytes]:
    while some := list(islice(rows, ROWS_AT_A_TIME)):
        yield "".join(f"{json.dumps(row)}\n" for row in some).encode()


def _csv(rows: Iterator[JSON], names: list[str]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
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
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def answered(model: type[BaseModel], *problems: int) -> dict[Any, Any]:
    """Return how an answer is described: its model, and the problems that there may be."""
    return {200: model} | refused(*problems)


def refused(*problems: int) -> dict[Any, Any]:
    """Return how the problems are described that any question may meet, and ``problems``."""
    described = {"content": {PROBLEM: {"schema": Problem.model_json_schema()}}}
    return {status: dict(described) for status in (400, 401, 414, 429, 503, *problems)}
