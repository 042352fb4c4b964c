"""Damaged documents through every list: the answer is never a 500, and no document is missing.

The documents are a worker's own; then any of their fields are made null, taken out, or given a
value of another type.
"""

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, get_args

import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from flask.testing import FlaskClient
from pydantic import BaseModel
from pymongo.database import Database

from canary.config import Config
from canary.model.changes import Change, Kind
from canary.model.filters import Field, Filter
from canary.model.jobs import Outcome
from canary.server import representation
from canary.server.v2 import schemas
from canary.server.v2.changes import ChangesQuery
from canary.server.v2.gaps import GapsQuery
from canary.server.v2.jobs import JobsQuery
from canary.server.v2.query import ListQuery
from canary.stores.mongo.documents import Document
from canary.stores.queries import filtering
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.metrics import figures
from tests.integration.test_server import Registered, client_of
from tests.integration.written_board import (
    INCARNATION,
    WrittenBoard,
    abandoned,
    ago,
    claimed,
    ended,
    name_of,
    now,
    posted,
)

PATH = "/lbaas/jobs"
SEEDS = range(5)
LOGS = ("jobs", "changes", "gaps")
QUERIES: dict[str, type[ListQuery]] = {
    "jobs": JobsQuery,
    "changes": ChangesQuery,
    "gaps": GapsQuery,
}
ROWS: dict[str, type[BaseModel]] = {
    "jobs": schemas.Job,
    "changes": schemas.Change,
    "gaps": schemas.Gap,
}
FILTERS: dict[str, str] = {
    "path": PATH,
    "state": "CLAIMED",
    "outcome": "consumed",
    "owner": "ann",
    "name": "build 1",
    "uuid": "uuid-1",
    "age>": "10",
    "waiting>": "1",
    "running>": "1",
    "since": representation.iso(ago(3_000)),
    "until": representation.iso(now() + timedelta(days=1)),
    "q": "a",
}


ASKED = [
    Filter(field, values, negated)
    for field, values in (
        (Field.PATH, (PATH,)),
        (Field.STATE, ("CLAIMED",)),
        (Field.OUTCOME, ("consumed",)),
        (Field.OWNER, ("ann",)),
        (Field.NAME, ("build 1",)),
        (Field.UUID, ("uuid-1",)),
        (Field.KIND, ("claimed",)),
        (Field.AGE, (60.0,)),
        (Field.WAITING, (10.0,)),
        (Field.RUNNING, (10.0,)),
        (Field.SINCE, (ago(60),)),
        (Field.UNTIL, (ago(60),)),
        (Field.TEXT, ("ann",)),
    )
    for negated in (False, True)
]


def unread(number: int) -> Change:
    """A job that its ACL hides: neither its payload nor its znode's stat can be read."""
    return Change(Kind.POSTED, name_of(number), INCARNATION, None, None, None, ago(80), 1)


@pytest.fixture
def documents(database: Database[Document]) -> dict[str, list[Document]]:
    """What a worker wrote: jobs in every state, changes, gaps, a board, its conductors."""
    board = WrittenBoard(database, PATH, since=ago(500), watched_since=ago(500))
    board.beat()
    board.write(unread(1_000), unread(1_001))
    for number in range(1, 13):
        raw = b"\xff" if number % 5 == 0 else None
        moves = [posted(number, ago(100 - number), raw)]
        if number % 2:
            moves.append(claimed(number, ago(80 - number), None if number == 3 else "ann"))
        if number % 4 == 1:
            moves.append(abandoned(number, ago(50 - number)))
        if number % 3 == 0:
            outcome = Outcome.CONSUMED if number % 2 else Outcome.UNKNOWN
            moves.append(ended(number, ago(30 - number), outcome))
        board.write(*moves)
    board.gap(ago(90), ago(80), None, None)
    board.gap(ago(60), ago(50), 2, 1)
    database.conductors.insert_one(
        {
            "_id": PATH,
            "board": PATH,
            "seen_at": now(),
            "conductors": [
                {"name": "ann@h:1", "host": "h", "pid": 1, "since": ago(90), "session": 0x7001}
            ],
        }
    )
    return {
        name: list(database[name].find()) for name in (*LOGS, "boards", "conductors", "workers")
    }


