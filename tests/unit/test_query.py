"""What a query of ``/v2`` holds, as values; and where ``/v1.0`` and the CLI take the same."""

import argparse
import base64
import contextlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, get_args

import pytest
from bson import BSON
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from canary.cli import listing
from canary.errors import UsageError
from canary.model.changes import Kind, Reason
from canary.model.filters import Field, Filter
from canary.model.freshness import Freshness
from canary.model.jobs import JobState, Outcome
from canary.server.v1 import parameters
from canary.server.v2 import conductor_schemas, query, schemas
from canary.server.v2.boards import BoardsQuery
from canary.server.v2.changes import ChangesQuery
from canary.server.v2.conductors import ConductorsQuery
from canary.server.v2.gaps import GapsQuery
from canary.server.v2.jobs import JobsQuery
from canary.server.v2.query import ListQuery, Query, sorting
from canary.server.v2.series import SeriesQuery
from canary.server.v2.stats import StatsQuery
from canary.stores.queries.paging import Place, Sort
from canary.values import MAX_SECONDS, moment, seconds


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
    with pytest.raises(ValueError, match="not a valid duration"):
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
        "2026-01-02T13:30+01",
        "20260102T123000Z",
        "2026-01-02T1230Z",
        "20260102 12:30:00,000Z",
        "20260102T1330 01",
        str(int(NOON.timestamp())),
        f"{NOON.timestamp():.3f}",
    ],
)
def test_moments(text: str) -> None:
    assert moment(text) == NOON
    assert parameters.at(MultiDict({"at": text})) == NOON


@pytest.mark.parametrize("text", ["2026-01-02T12Z", "20260102t12z"])
def test_a_moment_of_an_hour(text: str) -> None:
    assert moment(text) == NOON.replace(minute=0)


def test_a_moment_to_the_microsecond() -> None:
    assert moment("20260102T123045.123456Z") == NOON.replace(second=45, microsecond=123_456)


@pytest.mark.parametrize(
    "text",
    ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60-23:59", "9" * 11],
)
def test_moments_at_the_ends_of_time_are_some(text: str) -> None:
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-02", "-5", "1e3", "2026-0102T12:30Z", "202601-02T12:30Z"),
        *("2026-01-02T12:3000Z", "2026-01-02T1230:00Z", "2026-W01-5T12:30Z", "2026-01-02T12:30Z\n"),
    ],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid moment"):
        moment(text)


@pytest.mark.parametrize("text", ["2026-01-02T12:30:00", "2026-01-02 12:30", "20260102T12"])
def test_a_moment_without_its_zone(text: str) -> None:
    with pytest.raises(ValueError, match=f"its zone is missing, as in {text}Z for UTC"):
        moment(text)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"age": "5m"}, "There is no parameter 'age'. Did you mean 'age>=5m'? Allowed: "),
        ({"age>5m": ""}, "There is no parameter 'age>5m'. Did you mean 'age>=5m'? Allowed: "),
        ({"path": ["a/jobs"]}, "path is 'a/jobs': cannot be a board's path: it must be absolute"),
        ({"since": "2026-01-02T12:30"}, "since is '2026-01-02T12:30': its zone is missing"),
    ],
)
def test_what_is_asked_wrongly_says_what_is_meant(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Query.model_validate(asked)


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


LISTS = (JobsQuery, ChangesQuery, GapsQuery, BoardsQuery, ConductorsQuery, StatsQuery)


def sorts_of(asked: type[ListQuery]) -> tuple[str, ...]:
    return get_args(asked.model_fields["sort"].annotation)


def cursor_of(told: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**63 + 2)
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "moment", "value", "2026-01-01T00:00:00Z", "\x00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(LISTS), st.data(), st.sampled_from(["moment", "value"]) | ANYTHING, ANYTHING,
    ANYTHING,
)  # fmt: skip
def test_a_forged_cursor_is_refused_or_is_such_as_an_answer_tells(
    asked: type[ListQuery], data: st.DataObject, kind: object, value: object, identity: object
) -> None:
    query = asked.model_validate({"sort": data.draw(st.sampled_from(sorts_of(asked)))})
    mine = json.loads(base64.urlsafe_b64decode(query.cursor_behind(Place(None, "x"))))[0]
    cursor = cursor_of([mine, kind, value, identity])
    again = asked.model_validate({"sort": query.sort, "cursor": cursor})
    try:
        place = again.after
    except UsageError:
        return
    assert place is not None
    assert BSON.encode({"value": place.value, "_id": place.identity})
    assert again.cursor_behind(place) == cursor


