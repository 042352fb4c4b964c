"""Edits that are written in one transaction with the posting of their job, on a real MongoDB."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from canary.model.changes import Change, Edit, Kind
from canary.model.freshness import Freshness
from canary.model.jobs import Edition
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.server import representation
from canary.stores.mongo.documents import Document
from canary.stores.queries.jobs_at import Queries
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.take import LiveStore

PATH = "/edited/jobs"
LONG = timedelta(hours=1)
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


@pytest.fixture
def board(connected: Database[Document]) -> LiveBoard:
    return LiveStore(connected, "worker-1@here:1").take(PATH, 7, lambda: True, START)


def moment(second: int) -> datetime:
    return START + timedelta(seconds=second)


def raw(number: int, retries: int) -> bytes:
    content = {"uuid": f"u-{number}", "name": "n", "details": {"retries": retries}}
    return json.dumps(content).encode()


def posted(number: int, data: bytes) -> Change:
    payload = decode(data)
    return Change(
        Kind.MALFORMED if payload.malformed else Kind.POSTED,
        f"job{number:010d}",
        7,
        number + 1000,
        payload.uuid,
        moment(0),
        moment(0),
        1,
        payload=payload,
    )


def edited(number: int, data: bytes, version: int, *, is_first: bool = False) -> Change:
    at = moment(version)
    edition = Edition(version, 5000 + version, at)
    return replace(
        posted(number, data),
        kind=Kind.EDITED,
        creates=0,
        at=at,
        seen_at=at,
        edit=Edit(edition, 1, of_lock=False, is_first=is_first, uuid=f"u-{number}", owner=None),
    )


def write(board: LiveBoard, *changes: Change) -> None:
    step = Step(BoardState(seen_at=changes[-1].seen_at), changes, ())
    board.write([step], Freshness.LIVE, changes[-1].seen_at)


def edits(database: Database[Document]) -> list[dict[str, Any]]:
    query = {"board": PATH, "kind": "edited"}
    return [each["edit"] for each in database.changes.find(query).sort("revision", 1)]


def retries(payload: Document) -> int:
    told: int = json.loads(payload["text"])["details"]["retries"]
    return told


def test_what_a_job_was_posted_with_was_there_before_its_first_edit(
    board: LiveBoard, database: Database[Document]
) -> None:
    write(board, posted(1, raw(1, 3)), edited(1, raw(1, 4), 10), edited(1, raw(1, 5), 20))
    found = edits(database)
    assert [retries(each["before"]["payload"]) for each in found] == [3, 4]
    assert [each["changed"] for each in found] == [
        [{"field": "details.retries", "before": "3", "after": "4"}],
        [{"field": "details.retries", "before": "4", "after": "5"}],
    ]
    queries = Queries(database, timedelta(days=1))
    for second, expected in ((5, 3), (15, 4), (None, 5)):
        with queries.jobs(PATH, LONG, None if second is None else moment(second)) as jobs:
            assert jobs is not None
            [job] = [representation.job(PATH, each) for each in jobs.jobs]
        assert job["_details"]["retries"] == expected, second


def test_each_job_has_its_own_and_who_is_stored_already_keeps_it(
    board: LiveBoard, database: Database[Document]
) -> None:
    write(board, posted(1, raw(1, 1)))
    write(
        board,
        posted(2, raw(2, 2)),
        edited(1, raw(1, 10), 10),
        posted(3, b"no JSON"),
        edited(2, raw(2, 20), 11),
        edited(3, raw(3, 30), 12),
    )
    first, second, third = (each["before"]["payload"] for each in edits(database))
    assert (retries(first), retries(second)) == (1, 2)
    assert (third["malformed"], third["text"]) == (decode(b"no JSON").malformed, None)


def test_what_is_posted_anew_is_before_the_edits_after_it_alone(
    board: LiveBoard, database: Database[Document]
) -> None:
    """As in an ensemble that was restored and gave a zxid out again."""
    write(board, posted(1, raw(1, 1)))
    write(board, edited(1, raw(1, 2), 10), posted(1, raw(1, 7)), edited(1, raw(1, 8), 20))
    assert [retries(each["before"]["payload"]) for each in edits(database)] == [1, 7]


def test_what_was_edited_before_it_was_read_has_nothing_before(
    board: LiveBoard, database: Database[Document]
) -> None:
    write(board, posted(1, b""), edited(1, raw(1, 2), 10, is_first=True), edited(1, raw(1, 3), 20))
    first, second = edits(database)
    assert first["before"] is None
    assert retries(second["before"]["payload"]) == 2
