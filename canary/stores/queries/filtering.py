"""Filters as MongoDB's queries, and the same filters applied to a change that just happened.

What a filter applies to: for a *job*, the job itself. For a *change*, its job as it was with that
change, and for an edit also the uuid before; its moments are those of the change. For a *gap*,
``path`` and ``q`` apply to its board, ``since`` and ``until`` to its interval, ``age>`` to the time
since its end. Nothing else is known of a gap, so no other filter finds one.

Promises: a filter and its NOT never find the same, and together they find everything. ``matches``
decides about a change exactly as ``changes`` does in MongoDB, ``matches_gap`` about a gap as
``gaps`` does.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from canary.model.filters import Field, Filter, Filters
from canary.stores.mongo.documents import Document

NOTHING: Final[Document] = {"$expr": False}
UUID_BEFORE: Final = "edit.before.uuid"  # of a change: the uuid that an edit has replaced

#: Returns whether a document is found; ages count up to the moment.
Matcher = Callable[[Mapping[str, Any], datetime], bool]

_Clause = Callable[[Filter, datetime], Document]
_Test = Callable[[Filter], Matcher]


def jobs(filters: Filters, now: datetime) -> Document:
    """Return the query of ``jobs`` for ``filters``; ages count up to ``now``."""
    return _query(filters, now, _JOBS)


def changes(filters: Filters, now: datetime) -> Document:
    """Return the query of ``changes`` for ``filters``."""
    return _query(filters, now, _CHANGES)


def gaps(filters: Filters, now: datetime) -> Document:
    """Return the query of ``gaps`` for ``filters``."""
    return _query(filters, now, _GAPS)


def matches(change: Mapping[str, Any], filters: Filters, now: datetime) -> bool:
    """Return whether ``filters`` find a document of ``changes``."""
    return change_matcher(filters)(change, now)


def matches_gap(gap: Mapping[str, Any], filters: Filters, now: datetime) -> bool:
    """Return whether ``filters`` find a document of ``gaps``."""
    return gap_matcher(filters)(gap, now)


def change_matcher(filters: Filters) -> Matcher:
    """Return the function that decides whether ``filters`` find a document of ``changes``.

    Calling it is much cheaper than making it.
    """
    return _matcher(filters, _TESTS)


def gap_matcher(filters: Filters) -> Matcher:
    """Return the same for documents of ``gaps``."""
    return _matcher(filters, _GAP_TESTS)


def _matcher(filters: Filters, tests: Mapping[Field, _Test]) -> Matcher:
    asked = [
        (tests[each.field](each) if each.field in tests else _never, each.negated)
        for each in filters
    ]

    def matcher(document: Mapping[str, Any], now: datetime) -> bool:
        return all(test(document, now) is not negated for test, negated in asked)

    return matcher


def _never(_: Mapping[str, Any], __: datetime) -> bool:
    return False


def _query(filters: Filters, now: datetime, clauses: Mapping[Field, _Clause]) -> Document:
    parts = []
    for each in sorted(filters, key=lambda each: (each.negated, each.field)):
        clause = clauses[each.field](each, now) if each.field in clauses else NOTHING
        parts.append({"$nor": [clause]} if each.negated else clause)
    return {"$and": parts} if parts else {}


def _any(name: str) -> _Clause:
    return lambda each, _: {name: {"$in": list(each.values)}}


def _any_of(*names: str) -> _Clause:
    return lambda each, _: {"$or": [{name: {"$in": list(each.values)}} for name in names]}


def _before(name: str) -> _Clause:
    """The clause for a moment that is at least so many seconds ago."""
    return lambda each, now: {name: {"$lte": now - timedelta(seconds=_seconds(each))}}


def _spent(counting_from: str, summed: str) -> _Clause:
    def clause(each: Filter, now: datetime) -> Document:
        seconds = _seconds(each)
        return {
            "$or": [
                {counting_from: {"$lte": now - timedelta(seconds=seconds)}},
                {summed: {"$gte": seconds}},
            ]
        }

    return clause


def _compared(name: str, operator: str) -> _Clause:
    return lambda each, _: {name: {operator: each.values[0]}}


def _not_over_by(each: Filter, _: datetime) -> Document:
    return {"$or": [{"ended_at": None}, {"ended_at": {"$gte": each.values[0]}}]}


def _text(*names: str, as_json: str | None = None) -> _Clause:
    def clause(each: Filter, _: datetime) -> Document:
        text = str(each.values[0])
        found: list[Document] = [{name: _containing(text)} for name in names]
        if as_json is not None:  # JSON in ASCII, as payloads are kept
            found.append({as_json: _containing(json.dumps(text)[1:-1])})
        return {"$or": found}

    return clause


def _containing(text: str) -> Document:
    return {"$regex": re.escape(text), "$options": "i"}


def _seconds(each: Filter) -> float:
    [seconds] = each.values
    return float(seconds)  # type: ignore[arg-type]


_ABOUT_JOBS: Final[dict[Field, _Clause]] = {
    Field.PATH: _any("board"),
    Field.STATE: _any("state"),
    Field.OUTCOME: _any("outcome"),
    Field.OWNER: _any("owner"),
    Field.NAME: _any("job_name"),
    Field.UUID: _any("uuid"),
    Field.AGE: _before("posted_at"),
}
_TEXTS: Final = ("board", "name", "job_name", "uuid", "owner")
_JOBS: Final[dict[Field, _Clause]] = {
    **_ABOUT_JOBS,
    Field.WAITING: _spent("waiting_from", "waited"),
    Field.RUNNING: _spent("running_from", "ran"),
    Field.CLAIMS: _compared("claims", "$gte"),
    Field.SINCE: _not_over_by,
    Field.UNTIL: _compared("posted_at", "$lte"),
    Field.TEXT: _text(*_TEXTS, as_json="payload.text"),
}
_CHANGES: Final[dict[Field, _Clause]] = {
    **_ABOUT_JOBS,
    Field.UUID: _any_of("uuid", UUID_BEFORE),
    Field.KIND: _any("kind"),
    Field.WAITING: lambda each, _: {"waiting": {"$gte": _seconds(each)}},
    Field.RUNNING: lambda each, _: {"running": {"$gte": _seconds(each)}},
    Field.CLAIMS: _compared("claims", "$gte"),
    Field.SINCE: _compared("seen_at", "$gte"),
    Field.UNTIL: _compared("seen_at", "$lte"),
    Field.TEXT: _text(*_TEXTS),
}
_GAPS: Final[dict[Field, _Clause]] = {
    Field.PATH: _any("board"),
    Field.AGE: _before("to"),
    Field.SINCE: _compared("to", "$gte"),
    Field.UNTIL: _compared("from", "$lte"),
    Field.TEXT: _text("board"),
}


def _is_any(name: str) -> _Test:
    def test(each: Filter) -> Matcher:
        values = frozenset(each.values)
        return lambda document, _: document.get(name) in values

    return test


def _has_uuid(each: Filter) -> Matcher:
    values = frozenset(each.values)

    def matcher(change: Mapping[str, Any], _: datetime) -> bool:
        before = (change.get("edit") or {}).get("before") or {}
        return change.get("uuid") in values or before.get("uuid") in values

    return matcher


def _is_over(name: str) -> _Test:
    def test(each: Filter) -> Matcher:
        least = _seconds(each)

        def matcher(document: Mapping[str, Any], _: datetime) -> bool:
            seconds: float | None = document.get(name)
            return seconds is not None and seconds >= least

        return matcher

    return test


def _is_old(name: str) -> _Test:
    def test(each: Filter) -> Matcher:
        age = timedelta(seconds=_seconds(each))

        def matcher(document: Mapping[str, Any], now: datetime) -> bool:
            moment: datetime | None = document.get(name)
            return moment is not None and moment <= now - age

        return matcher

    return test


def _is_since(name: str) -> _Test:
    return lambda each: lambda document, _: document[name] >= each.values[0]


def _is_until(name: str) -> _Test:
    return lambda each: lambda document, _: document[name] <= each.values[0]


def _contains(*names: str) -> _Test:
    """The test for a text in any case. If both are ASCII, as almost always, it needs no regex."""

    def test(each: Filter) -> Matcher:
        text = str(each.values[0])
        search = re.compile(re.escape(text), re.IGNORECASE).search
        lowered = text.lower() if text.isascii() else None

        def matcher(document: Mapping[str, Any], _: datetime) -> bool:
            for name in names:
                value: str | None = document.get(name)
                if not value:
                    continue
                if lowered is not None and value.isascii():
                    if lowered in value.lower():
                        return True
                elif search(value):
                    return True
            return False

        return matcher

    return test


_TESTS: Final[dict[Field, _Test]] = {
    Field.PATH: _is_any("board"),
    Field.STATE: _is_any("state"),
    Field.OUTCOME: _is_any("outcome"),
    Field.OWNER: _is_any("owner"),
    Field.NAME: _is_any("job_name"),
    Field.UUID: _has_uuid,
    Field.KIND: _is_any("kind"),
    Field.AGE: _is_old("posted_at"),
    Field.WAITING: _is_over("waiting"),
    Field.RUNNING: _is_over("running"),
    Field.CLAIMS: _is_over("claims"),
    Field.SINCE: _is_since("seen_at"),
    Field.UNTIL: _is_until("seen_at"),
    Field.TEXT: _contains(*_TEXTS),
}
_GAP_TESTS: Final[dict[Field, _Test]] = {
    Field.PATH: _is_any("board"),
    Field.AGE: _is_old("to"),
    Field.SINCE: _is_since("to"),
    Field.UNTIL: _is_until("from"),
    Field.TEXT: _contains("board"),
}
