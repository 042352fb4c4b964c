"""The model's values as MongoDB's documents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from canary.model.changes import Change, Gap, Kind, Reason
from canary.model.conductors import Conductor
from canary.model.jobs import Outcome
from canary.model.names import job_id
from canary.model.observations import Stat
from canary.model.payload.payload import decode
from canary.model.state import BoardState, apply
from canary.stores.mongo.documents import (
    conductors_document,
    gap_document,
    job_from,
    node_document,
    stat_document,
    stat_from,
)
from canary.stores.writing.change_log import JobHistory, entries
from tests.integration.hand_watch import HandWatch, busy_history

BOARD = "/lbaas/jobs"
NOW = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
LONG = st.integers(-(2**63), 2**63 - 1)
INT = st.integers(-(2**31), 2**31 - 1)


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """Return what MongoDB gives back."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
    return bson.decode(bson.encode(document), options)


def posted(name: str = "job0000000001", czxid: int | None = 8) -> Change:
    payload = decode(b'{"uuid": "u", "name": "n"}')
    return Change(Kind.POSTED, name, 7, czxid, "u", NOW, NOW, 1, payload=payload)


def moved(kind: Kind, **fields: Any) -> Change:
    return replace(posted(), kind=kind, payload=None, creates=0, **fields)


CLAIMED = moved(Kind.CLAIMED, owner="ann", session=-5, lock_czxid=9)
ABANDONED = moved(Kind.ABANDONED, owner="ann", session=-5, lock_czxid=9)
CONSUMED = moved(Kind.CONSUMED, owner="ann", outcome=Outcome.CONSUMED, at=None)
REMOVED = moved(Kind.REMOVED, outcome=Outcome.REMOVED, at=None)


@given(LONG, LONG, INT, INT)
def test_a_stat_comes_back(czxid: int, pzxid: int, cversion: int, children: int) -> None:
    stat = Stat(czxid, pzxid, cversion, children)
    assert stat_from(stored({"stat": stat_document(stat)})["stat"]) == stat
    assert stat_from(stat_document(None)) is None


def fold(*parts: list[Change]) -> dict[str, Any]:
    """Write each part by itself, as MongoDB would; return the one job that is there then."""
    documents: dict[str, dict[str, Any]] = {}
    pasts: dict[str, JobHistory] = {}
    revision = 0
    for part in parts:
        numbered = list(enumerate(part, revision + 1))
        revision += len(part)
        made = entries(BOARD, 7, numbered, pasts)
        made.remember_in(pasts)
        documents |= made.whole
        for identity, values in made.fields.items():
            documents[identity] |= values
    [document] = documents.values()
    return stored(document)


@pytest.mark.parametrize("moves", [[CLAIMED], [CLAIMED, ABANDONED], [CLAIMED, ABANDONED, CLAIMED]])
def test_a_job_comes_back_however_its_changes_were_cut(moves: list[Change]) -> None:
    changes = [posted(), *moves]
    jobs: dict[str, Any] = {}
    for change in changes:
        apply(change, jobs, set())
    together = fold(changes)
    assert together == fold(*([change] for change in changes))
    assert job_from(together) == jobs["job0000000001"]
    assert together["state"] == jobs["job0000000001"].state.value
    assert together["revision"] == len(changes)


def test_who_has_a_job_is_who_claims_it_or_did_at_its_end() -> None:
    assert fold([posted(), CLAIMED])["owner"] == "ann"
    assert fold([posted(), CLAIMED, ABANDONED])["owner"] is None
    assert fold([posted(), CLAIMED, CONSUMED])["owner"] == "ann"
    assert fold([posted(), CLAIMED, ABANDONED, REMOVED])["owner"] is None


def test_a_job_s_end_is_kept_by_both_clocks() -> None:
    long_ago = NOW - timedelta(days=20_000)
    trashed = moved(Kind.TRASHED, outcome=Outcome.TRASHED, at=long_ago)
    job = fold([posted()], [trashed])
    assert (job["state"], job["lock"], job["outcome"]) == ("COMPLETE", None, "trashed")
    assert (job["ended_at"], job["ended_seen_at"]) == (long_ago, NOW)
    assert fold([posted(), REMOVED])["ended_at"] == NOW


def test_a_uuid_that_only_the_end_tells_is_kept() -> None:
    unread = replace(posted(czxid=None), uuid=None, payload=None)
    trashed = replace(moved(Kind.TRASHED, outcome=Outcome.TRASHED), czxid=None, uuid="late")
    assert fold([unread], [trashed])["uuid"] == "late"
    assert fold([unread], [replace(trashed, uuid=None)])["uuid"] is None


def test_all_that_happens_on_a_board_comes_back() -> None:
    history = busy_history()
    watch = HandWatch(history, Nowhere())  # type: ignore[arg-type]
    changes = list(watch.look().changes)
    history.consume(history.claimed()[0])
    history.post(b"\xff")
    changes += watch.look().changes
    made = entries(BOARD, 7, enumerate(changes, 1), {})
    assert made.fields == {}
    jobs = {job["name"]: job_from(stored(job)) for job in made.whole.values() if not job["outcome"]}
    assert jobs == dict(watch.state.jobs)
    for revision, (change, written) in enumerate(zip(changes, made.log, strict=True), 1):
        document = stored(written)
        assert document["revision"] == revision
        assert "payload" not in document
        is_node = change.kind in {Kind.NODE_CREATED, Kind.NODE_DELETED}
        identity = job_id(BOARD, change.czxid, change.incarnation, change.name, change.made_at)
        assert document["job"] == (None if is_node else identity)


class Nowhere:
    """A board that was taken in no store."""

    state, reason = BoardState(), Reason.HANDOVER


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), unique=True))
def test_gaps_have_identities_of_their_own(numbers: list[tuple[int, int]]) -> None:
    """By their write and their number in it, though they are of one interval."""
    gap = Gap(NOW, NOW + timedelta(seconds=1), Reason.RESTART, 1, None)
    documents = [stored(gap_document(BOARD, write, number, gap)) for write, number in numbers]
    assert len({document["_id"] for document in documents}) == len(numbers)
    assert documents == [stored(gap_document(BOARD, *each, gap)) for each in numbers]
    assert all(document["_id"].startswith(BOARD) for document in documents)


def test_nodes_of_different_boards_are_never_the_same() -> None:
    assert node_document("/a", "b#c")["_id"] != node_document("/a#b", "c")["_id"]


def test_conductors_are_kept_with_the_fence() -> None:
    conductors = [Conductor("a", None, None, NOW, -1), Conductor("b", "h", 2**63 - 1, NOW, 2)]
    document = stored(conductors_document(BOARD, 9, 4, conductors, NOW))
    assert (document["_id"], document["epoch"], document["takes"]) == (BOARD, 9, 4)
    assert [each["pid"] for each in document["conductors"]] == [None, 2**63 - 1]