@pytest.mark.parametrize(
    ("sort", "kind", "value", "identity"),
    [
        ("-posted_at", "value", 5, "x"),
        ("-posted_at", "value", "2026-01-01T00:00:00Z", "x"),
        ("-posted_at", "moment", 2**63, "x"),
        ("-posted_at", "moment", True, "x"),
        ("-posted_at", "moment", 1.5, "x"),
        ("name", "value", 5, "x"),
        ("name", "value", "\ud800", "x"),
        ("name", "value", ["a"], "x"),
        ("name", "value", "a", "\ud800"),
        ("name", "value", "a", 5),
        ("name", "value", "a", None),
        ("name", "moment", 5, "x"),
        ("name", "value", float("nan"), "x"),
        ("name", "value", True, "x"),
    ],
)
def test_cursors_of_no_answer(sort: str, kind: str, value: object, identity: object) -> None:
    query = JobsQuery.model_validate({"sort": sort})
    mine = json.loads(base64.urlsafe_b64decode(query.cursor_behind(Place(None, "x"))))[0]
    cursor = cursor_of([mine, kind, value, identity])
    with pytest.raises(UsageError, match="cursor is"):
        _ = JobsQuery.model_validate({"sort": sort, "cursor": cursor}).after


@pytest.mark.parametrize("told", [b"[" * 5_900, b"{" * 99, b"1e999", b"[]", b"[1,2,3,4,5]", b""])
def test_cursors_that_are_no_lists_of_four(told: bytes) -> None:
    cursor = base64.urlsafe_b64encode(told).decode()
    with pytest.raises(UsageError, match="cursor is"):
        _ = Sorted.model_validate({"cursor": cursor}).after


NO_NUMBERS = (
    *(
        "1_0",
        "+5",
        " 5",
        "5 ",
        "\u0665",
        "\uff11",
        "1e3",
        "0x10",
        "5.0",
        "-0",
        "",
        "1" * 5_000,
        "nan",
        "inf",
    ),
    *("5\n", "²"),
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(UsageError, match=r"limit is .*a whole number from 1 to 1000"):
        JobsQuery.model_validate({"limit": text})
    with pytest.raises(UsageError, match="steps is"):
        SeriesQuery.model_validate({"steps": text})
    with pytest.raises(UsageError, match="interval is"):
        parameters.interval(MultiDict({"interval": text}), 5)
    with pytest.raises(argparse.ArgumentTypeError):
        listing._limit(text)


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.", ".5", "5w", "5ms", "5M"])
def test_what_is_no_duration_and_no_moment(text: str) -> None:
    if text != "5.0":
        for name in ("age>", "waiting>!", "running>"):
            with pytest.raises(UsageError, match=f"{name} is"):
                Query.model_validate({name: text})
        with pytest.raises(UsageError, match="window is"):
            StatsQuery.model_validate({"window": text})
        with pytest.raises(UsageError, match="since is"):
            Query.model_validate({"since": text})
        with pytest.raises(UsageError, match="at is"):
            parameters.at(MultiDict({"at": text}))


@pytest.mark.parametrize(
    "text", ["2026-01-02x12:30Z", "2026-01-02٣12:30Z", "٢026-01-02T12:30Z", "2026-W01-1T12:30Z"]
)
def test_a_moment_of_v1_is_written_as_one(text: str) -> None:
    with pytest.raises(UsageError, match="at is"):
        parameters.at(MultiDict({"at": text}))


@given(st.dictionaries(
    st.sampled_from([field.alias or name for name, field in JobsQuery.model_fields.items()])
    | st.text(),
    st.text() | st.lists(st.text(), max_size=3),
    max_size=4,
))  # fmt: skip
def test_any_query_is_one_or_refused(words: dict[str, str | list[str]]) -> None:
    with contextlib.suppress(UsageError):
        asked = JobsQuery.model_validate(words)
        assert isinstance(asked.order, Sort)
        assert 0 < asked.size <= 1_000
        assert asked.after is None or "cursor" in words
        assert {each.field for each in asked.filters} <= set(Field)


REPEATED = ("limit", "cursor", "sort", "format", "age>", "waiting>!", "since", "until", "q", "q!")


@pytest.mark.parametrize("name", REPEATED)
def test_what_has_one_value_is_there_once(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} is given 2 times: '1', '2'. Allowed: once"):
        JobsQuery.check_repeated(MultiDict([(name, "1"), (name, "2")]))
    JobsQuery.check_repeated(MultiDict([(name, "1"), ("owner", "a"), ("owner", "b")]))


@pytest.mark.parametrize("name", ["path", "at", "interval"])
def test_a_parameter_of_v1_is_there_once(name: str) -> None:
    twice = MultiDict([(name, "/a"), (name, "/b")])
    asking: dict[str, Callable[[], object]] = {
        "path": lambda: parameters.optional_path(twice),
        "at": lambda: parameters.at(twice),
        "interval": lambda: parameters.interval(twice, 5),
    }
    with pytest.raises(UsageError, match=f"{name} is given 2 times"):
        asking[name]()


def test_order() -> None:
    assert Sorted.model_validate({}).order == Sort("posted_at", descending=True)
    assert Sorted.model_validate({"sort": "name"}).order == Sort("name")


def test_an_unknown_parameter_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'running>=1s'\?"):
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
        (conductor_schemas.FreshnessName, Freshness),
        (schemas.ReasonName, Reason),
    ],
)
def test_what_is_described_is_what_there_is(described: object, there: type[StrEnum]) -> None:
    assert set(get_args(described)) == {each.value for each in there}
