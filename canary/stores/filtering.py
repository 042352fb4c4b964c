"""Filters as MongoDB's queries, and the same told of a change that has just happened.

What a filter means, of a *job*: itself. Of a *change*: its job as it was with that change; its
moments are those of the change. Of a *gap*: ``path`` and ``q`` its board, ``since`` and ``until``
its interval, ``age>`` the time since its end; nothing else is known of a gap, so that no other
filter finds one.

Promises: a filter and its NOT never find the same, and together they find everything; ``matches``
says of a change exactly what ``changes`` finds of it in MongoDB, ``matches_gap`` of a gap what
``gaps`` does.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from canary.model.filters import Field, Filter, Filters
from canary.stores.documents import Document

NOTHING: Final[Document] = {"$expr": False}

_Clause = Callable[[Filter, datetime], Document]
_Test = Callable[[Mapping[str, Any], Filter, datetime], bool]


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
    """Tell whether a document of ``changes`` is one that ``filters`` find."""
    return all(_TESTS[each.field](change, each, now) is not each.negated for each in filters)


def matches_gap(gap: Mapping[str, Any], filters: Filters, now: datetime) -> bool:
    """Tell whether a document of ``gaps`` is one that ``filters`` find."""
    return all(
        (each.field in _GAP_TESTS and _GAP_TESTS[each.field](gap, each, now)) is not each.negated
        for each in filters
    )


def _query(filters: Filters, now: datetime, clauses: Mapping[Field, _Clause]) -> Document:
    parts = []
    for each in sorted(filters, key=lambda each: (each.negated, each.field)):
        clause = clauses[each.field](each, now) if each.field in clauses else NOTHING
        parts.append({"$nor": [clause]} if each.negated else clause)
    return {"$and": parts} if parts else {}


def _any(name: str) -> _Clause:
    return lambda each, _: {name: {"$in": list(each.values)}}


def _before(name: str) -> _Clause:
    """A moment that lies so many seconds back, or more."""
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
    Field.SINCE: _not_over_by,
    Field.UNTIL: _compared("posted_at", "$lte"),
    Field.TEXT: _text(*_TEXTS, as_json="payload.text"),
}
_CHANGES: Final[dict[Field, _Clause]] = {
    **_ABOUT_JOBS,
    Field.KIND: _any("kind"),
    Field.WAITING: lambda each, _: {"waiting": {"$gte": _seconds(each)}},
    Field.RUNNING: lambda each, _: {"running": {"$gte": _seconds(each)}},
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
    return lambda change, each, _: change[name] in each.values


def _is_over(name: str) -> _Test:
    def test(change: Mapping[str, Any], each: Filter, _: datetime) -> bool:
        return change[name] is not None and change[name] >= _seconds(each)

    return test


def _is_old(name: str) -> _Test:
    def test(document: Mapping[str, Any], each: Filter, now: datetime) -> bool:
        moment: datetime | None = document[name]
        return moment is not None and moment <= now - timedelta(seconds=_seconds(each))

    return test


def _contains(*names: str) -> _Test:
    def test(document: Mapping[str, Any], each: Filter, _: datetime) -> bool:
        pattern = re.compile(re.escape(str(each.values[0])), re.IGNORECASE)
        return any(pattern.search(document[name] or "") for name in names)

    return test


_TESTS: Final[dict[Field, _Test]] = {
    Field.PATH: _is_any("board"),
    Field.STATE: _is_any("state"),
    Field.OUTCOME: _is_any("outcome"),
    Field.OWNER: _is_any("owner"),
    Field.NAME: _is_any("job_name"),
    Field.UUID: _is_any("uuid"),
    Field.KIND: _is_any("kind"),
    Field.AGE: _is_old("posted_at"),
    Field.WAITING: _is_over("waiting"),
    Field.RUNNING: _is_over("running"),
    Field.SINCE: lambda change, each, _: change["seen_at"] >= each.values[0],
    Field.UNTIL: lambda change, each, _: change["seen_at"] <= each.values[0],
    Field.TEXT: _contains(*_TEXTS),
}
_GAP_TESTS: Final[dict[Field, _Test]] = {
    Field.PATH: _is_any("board"),
    Field.AGE: _is_old("to"),
    Field.SINCE: lambda gap, each, _: gap["to"] >= each.values[0],
    Field.UNTIL: lambda gap, each, _: gap["from"] <= each.values[0],
    Field.TEXT: _contains("board"),
}
