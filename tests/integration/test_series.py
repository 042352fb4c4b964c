"""``/v2/series``, beside a replay of the log: how many jobs there were, came and went, when."""

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from pymongo.database import Database

from canary.model.changes import Reason
from canary.model.jobs import Outcome
from canary.server.v2 import answers
from canary.server.v2.series import SeriesOfBoard, scale_at
from canary.stores.mongo.documents import Document
from tests.integration.test_lists import Get, busy, client, get, queries
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted

__all__ = ["busy", "client", "get", "queries"]  # fixtures

WINDOW, STEPS = 6_000, 50
WORDS = {"posted": "posted", "malformed": "posted", "claimed": "claimed"}


def replayed(log: list[Document], start: datetime, step: float) -> dict[str, list[int]]:
    """Count the log from its first entry on, and note at each step's end what there is then."""
    there: Counter[str] = Counter()
    state: dict[str, str] = {}
    told: dict[str, list[int]] = {name: [] for name in ("posted", "claimed", "ended", "U", "C")}
    log = sorted(log, key=lambda change: (change["seen_at"], change["revision"]))
    for number in range(STEPS):
        end = start + timedelta(seconds=step * (number + 1))
        counts: Counter[str] = Counter()
        is_last = number == STEPS - 1  # with what the fixture has happen later than now
        while log and (log[0]["seen_at"] < end or is_last):
            change = log.pop(0)
            if change["seen_at"] >= end - timedelta(seconds=step):
                counts[WORDS.get(change["kind"], "ended")] += change["kind"] != "abandoned"
            there[state.get(change["job"], "")] -= 1
            state[change["job"]] = change["state"]
            there[change["state"]] += 1
        for name, count in counts.items():
            told[name].append(count)
        for name in ("posted", "claimed", "ended"):
            if name not in counts:
                told[name].append(0)
        told["U"].append(there["UNCLAIMED"])
        told["C"].append(there["CLAIMED"])
    return told


def test_it_is_what_a_replay_of_the_log_says(
    busy: dict[str, WrittenBoard], database: Database[Document], get: Get
) -> None:
    for path, board in busy.items():
        board.beat()
        [told] = get("series", path=path, window=str(WINDOW), steps=STEPS)["series"]
        SeriesOfBoard.model_validate(told)
        start = datetime.fromisoformat(told["start"])
        expected = replayed(list(database.changes.find({"board": path})), start, told["step"])
        unknown = sum(each is None for each in told["posted"])
        [since] = database.boards.distinct("watched_since", {"_id": path})
        first = math.ceil((since - start).total_seconds() / told["step"])
        assert 8 <= unknown == first, "what was not watched from its beginning"
        for name, of in (
            ("posted", "posted"),
            ("claimed", "claimed"),
            ("ended", "ended"),
            ("jobs_unclaimed", "U"),
            ("jobs_claimed", "C"),
        ):
            assert told[name][:unknown] == [None] * unknown
            assert told[name][unknown:] == expected[of][unknown:], name
        assert [gap["reason"] for gap in told["gaps"]] == ["coalesced", "board_deleted"]


