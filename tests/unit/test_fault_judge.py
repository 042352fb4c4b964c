"""The judge of the fault tests finds what is wrong, and nothing else."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from kazoo.protocol.states import ZnodeStat

from tests.faults import judge, results
from tests.faults.account import Course, Life, account
from tests.faults.findings import What
from tests.faults.shown import Told, first
from tests.waiting import throughout

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def operation(kind: str, creates: int, deletes: int, **more: Any) -> Row:
    row = {"kind": kind, "incarnation": 1, "name": "job1", "uuid": "u", "owner": None}
    return row | {"creates": creates, "deletes": deletes} | more


def change(kind: str, creates: int, deletes: int, second: float = 5, **more: Any) -> Row:
    return operation(kind, creates, deletes, job="b#1", seen_at=at(second)) | more


def gap(creates: int | None, deletes: int | None, start: float, end: float, why: str) -> Row:
    counts = {"creates": creates, "deletes": deletes}
    return counts | {"from": at(start), "to": at(end), "reason": why}


POSTED, CLAIMED = operation("posted", 1, 0), operation("claimed", 1, 0, owner="ann")
CONSUMED = operation("consumed", 0, 2, owner="ann")
DONE = [POSTED, CLAIMED, CONSUMED]
TOLD = [change("posted", 1, 0), change("claimed", 1, 0, owner="ann"), change("consumed", 0, 2)]


def course(*lives: tuple[float, int], unknowable: Sequence[str] = ()) -> Course:
    known = [Life(at(second), operations) for second, operations in lives or [(0, 0)]]
    faults = [(at(10), at(20))]
    return Course((at(0), at(100)), faults, known, frozenset(unknowable))


class TestAccount:
    def test_it_closes(self) -> None:
        told = account(DONE, TOLD, [], course())
        assert (told.made, told.seen, told.unseen, told.lost, told.beyond) == (4, 4, 0, 0, 0)

    def test_what_a_gap_counts_is_unseen_and_not_lost(self) -> None:
        told = account(DONE, TOLD[::2], [gap(1, 0, 1, 6, "coalesced")], course())
        assert (told.seen, told.unseen, told.lost, told.beyond) == (3, 1, 0, 0)

    def test_what_nothing_tells_is_lost(self) -> None:
        assert account(DONE, TOLD[::2], [], course()).lost == 1

    def test_what_is_told_twice_is_beyond(self) -> None:
        told = account(DONE, [*TOLD, TOLD[0]], [], course())
        assert (told.lost, told.beyond) == (0, 1)

    def test_a_create_too_many_does_not_make_up_for_a_delete_that_is_lost(self) -> None:
        told = account(DONE, [TOLD[0], TOLD[0], TOLD[1]], [], course())
        assert (told.lost, told.beyond) == (2, 1)

    def test_of_unknown_size_is_only_what_is_left_of_its_own_life(self) -> None:
        lives = course((0, 0), (30, 3))
        unknown = gap(None, None, 8, 12, "board_deleted")
        done = [*DONE, POSTED]
        told = account(done, [*TOLD[:2], change("posted", 1, 0, 40)], [unknown], lives)
        assert (told.unseen, told.lost) == (2, 0)
        told = account(done, TOLD[:2], [unknown], lives)
        assert (told.unseen, told.lost) == (2, 1), "of the next life everything is known"

    def test_another_ensemble_makes_two_lives_one_account(self) -> None:
        unknown = gap(None, None, 8, 40, "era")
        ended = change("ended", 0, 1, 40)  # a job of the first life, found gone in the second
        lives = course((0, 0), (30, 2))
        told = account([POSTED, operation("removed", 0, 1)], [TOLD[0], ended], [unknown], lives)
        assert (told.lost, told.beyond) == (0, 0)


class TestChanges:
    @pytest.mark.parametrize(
        "told",
        [
            TOLD,
            TOLD[:1],
            [TOLD[0], change("ended", 0, 2)],
            [change("posted", 1, 0, uuid=None), TOLD[1]],
        ],
    )
    def test_one_operation_each_in_order_is_right(self, told: list[Row]) -> None:
        assert list(judge._match((1, "job1"), told, DONE)) == []

    @pytest.mark.parametrize(
        "told",
        [
            [*TOLD, TOLD[0]],
            [TOLD[1], TOLD[0]],
            [TOLD[0], change("claimed", 1, 0, owner="bob")],
            [TOLD[0], change("trashed", 0, 2)],
            [change("posted", 1, 0, uuid="another"), TOLD[1]],
        ],
    )
    def test_what_nobody_did_is_found_once(self, told: list[Row]) -> None:
        [found] = judge._match((1, "job1"), told, DONE)
        assert found.what is What.INVENTED

    def test_an_illegal_order_and_a_document_that_says_another_thing_are_found(self) -> None:
        job = {"state": "COMPLETE"}
        assert list(judge._fold((1, "job1"), TOLD, job)) == []
        assert [f.what for f in judge._fold((1, "job1"), TOLD[:2], job)] == [What.FOLD]
        assert [f.what for f in judge._fold((1, "job1"), TOLD[1:], job)] == [What.FOLD]

    def test_edits_are_no_more_than_were_made_and_may_be_told_late(self) -> None:
        done = [POSTED, operation("edited", 0, 0), operation("edited", 0, 0), *DONE[1:]]
        late = change("edited", 0, 0, edit={"edits": 2})
        seen = [*TOLD[:2], late, TOLD[2]]
        assert list(judge._match((1, "job1"), seen, done)) == []
        assert list(judge._fold((1, "job1"), seen, {"state": "COMPLETE"})) == []
        more = change("edited", 0, 0, edit={"edits": 1})
        [finding] = judge._match((1, "job1"), [TOLD[0], more, *seen[1:]], done)
        assert finding.what is What.INVENTED
        [finding] = judge._fold((1, "job1"), [late, *TOLD], {"state": "COMPLETE"})
        assert finding.what is What.FOLD

    def test_two_jobs_of_one_name_are_told_apart(self) -> None:
        """One was abandoned and removed at once, which nobody can tell from consumed."""
        removed = [operation("abandoned", 0, 1, owner="ann"), operation("removed", 0, 1)]
        twin = [{**row, "uuid": "v"} for row in DONE]
        first = {"_id": "b#1", "incarnation": 1, "name": "job1", "uuid": "u", "state": "COMPLETE"}
        consumed = [*TOLD[:2], change("consumed", 0, 2, owner="ann")]
        done = [*DONE[:2], *removed, *twin]
        assert list(judge._compare(consumed, done, {"b#1": first})) == []
        [found] = judge._compare([*TOLD[:2], change("trashed", 0, 2)], done, {"b#1": first})
        assert found.what is What.INVENTED

    def test_changes_without_a_document_and_documents_without_changes_are_found(self) -> None:
        job = {"_id": "b#1", "incarnation": 1, "name": "job1", "uuid": "u", "state": "COMPLETE"}
        assert list(judge._compare(TOLD, DONE, {"b#1": job})) == []
        assert [f.what for f in judge._compare(TOLD, DONE, {})] == [What.FOLD]
        assert [f.what for f in judge._compare([], DONE, {"b#1": job})] == [What.FOLD]


class TestGaps:
    def test_in_the_fault_or_of_the_load_they_may_be(self) -> None:
        gaps = [gap(1, 0, 11, 19, "suspended"), gap(1, 0, 50, 60, "coalesced")]
        assert list(judge._windows(gaps, course())) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            gap(1, 0, 50, 60, "suspended"),
            gap(1, 0, 1, 19, "restart"),
            gap(1, 0, 90, 110, "coalesced"),
            gap(None, None, 11, 19, "board_deleted"),
        ],
    )
    def test_elsewhere_or_of_unknown_size_they_may_not(self, wrong: Row) -> None:
        assert [finding.what for finding in judge._windows([wrong], course())] == [What.GAP]

    def test_of_unknown_size_where_nobody_can_know(self) -> None:
        deleted = gap(None, None, 11, 19, "board_deleted")
        assert list(judge._windows([deleted], course(unknowable=["board_deleted"]))) == []


class TestCounts:
    GAPS: Final = (
        gap(3, 2, 11, 19, "suspended"),
        gap(1, 0, 50, 60, "suspended"),
        gap(None, None, 60, 61, "board_deleted"),
    )
    RIGHT: Final = {"gaps": {"suspended": 2, "board_deleted": 1}, "creates": 4, "deletes": 2}

    def test_what_is_there_is_right(self) -> None:
        assert list(judge.counts({"missed": self.RIGHT}, self.GAPS)) == []
        assert list(judge.counts({}, [])) == []
        assert (
            list(judge.counts({"missed": {"gaps": {"drift": 1}}}, [gap(0, 0, 1, 2, "drift")])) == []
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {**RIGHT, "creates": 7},
            {**RIGHT, "deletes": 4},
            {**RIGHT, "creates": 3},
            {**RIGHT, "gaps": {"suspended": 3, "board_deleted": 1}},
            {**RIGHT, "gaps": {"suspended": 2}},
            {**RIGHT, "gaps": {"suspended": 2, "board_deleted": 1, "drift": 1}},
        ],
    )
    def test_one_that_is_counted_twice_or_not_at_all_is_found(self, wrong: Row) -> None:
        assert [f.what for f in judge.counts({"missed": wrong}, self.GAPS)] == [What.COUNTED]

    def test_a_gap_that_nothing_counts_is_found(self) -> None:
        found = list(judge.counts({}, self.GAPS[:1]))
        assert [f.what for f in found] == [What.COUNTED] * 3


class TestEdits:
    DATA = b"edited twice"

    def stat(self, version: int = 2) -> ZnodeStat:
        mzxid = 9 if version else 5
        return ZnodeStat(5, mzxid, 0, 0, version, 0, 0, 0, len(self.DATA), 0, 5)

    def job(self, **values: Any) -> Row:
        payload = {"sha256": hashlib.sha256(self.DATA).hexdigest()}
        edition = {"version": 2, "mzxid": 9}
        return {"name": "job1", "czxid": 5, "edition": edition, "payload": payload} | values

    def told(self, *counts: int | None, of: str = "job") -> list[Row]:
        return [change("edited", 0, 0, edit={"of": of, "edits": each}) for each in counts]

    @pytest.mark.parametrize("counts", [(2,), (1, 1), (None,), (1, None)])
    def test_all_that_were_made_are_there(self, counts: tuple[int | None, ...]) -> None:
        told = [*self.told(*counts), *self.told(1, of="lock")]
        assert list(judge.edits_of(self.job(), told, self.DATA, self.stat())) == []

    def test_nobody_edited_it(self) -> None:
        job, stat = self.job(edition=None), self.stat(version=0)
        assert list(judge.edits_of(job, [], self.DATA, stat)) == []

    def test_another_znode_is_no_edit(self) -> None:
        assert list(judge.edits_of(self.job(czxid=4), [], b"", self.stat())) == []

    @pytest.mark.parametrize(
        ("wrong", "counts"),
        [
            ({"edition": None}, (2,)),
            ({"edition": {"version": 1, "mzxid": 9}}, (2,)),
            ({"edition": {"version": 2, "mzxid": 8}}, (2,)),
            ({"payload": {"sha256": hashlib.sha256(b"before").hexdigest()}}, (2,)),
            ({"payload": None}, (2,)),
            ({}, ()),
            ({}, (1,)),
            ({}, (1, 2)),
        ],
    )
    def test_one_that_is_lost_is_found(self, wrong: Row, counts: tuple[int, ...]) -> None:
        told = self.told(*counts)
        [found] = judge.edits_of(self.job(**wrong), told, self.DATA, self.stat())
        assert found.what is What.EDIT


def test_when_something_was_told_first() -> None:
    told = [Told(1.0, "live"), Told(5.0, "unwatched"), Told(6.0, "live")]
    assert first(told, {"unwatched"}, 3.0) == 2.0
    assert first(told, {"unwatched"}, 5.5) == 0.0, "it was so already"
    assert first(told, {"unwatched"}, 7.0) is None
    assert first(told, {"missing"}, 0.0) is None


def test_throughout_is_as_long_as_it_is_true() -> None:
    throughout(0.0, lambda: False)
    with pytest.raises(AssertionError, match="it is so"):
        throughout(5.0, lambda: False, "it is so")


def test_a_failed_run_is_a_row_too() -> None:
    figures = {"made": 4, "seen": 3, "unseen": 0, "invented": 0, "lost": 1}
    moments = {"to_admit": 2.0, "to_tell": None, "to_live": 1.0}
    good = figures | moments | {"notes": {"MiB": 3.0}, "fault": "f", "seed": 1, "failed": "LOST"}
    *_, line = results.table([good, {"fault": "f", "seed": 2, "failed": "TimeoutError"}]).split(
        "\n"
    )
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:8] == ["f", "2", "2", "4", "3", "0", "0", "1"]
    assert cells[8:] == ["2.0 (at most 2.0)", "", "1.0 (at most 1.0)", "MiB: 3.0 (at most 3.0)"]