@pytest.fixture
def queries(connected: Database[Document]) -> Queries:
    return Queries(connected, timedelta(days=7))


@pytest.fixture
def client(config: Config, queries: Queries) -> FlaskClient:
    registered = Registered()
    registered.paths.add(PATH)
    return client_of(config, queries, registered)


def damaged(chance: Random, document: Document, *spared: str) -> Document:
    """Return a document some of whose fields are null, or absent; so of those in its fields."""
    names = sorted(document.keys() - {"_id", *spared})
    found = dict(document)
    for name in chance.sample(names, chance.randint(0, len(names))):
        fate = chance.choice(["null", "gone", "in"])
        if fate == "null":
            found[name] = None
        elif fate == "gone":
            del found[name]
        elif isinstance(found[name], dict) and found[name]:
            found[name] = damaged(chance, found[name])
    return found


WRONG: tuple[Any, ...] = (
    *("text", 5, Int64(2**62), 2.5, 2.0, float("nan"), float("inf"), True, [], {}, {"a": {"b": 1}}),
    *([now()], ["text", 1, {}], [5, 7], now(), ObjectId(), b"bytes", Timestamp(9, 9)),
    Decimal128("1.5"),
)
#: Fields whose text is one of a few words: there any other text is a word of another version.
WORDS = frozenset({"outcome", "state", "state_before", "kind", "reason", "freshness"})


def kind_of(value: Any) -> type:
    """Return the type that MongoDB takes a value for."""
    return next(
        (each for each in (bool, int, float, str, datetime) if isinstance(value, each)), type(value)
    )


def other_than(name: str, value: Any) -> list[Any]:
    """Return values of other types than a field has."""
    spared = {kind_of(value), str if name in WORDS else kind_of(value)}
    return [each for each in WRONG if kind_of(each) not in spared]


