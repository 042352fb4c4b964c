"""What a list, or the event stream, is asked for: the same filters for all that Canary tells.

A filter is about jobs. What it means where there is no job, ``canary.stores.filtering`` says, which
also makes MongoDB's queries of filters.
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
    AGE = "age>"  # seconds since the job was posted, or more
    WAITING = "waiting>"  # seconds in which nobody claimed it, or more
    RUNNING = "running>"  # seconds in which somebody did, or more
    SINCE = "since"  # what was there, or happened, at that moment or after it
    UNTIL = "until"  # the same, or before it
    TEXT = "q"  # a text that is in it somewhere, whatever its case


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: any of ``values`` fits; where ``negated`` exactly what does not.

    The values are text, seconds of ``AGE``, ``WAITING`` and ``RUNNING``, moments of ``SINCE`` and
    ``UNTIL``.
    """

    field: Field
    values: tuple[str | float | datetime, ...]
    negated: bool = False


Filters = frozenset[Filter]


def only(filters: Iterable[Filter], *fields: Field) -> Filters:
    """Return those of ``filters`` that are about one of ``fields``."""
    return frozenset(each for each in filters if each.field in fields)


def leaving_out(filters: Filters, path: str) -> Filters:
    """Return ``filters``, and one more that leaves out the board at ``path``, unless they name any.

    So Canary's own board, which is watched as any other, is told of to who asks for it by name.
    """
    if any(each.field is Field.PATH and not each.negated for each in filters):
        return filters
    return filters | {Filter(Field.PATH, (path,), negated=True)}


def without(filters: Iterable[Filter], *fields: Field) -> Filters:
    """Return those of ``filters`` that are about none of ``fields``."""
    return frozenset(each for each in filters if each.field not in fields)