def test_who_asks_again_is_told_the_same_of_what_is_over(
    database: Database[Document], get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = WrittenBoard(database, watched_since=ago(5_000))
    board.beat()
    chance = random.Random(11)
    for number in range(200):
        start = ago(chance.uniform(20, 700))
        ends = start + timedelta(seconds=chance.uniform(2, 20))
        board.write(posted(number, start), claimed(number, start + timedelta(seconds=1)))
        board.write(ended(number, ends, Outcome.CONSUMED))
    moment, before = now(), dict[datetime, dict[str, Any]]()
    for later in (0, 3.7, 7, 23):
        # Only the clock of who answers goes on.
        monkeypatch.setattr(answers, "now", Mock(return_value=moment + timedelta(seconds=later)))
        [told] = get("series", window="600", steps=60)["series"]
        by_start = steps_of(told)
        both = before.keys() & by_start
        assert len(both) >= 57 or not before, "hardly a step is in both"
        assert {start: by_start[start] for start in both} == {at: before[at] for at in both}
        assert len(told["posted"]) == 60
        assert datetime.fromisoformat(told["start"]).timestamp() % 10 == 0
        last = datetime.fromisoformat(told["start"]) + timedelta(seconds=590)
        assert last <= datetime.fromisoformat(told["until"]) < last + timedelta(seconds=10)
        before = dict(list(by_start.items())[:-1])


@pytest.mark.parametrize(
    ("window", "steps", "step"),
    [(600, 60, 10), (1_000, 7, 142.858), (0.5, 600, 0.1), (86_400, 60, 1_440)],
)
def test_steps_lie_at_multiples_of_their_length(window: float, steps: int, step: float) -> None:
    moment = datetime(2026, 11, 26, 13, 33, 7, 123_000, UTC)
    scale = scale_at(moment, timedelta(seconds=window), steps)
    assert scale.step.total_seconds() == step
    since = scale.start - datetime(1970, 1, 1, tzinfo=UTC)
    assert since % scale.step == timedelta(0)
    assert scale.start + (steps - 1) * scale.step <= moment < scale.start + steps * scale.step
    on_time = scale_at(scale.start, timedelta(seconds=window), steps)
    last = on_time.start + (on_time.count - 1) * on_time.step
    assert last == scale.start, "a step that begins now"


def test_how_long_jobs_waited_and_ran(database: Database[Document], get: Get) -> None:
    board = WrittenBoard(database, watched_since=ago(1_000))
    board.beat()
    minute = timedelta(seconds=60)
    third = datetime.fromtimestamp(now().timestamp() // 60 * 60, UTC) - minute
    second = third - minute
    for number, waits in enumerate([10, 20, 30]):
        start = second + timedelta(seconds=40 - waits)
        board.write(posted(number, start), claimed(number, start + timedelta(seconds=waits)))
    board.write(ended(0, third + timedelta(seconds=40), Outcome.CONSUMED, "ann"))
    [told] = get("series", window="300", steps=5)["series"]
    told = steps_of(told)
    then, later = told[second], told[third]
    # Of three, DDSketch's rank.
    assert then["waiting_p50"] == then["waiting_p95"] == pytest.approx(20, rel=0.02)
    assert later["waiting_p50"] is later["waiting_p95"] is then["running_p50"] is None
    assert later["running_p50"] == pytest.approx(60, rel=0.05)
    assert (then["jobs_claimed"], later["jobs_claimed"]) == (3, 2)


def test_what_nobody_watched_is_unknown(database: Database[Document], get: Get) -> None:
    board = WrittenBoard(database, watched_since=ago(50))
    board.gap(ago(45), ago(40), 2, 1, reason=Reason.COALESCED)
    board.release(ago(20))
    [told] = get("series", window="100", steps=10)["series"]
    known = [each is not None for each in told["posted"]]
    first = known.index(True)
    assert known == [number in range(first, first + 3) for number in range(10)], "thirty seconds"
    assert known[-2:] == [False, False]
    assert [(gap["creates"], gap["deletes"]) for gap in told["gaps"]] == [(2, 1)]


def test_gaps_of_one_step_and_reason_are_told_as_one(
    database: Database[Document], get: Get
) -> None:
    board = WrittenBoard(database, watched_since=ago(1_000))
    board.beat()
    minute = timedelta(seconds=60)
    later = datetime.fromtimestamp(now().timestamp() // 60 * 60, UTC) - minute
    earlier = later - minute

    def gap(begin: datetime, at: int, end: int, counts: tuple[Any, Any], reason: Reason) -> None:
        start, till = (begin + timedelta(seconds=each) for each in (at, end))
        board.gap(start, till, *counts, reason=reason)

    gap(earlier, 10, 12, (1, 2), Reason.COALESCED)
    gap(earlier, 40, 41, (3, 4), Reason.COALESCED)
    gap(earlier, 20, 21, (5, 6), Reason.LATE)
    gap(earlier, 55, 65, (7, 8), Reason.COALESCED)  # into the next
    gap(later, 20, 22, (None, None), Reason.COALESCED)
    gap(later, 10, 11, (9, 9), Reason.COALESCED)
    [told] = get("series", window="300", steps=5)["series"]
    assert [
        (each["reason"], seconds(each["from"], earlier), seconds(each["to"], earlier))
        for each in told["gaps"]
    ] == [
        ("coalesced", 10, 41),
        ("late", 20, 21),
        ("coalesced", 55, 65),
        ("coalesced", 70, 82),
    ]
    counts = [(each["creates"], each["deletes"]) for each in told["gaps"]]
    assert counts == [(4, 6), (5, 6), (7, 8), (None, None)]
    assert len(get("gaps", path=board.path)["gaps"]) == 6


def test_a_gap_that_reaches_beyond_now_is_told_alone(
    database: Database[Document], get: Get
) -> None:
    """Together with others it would make of all since the first of them one in which now lies."""
    board = WrittenBoard(database, watched_since=ago(1_000))
    board.beat()
    moment = now()
    for start, end in ((-5, -4), (-3, -2), (-1, 60), (61, 62)):
        first, last = (moment + timedelta(seconds=each) for each in (start, end))
        board.gap(first, last)
    [told] = get("series", window="86400", steps=1)["series"]
    lengths = [seconds(gap["to"], datetime.fromisoformat(gap["from"])) for gap in told["gaps"]]
    assert lengths == pytest.approx([3, 61]), "and none that begins after now"


def seconds(moment: str, since: datetime) -> float:
    return (datetime.fromisoformat(moment) - since).total_seconds()


def test_pages_and_wrong_questions(database: Database[Document], get: Get, client: Any) -> None:
    for number in range(5):
        WrittenBoard(database, f"/{number}/jobs", watched_since=now()).beat()
    first = get("series", limit=3)
    assert [row["path"] for row in first["series"]] == ["/0/jobs", "/1/jobs", "/2/jobs"]
    rest = get("series", limit=3, cursor=first["next"])
    assert ([row["path"] for row in rest["series"]], rest["next"]) == (["/3/jobs", "/4/jobs"], None)
    answer = client.get("/v2/series?steps=1000")
    assert (answer.status_code, "steps is '1000'" in answer.json["detail"]) == (400, True)


def steps_of(told: dict[str, Any]) -> dict[datetime, dict[str, Any]]:
    """Return what is told of each step, by when it begins."""
    start, names = datetime.fromisoformat(told["start"]), told.keys() - {"gaps"}
    columns = {name: told[name] for name in names if isinstance(told[name], list)}
    return {
        start + timedelta(seconds=told["step"] * number): {
            name: column[number] for name, column in columns.items()
        }
        for number in range(len(told["posted"]))
    }
