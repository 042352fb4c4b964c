"""What a hand sets anew: how it is told, and in what two payloads differ."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cli import edits as cli
from canary.model.changes import Change, Edit, Kind
from canary.model.editing import (
    CUT,
    MAX_DIFFERENCES,
    MAX_SHOWN,
    Difference,
    differences,
    edited,
    edits_of,
)
from canary.model.jobs import Edition, Job, Lock
from canary.model.observations import JobRead, LockRead
from canary.model.payload.payload import decode

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOARD = 7


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def data(uuid: str = "u-1", name: str = "build") -> bytes:
    return json.dumps({"uuid": uuid, "name": name}).encode()


JOB = Job("job0000000001", 10, "u-1", "build", at(0), at(0.1))
LOCK = Lock(20, "ann", 5, at(2))
CLAIMED = replace(JOB, lock=LOCK)


def read(raw: bytes = b"", edition: Edition | None = None) -> JobRead:
    return JobRead(10, at(0), decode(raw), edition=edition)


def told(job: Job, known: Job | None, read: Any = None, lock: Any = None) -> list[Change]:
    return list(edits_of(job, known, read, lock, BOARD, at(9)))


def test_what_was_not_set_anew_is_no_edit() -> None:
    assert told(JOB, JOB, read(data())) == []
    once = Edition(1, 30, at(3))
    known = replace(JOB, edition=once)
    assert told(known, known, read(data(), once)) == []


def test_an_edit_says_how_many_it_stands_for_and_when_the_last_one_was() -> None:
    known = replace(JOB, edition=Edition(1, 30, at(3)))
    [change] = told(known, known, read(data("u-2", "built"), Edition(4, 40, at(4))))
    assert (change.kind, change.at, change.seen_at) == (Kind.EDITED, at(4), at(9))
    assert change.edit is not None
    assert (change.edit.edits, change.edit.is_first) == (3, False)
    assert (change.edit.uuid, change.uuid) == ("u-1", "u-2")
    assert (change.creates, change.deletes) == (0, 0)
    after = edited(known, change)
    assert (after.uuid, after.job_name) == ("u-2", "built")
    assert after.edition == Edition(4, 40, at(4))
    assert after.written_at == 40


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", data()[:-1]])
def test_a_job_that_was_made_malformed_is_who_it_was(raw: bytes) -> None:
    [change] = told(JOB, JOB, read(raw, Edition(1, 30, at(3))))
    after = edited(JOB, change)
    assert (change.uuid, after.uuid, after.job_name) == ("u-1", "u-1", "build")
    assert change.payload is not None
    assert change.payload.malformed is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Edition(3, 50, at(5)), Edition(2, 40, at(4))),
        (Edition(3, 50, at(5)), None),
        (Edition(2, 50, at(5)), Edition(3, 40, at(4))),
        (Edition(2, 50, at(5)), Edition(2, 50, at(6))),
        (Edition(2, 50, at(5)), Edition(2, 60, at(6))),
        (Edition(2, 50, at(5)), Edition(3, 50, at(6))),
    ],
)
def test_of_a_restored_ensemble_nobody_can_tell_how_many(
    before: Edition, after: Edition | None
) -> None:
    known = replace(JOB, edition=before)
    [change] = told(known, known, read(data(), after))
    assert change.edit is not None
    assert change.edit.edits is None
    assert change.at == (after.at if after else None)
    assert edited(known, change).edition == after


def test_what_was_edited_before_it_was_first_read_says_so() -> None:
    for known in (None, replace(JOB, czxid=9), replace(JOB, at=at(1))):
        [change] = told(JOB, known, read(data(), Edition(2, 30, at(3))))
        assert change.edit is not None
        assert (change.edit.is_first, change.edit.edits) == (True, 2)


def test_an_edited_lock_has_another_owner() -> None:
    edition = Edition(1, 40, at(4))
    [change] = told(CLAIMED, CLAIMED, read(data()), LockRead(20, at(2), 5, "eve", edition))
    assert change.edit is not None
    assert change.edit.of_lock
    assert (change.edit.owner, change.owner, change.session) == ("ann", "eve", 5)
    after = edited(CLAIMED, change)
    assert after.lock == replace(LOCK, owner="eve", edition=edition)
    assert after.edition is None


def test_another_lock_and_another_job_are_no_edits() -> None:
    edition = Edition(1, 40, at(4))
    assert told(CLAIMED, CLAIMED, None, LockRead(21, at(2), 5, "eve", edition)) == []
    assert told(JOB, JOB, JobRead(11, at(0), decode(data()), edition=edition)) == []
    assert told(JOB, JOB, None, LockRead(20, at(2), 5, "eve", edition)) == []


def test_who_claimed_it_after_the_edit_did_not_hold_it_then() -> None:
    early, late = Edition(1, 15, at(1)), Edition(1, 25, at(3))
    [change] = told(CLAIMED, JOB, read(data(), early))
    assert (change.owner, change.lock_czxid) == (None, None)
    for edition in (late, Edition(1, 20, at(2))):  # also where one transaction did both
        [change] = told(CLAIMED, JOB, read(data(), edition))
        assert (change.owner, change.lock_czxid) == ("ann", 20)
    [change] = told(CLAIMED, CLAIMED, read(data(), early))
    assert (change.owner, change.lock_czxid) == ("ann", 20), "who is known to hold it does"


def test_all_that_is_told_of_a_job_s_edit() -> None:
    edition = Edition(1, 25, at(3))
    [change] = told(CLAIMED, CLAIMED, read(data("u-2"), edition))
    assert change == Change(
        *(Kind.EDITED, JOB.name, BOARD, 10, "u-2", at(3), at(9)),
        owner="ann",
        session=5,
        lock_czxid=20,
        payload=decode(data("u-2")),
        made_at=JOB.made_at,
        edit=Edit(edition, 1, of_lock=False, is_first=False, uuid="u-1", owner="ann"),
    )


def test_all_that_is_told_of_a_claim_s_edit() -> None:
    edition = Edition(2, 40, at(4))
    [change] = told(CLAIMED, CLAIMED, None, LockRead(20, at(2), 5, "eve", edition))
    assert change == Change(
        *(Kind.EDITED, JOB.name, BOARD, 10, "u-1", at(4), at(9)),
        owner="eve",
        session=5,
        lock_czxid=20,
        made_at=JOB.made_at,
        edit=Edit(edition, 2, of_lock=True, is_first=False, uuid="u-1", owner="ann"),
    )


def test_a_claim_s_edit_after_the_job_s_is_of_the_job_as_it_is_then() -> None:
    lock = LockRead(20, at(2), 5, "eve", Edition(1, 40, at(4)))
    first, second = told(CLAIMED, CLAIMED, read(data("u-2"), Edition(1, 30, at(3))), lock)
    assert (first.uuid, second.uuid) == ("u-2", "u-2")
    assert second.edit is not None
    assert second.edit.uuid == "u-2"
    _, second = told(CLAIMED, CLAIMED, read(b"{", Edition(1, 30, at(3))), lock)
    assert second.uuid == "u-1", "of what is malformed now it is not known"


def test_a_claim_that_was_edited_before_it_was_first_read_says_so() -> None:
    lock = LockRead(20, at(2), 5, "eve", Edition(1, 40, at(4)))
    for known, is_first in ((CLAIMED, False), (JOB, True), (None, True)):
        [change] = told(CLAIMED, known, None, lock)
        assert change.edit is not None
        assert change.edit.is_first is is_first


def test_what_an_acl_hides_keeps_its_names() -> None:
    [change] = told(JOB, JOB, JobRead(10, at(0), None, edition=Edition(1, 30, at(3))))
    assert (change.payload, change.uuid) == (None, "u-1")
    assert edited(JOB, change) == replace(JOB, edition=Edition(1, 30, at(3)))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), TREES, max_size=5)


@given(OBJECTS, OBJECTS)
def test_payloads_differ_where_they_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = differences(json.dumps(before), json.dumps(after))
    told = [json.dumps(each, sort_keys=True) for each in (before, after)]
    assert bool(found) == (told[0] != told[1])
    assert len(found) <= MAX_DIFFERENCES
    assert all(each.before is not None or each.after is not None for each in found)
    assert differences(json.dumps(after), json.dumps(before)) == [] or found


def test_differences_are_told_by_their_place() -> None:
    before = {"priority": "NORMAL", "details": {"retries": 3, "gone": None, "same": [1]}}
    after = {"priority": "HIGH", "details": {"retries": 3, "new": [2], "same": [1]}}
    assert differences(json.dumps(before), json.dumps(after)) == [
        Difference("priority", '"NORMAL"', '"HIGH"'),
        Difference("details.gone", "null", None),
        Difference("details.new", None, "[2]"),
    ]
    assert differences(None, json.dumps(after)) == differences(json.dumps(after), None) == []


def test_a_number_is_no_boolean() -> None:
    [one] = differences('{"a": 1, "b": 0.0}', '{"a": true, "b": 0}')
    assert (one.field, one.before, one.after) == ("a", "1", "true")
    [two] = differences('{"a": [{"b": false}]}', '{"a": [{"b": 0}]}')
    assert (two.field, two.before, two.after) == ("a", '[{"b": false}]', '[{"b": 0}]')


def test_differences_are_bounded() -> None:
    before = {f"key-{number}": 0 for number in range(MAX_DIFFERENCES + 5)}
    assert len(differences(json.dumps(before), "{}")) == MAX_DIFFERENCES
    [found] = differences('{"a": ""}', json.dumps({"a": "x" * 1_000}))
    assert found.after is not None
    assert (len(found.after), found.after[-1]) == (MAX_SHOWN, CUT)
    longest = "x" * (MAX_SHOWN - 2)  # and its quotes
    assert differences('""', json.dumps(longest)) == [Difference("", '""', f'"{longest}"')]


def edit(**values: Any) -> dict[str, Any]:
    side = {"uuid": "u", "name": "n", "owner": None, "malformed": None}
    return {"of": "job", "edits": 1, "before": side, "after": side, "changed": [], **values}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, []),
        ("garbage", []),
        (edit(), ["the job's data", "no difference in the part that Canary stores"]),
        (
            edit(edits=3, changed=[{"field": "priority", "before": '"LOW"', "after": None}]),
            ["the job's data", "3 edits", 'priority: "LOW" -> nothing'],
        ),
        (
            edit(edits=None, before=None),
            ["the job's data", "an unknown number of edits", "the previous content is not known"],
        ),
        (edit(after={"malformed": "empty"}), ["the job's data", "now malformed: empty"]),
        (
            edit(of="lock", changed=[{"field": "owner", "before": '"a"', "after": '"b\x1b"'}] * 5),
            ["the claim's lock", *['owner: "a" -> "b\\x1b"'] * 3, "and 2 more"],
        ),
    ],
)
def test_an_edit_in_words(value: Any, words: list[str]) -> None:
    assert cli.words(value) == words
