"""The demo's comparison tells every way in which Canary's record and the load's can differ."""

import json
from collections import Counter
from pathlib import Path

import pytest

from demo import ledger
from demo.doings import Doing, Unseen
from demo.ledger import ABANDONED, CLAIMED, CONSUMED, POSTED, TRASHED, Ledger, Record
from demo.report import Comparison, compare, latency_lines, percentile

BOARD = "/demo/x/jobs"
NOTHING = Unseen(0, 0, 0)


def record(kind: str, uuid: str, owner: str | None = None, result: str = ledger.DONE) -> Record:
    return Record(kind, uuid, owner, BOARD, "2026-01-01T00:00:00.000+00:00", result)


DONE = [
    record(POSTED, "a"),
    record(CLAIMED, "a", "one"),
    record(ABANDONED, "a", "one"),
    record(CLAIMED, "a", "two"),
    record(CONSUMED, "a", "two"),
]
SEEN = Counter(
    [
        Doing(POSTED, "a", None),
        Doing(CLAIMED, "a", "one"),
        Doing(ABANDONED, "a", None),
        Doing(CLAIMED, "a", "two"),
        Doing(CONSUMED, "a", None),
    ]
)


def text(comparison: Comparison) -> str:
    return "\n".join(comparison.lines())


def test_the_same_on_both_sides_agrees() -> None:
    comparison = compare(BOARD, DONE, SEEN, NOTHING)

    assert comparison.agrees
    assert "differs" not in text(comparison)
    assert text(comparison).splitlines()[3].split() == ["claimed", "2", "2"]


@pytest.mark.parametrize("lost", list(SEEN))
def test_what_canary_did_not_record_is_told(lost: Doing) -> None:
    comparison = compare(BOARD, DONE, SEEN - Counter([lost]), NOTHING)

    assert not comparison.agrees
    assert "not recorded: 1" in text(comparison)


@pytest.mark.parametrize("kind", [POSTED, CONSUMED, "removed", "ended", "node_created"])
def test_what_the_load_did_not_do_is_told(kind: str) -> None:
    comparison = compare(BOARD, DONE, SEEN + Counter([Doing(kind, "b", None)]), NOTHING)

    assert not comparison.agrees
    assert f"{kind} b" in text(comparison)
    assert [line for line in comparison.lines() if kind in line and "differs" in line]


def test_equal_counts_of_different_claims_do_not_agree() -> None:
    other = SEEN - Counter([Doing(CLAIMED, "a", "two")]) + Counter([Doing(CLAIMED, "a", "three")])

    comparison = compare(BOARD, DONE, other, NOTHING)

    assert not comparison.agrees
    assert "claimed a by two" in text(comparison)
    assert "claimed a by three" in text(comparison)


@pytest.mark.parametrize(
    ("unseen", "shown"),
    [
        (Unseen(1, 1, 0), "in 1 gaps: 1 creates, 0 deletes"),
        (Unseen(2, 0, 3), "in 2 gaps: 0 creates, 3 deletes"),
        (Unseen(1, None, 0), "unknown creates, 0 deletes"),
        (Unseen(1, 0, None), "0 creates, unknown deletes"),
    ],
)
def test_anything_unseen_does_not_agree(unseen: Unseen, shown: str) -> None:
    comparison = compare(BOARD, DONE, SEEN, unseen)

    assert not comparison.agrees
    assert shown in text(comparison)


def test_a_gap_in_which_nothing_was_unseen_does_no_harm() -> None:
    assert compare(BOARD, DONE, SEEN, Unseen(1, 0, 0)).agrees


def test_what_may_have_been_done_is_told_and_not_counted() -> None:
    doubtful = record(CLAIMED, "b", "one", "failed: no answer")

    comparison = compare(BOARD, [*DONE, doubtful], SEEN, NOTHING)

    assert comparison.agrees
    assert "doubtful: claimed b failed: no answer" in text(comparison)


def test_percentiles_are_samples_by_nearest_rank() -> None:
    samples = [float(n) for n in range(100, 0, -1)]

    assert percentile(samples, 50) == 50
    assert percentile(samples, 99) == 99
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7


def test_latency_says_how_many_samples_of_how_many() -> None:
    assert "2 samples of 3 changes" in "\n".join(latency_lines([4.0, 5.0], 3))
    assert "no samples" in "\n".join(latency_lines([], 3))


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    book = Ledger(BOARD, file)
    book.write(POSTED, "a", None)
    book.write(POSTED, "b", None)
    book.write(POSTED, "c", None)
    book.write(CLAIMED, "a", "one")
    book.write(CONSUMED, "a", "one", "failed: no answer")
    book.write(TRASHED, "b", "one")

    records = ledger.read(file)

    assert [(each.kind, each.uuid, each.owner) for each in records][3] == (CLAIMED, "a", "one")
    assert {each.board for each in records} == {BOARD}
    assert ledger.open_jobs(records) == {"a", "c"}
    assert book.open_jobs == 2
    book.close()


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    book = Ledger(BOARD, file)
    book.write(POSTED, "a", None)
    book.close()
    whole = file.read_text()
    file.write_text(whole + whole[:20])

    assert [json.loads(whole)["uuid"]] == [each.uuid for each in ledger.read(file)]
    assert ledger.read(tmp_path / "none.jsonl") == []
