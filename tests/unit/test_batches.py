"""What one transaction may hold."""

from dataclasses import replace
from datetime import UTC, datetime

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.changes import Change, Gap, Kind, Reason, node_change
from canary.model.freshness import Freshness
from canary.model.observations import Stat
from canary.model.payload.payload import decode
from canary.model.state import BoardState, Step
from canary.stores.writing import batches
from canary.stores.writing.batches import (
    BATCH_BYTES,
    BATCH_CHANGES,
    Batch,
    Told,
    board_update,
    node_writes,
)
from canary.stores.writing.change_log import entries

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATE = BoardState(stat=Stat(7, 9, 5, 5), seen_at=NOW)
GAP = Gap(NOW, NOW, Reason.COALESCED, 1, 1)


def posted(number: int, raw: bytes = b'{"uuid": "u", "name": "n"}', incarnation: int = 7) -> Change:
    payload = decode(raw)
    return Change(
        Kind.POSTED,
        f"job{number:010d}",
        incarnation,
        number,
        payload.uuid,
        NOW,
        NOW,
        1,
        payload=payload,
    )


def ended(number: int, incarnation: int = 7) -> Change:
    return replace(
        posted(number, incarnation=incarnation),
        kind=Kind.CONSUMED,
        creates=0,
        deletes=2,
        payload=None,
    )


def node(kind: Kind, name: str) -> Change:
    return node_change(kind, name, 7, NOW)


def test_steps_are_cut_in_order_and_only_the_last_batch_closes() -> None:
    changes = tuple(map(posted, range(2 * BATCH_CHANGES + 1)))
    steps = [Step(BoardState(), changes[:700], (GAP,)), Step(STATE, changes[700:], (GAP,))]
    parts = list(batches.batches(steps))
    assert [len(part.changes) for part in parts] == [BATCH_CHANGES, BATCH_CHANGES, 1]
    assert tuple(change for part in parts for change in part.changes) == changes
    assert [part.gaps for part in parts] == [(), (), (GAP, GAP)]
    assert [part.closing for part in parts] == [None, None, STATE]


def test_a_step_without_changes_is_a_batch_too() -> None:
    assert list(batches.batches([Step(STATE, (), (GAP,))])) == [Batch((), (GAP,), STATE)]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"uuid": "u", "name": "n", "a": ["%s"]}' % (b'", "'.join([b"x" * 8_000] * 7)),
        b'{"uuid": "%s", "name": "%s"}' % (("\N{BIRD}" * 1024).encode(), b"\\ud800" * 1024),
        b"\xff" * 10_000,
        b'{"uuid": "u", "name": "n"}',
    ],
)
@pytest.mark.parametrize("prefix", ["job", "job" + "\N{BIRD}" * 2_000])
def test_a_batch_weighs_no_more_than_it_may(raw: bytes, prefix: str) -> None:
    one = replace(posted(1, raw), owner="\N{BIRD}" * 1024)
    changes = [replace(one, name=f"{prefix}{number}") for number in range(1_500)]
    parts = list(batches.batches([Step(STATE, tuple(changes), ())]))
    for part in parts:
        numbered = list(enumerate(part.changes, 1))
        made = entries("/lbaas/jobs", 7, numbered, {})
        documents = [*made.log, *made.whole.values()]
        weight = sum(len(bson.encode(document)) for document in documents)
        assert weight <= BATCH_BYTES
    full = parts[0]
    assert len(full.changes) == BATCH_CHANGES or len(full.changes) > 5


def test_a_change_that_is_too_large_alone_is_a_batch_alone() -> None:
    changes = (posted(1), replace(posted(2), name="x" * BATCH_BYTES), posted(3))
    parts = list(batches.batches([Step(STATE, changes, ())]))
    assert [len(part.changes) for part in parts] == [1, 1, 1]


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 5))
def test_smaller_keeps_every_change_and_what_closes(malformed: list[bool], limit: int) -> None:
    raws = [b"\xff" if bad else b'{"uuid": "u", "name": "n", "a": 1}' for bad in malformed]
    changes = tuple(posted(number, raw) for number, raw in enumerate(raws))
    waiting = list(batches.batches([Step(STATE, changes, (GAP,))], limit))
    done: list[Batch] = []
    while waiting:
        smaller = waiting[0].smaller()
        if smaller is None:
            done.append(waiting.pop(0))
        else:
            waiting[0:1] = smaller
    assert [change.czxid for part in done for change in part.changes] == list(range(len(changes)))
    assert all(len(part.changes) <= 1 for part in done)
    assert [part.closing for part in done] == [*[None] * (len(done) - 1), STATE]
    assert [part.gaps for part in done] == [*[()] * (len(done) - 1), (GAP,)]
    for part, bad in zip(done, malformed, strict=False):
        payload = part.changes[0].payload
        assert payload is not None
        assert payload.truncated
        assert payload.text == (None if bad else '{"uuid": "u", "name": "n"}')
        assert payload.excerpt is None
        assert payload.size == len(b"\xff" if bad else b'{"uuid": "u", "name": "n", "a": 1}')


def test_what_has_no_payload_can_not_be_made_smaller() -> None:
    assert Batch((ended(1),), (GAP,), STATE).smaller() is None
    assert Batch((), (GAP,), STATE).smaller() is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from((7, 11))), max_size=10))
def test_what_is_told_is_what_the_model_says(kinds: list[tuple[bool, int]]) -> None:
    kinds.sort(key=lambda kind: kind[1])
    state = replace(STATE, told_creates=2, told_deletes=1, told_incarnation=7)
    told = Told.of(state)
    for number, (is_end, incarnation) in enumerate(kinds):
        begun = posted(number, incarnation=incarnation)
        changes = (begun, ended(number, incarnation)) if is_end else (begun,)
        state = state.after(changes)
        for change in changes:
            told = told.after(Batch((change,), (), None))
        assert told == Told.of(state)
    assert told.after(Batch((), (), STATE)) == Told(7, 0, 0)


def test_an_open_account_leaves_the_stat() -> None:
    [update] = board_update(Batch((posted(1),), (), None), Told(7, 1, 0), Freshness.LIVE, NOW)
    assert not {"stat", "seen_at", "watched_since"} & update["$set"].keys()
    [update] = board_update(Batch((posted(1),), (), STATE), Told(7, 1, 0), Freshness.LIVE, NOW)
    assert update["$set"]["stat"]["$literal"]["czxid"] == 7


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab#$")), max_size=10))
def test_of_several_changes_of_a_node_the_last_one_is_written(
    created: list[tuple[bool, str]],
) -> None:
    kinds = {True: Kind.NODE_CREATED, False: Kind.NODE_DELETED}
    changes = [node(kinds[is_there], name) for is_there, name in created]
    last = {name: is_there for is_there, name in created}
    writes = {write._filter["_id"]: type(write).__name__ for write in node_writes("/x", changes)}
    assert writes == {
        f"/x/{name}": "ReplaceOne" if is_there else "DeleteOne" for name, is_there in last.items()
    }
