"""The filters of a list or of the event stream: the same ones for everything that Canary publishes.

A filter is about jobs. ``canary.stores.queries.filtering`` defines what it means where there is no
job, and turns filters into MongoDB's queries.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Field(StrEnum):
    """What a filter is about. The value is its name in the API."""

    PATH = "path"  # the board's
    STATE = "state"
    OUTCOME = "outcome"
    OWNER = "owner"
    NAME = "name"  # the job's own
    UUID = "uuid"
    KIND = "kind"  # of a change only
    AGE = "age>"  # at least so many seconds since the job was posted
    WAITING = "waiting>"  # at least so many seconds in which nobody claimed it
    RUNNING = "running>"  # at least so many seconds in which somebody did
    CLAIMS = "claims>"  # claimed at least so often
    SINCE = "since"  # existed or happened at that moment or after it
    UNTIL = "until"  # the same, at it or before it
    TEXT = "q"  # a text anywhere in it, in any case


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: it finds what has any of ``values``; if ``negated``, exactly everything else.

    The values are text; seconds for ``AGE``, ``WAITING`` and ``RUNNING``; a number for ``CLAIMS``;
    datetimes for ``SINCE`` and ``UNTIL``.
    """

    field: Field
    values: tuple[str | float | datetime, ...]
    negated: bool = False


Filters = frozenset[Filter]


def only(filters: Iterable[Filter], *fields: Field) -> Filters:
    """Return those of ``filters`` that are about one of ``fields``."""
    return frozenset(each for each in filters if each.field in fields)


def leaving_out(filters: Filters, path: str) -> Filters:
    """Return ``filters`` with one more that excludes the board at ``path``, if they name no board.

    So Canary's own board, which is watched like any other, is only in answers to requests that name
    it.
    """
    if any(each.field is Field.PATH and not each.negated for each in filters):
        return filters
    return filters | {Filter(Field.PATH, (path,), negated=True)}


def without(filters: Iterable[Filter], *fields: Field) -> Filters:
    """Return those of ``filters`` that are about none of ``fields``."""
    return frozenset(each for each in filters if each.field not in fields)
