"""What a query of ``/v2`` holds, as values."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.errors import UsageError
from canary.model.changes import Kind, Reason
from canary.model.filters import Field, Filter
from canary.model.freshness import Freshness
from canary.model.jobs import JobState, Outcome
from canary.server.v2 import query, schemas
from canary.server.v2.query import ListQuery, Query, sorting
from canary.server.v2.values import MAX_SECONDS, moment, seconds
from canary.stores.paging import Place, Sort


class Sorted(ListQuery):
    sort: Literal["-posted_at", "name"] = sorting("-posted_at", "name")


class Other(ListQuery):
    sort: Literal["-posted_at", "name"] = sorting("-posted_at", "name")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("90", 90), ("1.5s", 1.5), ("5m", 300), ("0.5h", 1_800), ("2d", 172_800)],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1e3", "5 m", "m", "1w", "٣", "1.", "9" * 10, None])
def test_what_is_no_duration(text: str | None) -> None:
    with pytest.raises(ValueError, match="no such duration"):
        seconds(text)


NOON = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T12:30:00Z",
        "2026-01-02t12:30:00.000z",
        "2026-01-02 13:30+01:00",
        "2026-01-02T13:30:00 01:00",
        "2026-01-02T07:00:00-0530",
        str(int(NOON.timestamp())),
        f"{NOON.timestamp():.3f}",
    ],
)
def test_moments(text: str) -> None:
    assert moment(text) == NOON


@pytest.mark.parametrize(
    "text",
    ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60-23:59", "9" * 11],
)
def test_moments_at_the_ends_of_time_are_some(text: str) -> None:
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "now", "2026-01-02", "2026-01-02T12:30:00", "-5", "1e3"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="such moment"):
        moment(text)


def test_filters_and_their_nots() -> None:
    asked = Query.model_validate(
        {"state": ["CLAIMED"], "owner!": ["ann", "bob"], "waiting>": "5m", "q!": "x"}
    )
    assert asked.filters == {
        Filter(Field.STATE, ("CLAIMED",)),
        Filter(Field.OWNER, ("ann", "bob"), negated=True),
        Filter(Field.WAITING, (300.0,)),
        Filter(Field.TEXT, ("x",), negated=True),
    }
    assert Query.model_validate({}).filters == frozenset()


VALUES = st.one_of(
    st.none(),
    st.text(),
    st.integers(-(2**53), 2**53),
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)).map(  # noqa: DTZ001
        lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
    ),
)


@given(VALUES, st.text())
def test_a_cursor_comes_back(value: str | int | datetime | None, identity: str) -> None:
    place = Place(value, identity)
    cursor = Sorted.model_validate({"owner": ["ann"]}).cursor_behind(place)
    again = Sorted.model_validate({"owner": ["ann"], "cursor": cursor})
    assert again.after == place
    for words in ({}, {"owner!": ["ann"]}, {"owner": ["ann"], "sort": "name"}):
        with pytest.raises(UsageError, match="the same filters"):
            _ = Sorted.model_validate(words | {"cursor": cursor}).after
    with pytest.raises(UsageError, match="the same filters"):
        _ = Other.model_validate({"owner": ["ann"], "cursor": cursor}).after


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cursor is"):
        _ = Sorted.model_validate({"cursor": text}).after


def test_order() -> None:
    assert Sorted.model_validate({}).order == Sort("posted_at", descending=True)
    assert Sorted.model_validate({"sort": "name"}).order == Sort("name")


def test_an_unknown_parameter_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"Is 'running>=1s' meant\?"):
        Query.model_validate({"running>1s": ""})
    with pytest.raises(UsageError, match=r"no parameter 'stat'. Allowed: path, path!, state"):
        Query.model_validate({"stat": "x"})
    with pytest.raises(UsageError, match=r"age> is 'x'.*5m"):
        Query.model_validate({"age>": "x"})


def test_the_longest_duration_leads_back_to_some_moment() -> None:
    assert seconds("999999999d") == MAX_SECONDS
    assert (NOON - timedelta(seconds=MAX_SECONDS)).year > 1900


@pytest.mark.parametrize(
    ("described", "there"),
    [
        (query.State, JobState),
        (query.OutcomeName, Outcome),
        (query.KindName, Kind),
        (schemas.FreshnessName, Freshness),
        (schemas.ReasonName, Reason),
    ],
)
def test_what_is_described_is_what_there_is(described: object, there: type[StrEnum]) -> None:
    assert set(get_args(described)) == {each.value for each in there}