def of_wrong_types(chance: Random, document: Document, *spared: str) -> Document:
    """Return a document some of whose fields are of another type; so of those in its fields."""
    names = sorted(document.keys() - {"_id", *spared})
    found = dict(document)
    has_list = False  # MongoDB does not index two of them
    for name in chance.sample(names, chance.randint(0, len(names) // 2)):
        inner = found[name]
        if isinstance(inner, dict) and inner and chance.random() < 0.5:
            found[name] = of_wrong_types(chance, inner)
        elif isinstance(inner, list) and inner and chance.random() < 0.5:
            found[name] = [
                of_wrong_types(chance, each) if isinstance(each, dict) else chance.choice(WRONG)
                for each in inner
            ]
        else:
            values = [
                each
                for each in other_than(name, inner)
                if not (has_list and isinstance(each, list))
            ]
            found[name] = chance.choice(values)
            has_list = has_list or isinstance(found[name], list)
    return found


OF_ALL = (
    *("/v2/boards", "/v2/conductors", "/v2/series?window=1h", "/v2/stats?group=name&window=1h"),
    *("/v1.0/conductor", f"/v1.0/jobs?path={PATH}", "/v2/canary"),
    f"/v1.0/jobs?path={PATH}&at={representation.iso(ago(10))}",
)


def put(database: Database[Document], documents: Mapping[str, list[Document]]) -> None:
    for name, made in documents.items():
        database[name].delete_many({})
        if made:
            database[name].insert_many(made)


def sorts_of(resource: str) -> list[str]:
    return list(get_args(QUERIES[resource].model_fields["sort"].annotation))


def rows_of(client: FlaskClient, resource: str, **query: Any) -> list[dict[str, Any]]:
    """Return all rows, page by page."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": 5, **query} | ({"cursor": cursor} if cursor else {})
        answer = client.get(f"/v2/{resource}", query_string=asked)
        assert answer.status_code == 200, (resource, asked, answer.text)
        rows += answer.json[resource]  # type: ignore[index]
        cursor = answer.json["next"]  # type: ignore[index]
    return rows


def check_all(client: FlaskClient, database: Database[Document], counts: Mapping[str, int]) -> None:
    """Ask for everything there is, in every form; nothing is missing, nothing comes twice."""
    for resource in LOGS:
        for sort in sorts_of(resource):
            rows = rows_of(client, resource, sort=sort)
            assert len(rows) == counts[resource], (resource, sort)
            for row in rows:
                ROWS[resource].model_validate({**row, **_of_known_words(row)})
            if resource == "jobs":
                identities = [(row["path"], row["znode"]) for row in rows]
                assert len(set(identities)) == len(rows), sort
        told = client.get(f"/v2/{resource}?format=jsonl").text.splitlines()
        assert len([json.loads(line) for line in told]) == counts[resource]
        cells = list(csv.reader(io.StringIO(client.get(f"/v2/{resource}?format=csv").text)))
        assert len(cells) == counts[resource] + 1
        for name, value in FILTERS.items():
            both = [
                len(rows_of(client, resource, **{asked: value, "limit": 1_000}))
                for asked in (name, f"{name}!")
            ]
            assert sum(both) == counts[resource], (resource, name)
    for path in (
        *("/v2/boards", "/v2/conductors", "/v2/canary", "/v2/series?window=1h", "/metrics"),
        *(f"/v2/stats?group={group}&window=1h" for group in ("path", "name", "owner")),
        *(f"/v2/{name}?format={form}" for name in ("boards", "conductors", "stats", "series")
          for form in ("csv", "jsonl")),
        *("/v1.0/conductor", f"/v1.0/conductor?path={PATH}", f"/v1.0/jobs?path={PATH}"),
        *(f"/v1.0/jobs?path={PATH}&at={representation.iso(ago(age))}" for age in (10, 60)),
        *("/v2/jobs/uuid-1", "/v2/jobs/uuid-3"),
        *(f"/v2/jobs/{name_of(number)}?path={PATH}" for number in (1, 2, 3, 5, 1_000)),
    ):  # fmt: skip
        assert client.get(path).status_code in {200, 404}, path
    assert len(figures(database, 10).boards) <= 1


def _of_known_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Stand for a word that was lost with its field: kinds and reasons have no other."""
    return {
        name: word for name, word in (("kind", "posted"), ("reason", "late")) if row.get(name) == ""
    }


def test_a_job_without_a_payload_is_in_every_list(
    database: Database[Document], documents: dict[str, list[Document]], client: FlaskClient
) -> None:
    assert database.jobs.count_documents({"payload": None}) == 2
    rows = rows_of(client, "jobs", path=PATH)
    assert len(rows) == len(documents["jobs"])
    hidden = [row for row in rows if row["znode"] == name_of(1_000)]
    assert [(row["uuid"], row["name"], row["malformed"]) for row in hidden] == [(None, None, None)]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_document_lacks_it_is_told_once(
    database: Database[Document],
    documents: dict[str, list[Document]],
    client: FlaskClient,
    seed: int,
) -> None:
    chance = Random(seed)
    made = {
        name: [damaged(chance, document) for document in found] for name, found in documents.items()
    }
    put(database, made)
    check_all(client, database, {name: len(found) for name, found in made.items()})


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_of_another_type_the_document_is_told_once(
    database: Database[Document],
    documents: dict[str, list[Document]],
    client: FlaskClient,
    seed: int,
) -> None:
    chance = Random(seed)
    made = {
        name: [of_wrong_types(chance, document, "registered") for document in found]
        for name, found in documents.items()
    }
    put(database, made)
    check_all(client, database, {name: len(found) for name, found in made.items()})


@pytest.mark.parametrize("resource", ["jobs", "changes", "gaps", "boards", "conductors"])
def test_each_field_of_another_type_by_itself(
    database: Database[Document],
    documents: dict[str, list[Document]],
    client: FlaskClient,
    resource: str,
) -> None:
    found = documents[resource]
    for name in sorted({name for each in found for name in each} - {"_id", "registered"}):
        if resource in LOGS:
            kept = next((each[name] for each in found if each.get(name) is not None), None)
            values = other_than(name, kept)
            made = [
                {**each, name: values[number % len(values)]} for number, each in enumerate(found)
            ]
            put(database, {resource: [*made[: len(values)], *found[len(values) :]]})
            rows = rows_of(client, resource, limit=4)
            assert len(rows) == len(found), name
            for row in rows:
                ROWS[resource].model_validate({**row, **_of_known_words(row)})
        else:
            put(database, {resource: [{**found[0], name: Random(name).choice(WRONG)}]})
        for path in OF_ALL:
            assert client.get(path).status_code == 200, (name, path)
        assert client.get("/v2/jobs/uuid-1").status_code in {200, 404}, name
        assert len(figures(database, 10).boards) <= 1
    put(database, {resource: found})


@pytest.mark.parametrize("sort", [(name, sort) for name in LOGS for sort in sorts_of(name)])
def test_pages_go_on_behind_whatever_a_list_is_sorted_by(
    database: Database[Document],
    documents: dict[str, list[Document]],
    client: FlaskClient,
    sort: tuple[str, str],
) -> None:
    resource, by = sort
    name = by.removeprefix("-")
    name = QUERIES[resource].sorted_by.get(name, name)
    identities = [5, 2.5, True, {"a": 1}, now(), ObjectId(), b"bytes", Timestamp(9, 9), ""]
    found = documents[resource] * 3
    kept = next((each[name] for each in found if each.get(name) is not None), None)
    others = other_than(name, kept)
    made = [
        {**each, "_id": f"{PATH}#{number}", name: value}
        for number, (each, value) in enumerate(zip(found, [*others, None, kept], strict=False))
    ] + [
        {**each, "_id": identity, "revision": -number} | ({"job": number} if "job" in each else {})
        for number, (each, identity) in enumerate(zip(found, identities, strict=False))
    ]
    put(database, {resource: made})
    whole = rows_of(client, resource, sort=by, limit=1_000)
    assert len(whole) == len(made)
    for limit in (1, 3):
        rows = rows_of(client, resource, sort=by, limit=limit)
        assert [_lasting(row) for row in rows] == [_lasting(row) for row in whole]


def _lasting(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a row does not change while the clock goes on."""
    return {key: row[key] for key in row if key not in {"age", "waiting", "running"}}


def test_each_field_by_itself(
    database: Database[Document], documents: dict[str, list[Document]], client: FlaskClient
) -> None:
    for resource in LOGS:
        found = documents[resource]
        for name in sorted({name for each in found for name in each} - {"_id"}):
            nulls = [{**each, name: None} for each in found[::2]]
            gone = [{key: each[key] for key in each if key != name} for each in found[1::2]]
            put(database, {resource: [*nulls, *gone]})
            rows = rows_of(client, resource, limit=8)
            assert len(rows) == len(found), name
            lines = client.get(f"/v2/{resource}?format=jsonl").text.splitlines()
            assert len(lines) == len(found), name


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_streamed_of_a_change_without_what_may_be_null_is_what_is_listed(
    database: Database[Document],
    documents: dict[str, list[Document]],
    client: FlaskClient,
    seed: int,
) -> None:
    always = ("board", "revision", "kind", "name", "seen_at", "creates", "deletes", "epoch")
    chance = Random(seed)
    made = [damaged(chance, change, *always) for change in documents["changes"]]
    put(database, {"changes": made})
    listed = {row["revision"]: row for row in rows_of(client, "changes")}
    at = now()
    for change in made:
        assert representation.change(change) == listed[change["revision"]]
    for asked in ASKED:
        filters = frozenset({asked})
        found = database.changes.find(filtering.changes(filters, at), {"revision": 1})
        told = [each for each in made if filtering.matches(each, filters, at)]
        assert {each["revision"] for each in told} == {each["revision"] for each in found}, asked
