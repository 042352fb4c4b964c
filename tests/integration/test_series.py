"""``/v2/series``, beside a replay of the log: how many jobs there were, came and went, when."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from canary.model.changes import Reason
from canary.model.jobs import Outcome
from canary.server.v2.series import SeriesOfBoard
from canary.stores.documents import Document
from tests.integration.test_lists import Get, busy, client, get, reading
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted

__all__ = ["busy", "client", "get", "reading"]  # fixtures

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
        set_watched_since(database, path, ago(5_000))
        [told] = get("series", path=path, window=str(WINDOW), steps=STEPS)["series"]
        SeriesOfBoard.model_validate(told)
        start = datetime.fromisoformat(told["start"])
        expected = replayed(list(database.changes.find({"board": path})), start, told["step"])
        unknown = sum(each is None for each in told["posted"])
        assert unknown == 9, "a thousand seconds of which not all is known"
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


def test_how_long_jobs_waited_and_ran(database: Database[Document], get: Get) -> None:
    board = WrittenBoard(database, watched_since=ago(1_000))
    board.beat()
    for number, waits in enumerate([10, 20, 30]):
        start = ago(100 + waits)
        board.write(posted(number, start), claimed(number, start + timedelta(seconds=waits)))
    board.write(ended(0, ago(40), Outcome.CONSUMED, "ann"))
    [told] = get("series", window="120", steps=2)["series"]
    assert told["waiting_p50"] == [pytest.approx(20, rel=0.02), None]
    assert told["waiting_p95"] == [pytest.approx(20, rel=0.02), None]  # of three, DDSketch's rank
    assert told["running_p50"] == [None, pytest.approx(60, rel=0.05)]
    assert told["jobs_claimed"] == [3, 2]


def test_what_nobody_watched_is_unknown(database: Database[Document], get: Get) -> None:
    board = WrittenBoard(database, watched_since=ago(50), worker=None)
    set_freshness(database, board.path, "unwatched", ago(20))
    board.gap(ago(45), ago(40), 2, 1, reason=Reason.COALESCED)
    [told] = get("series", window="100", steps=10)["series"]
    known = [each is not None for each in told["posted"]]
    assert known == [False] * 5 + [True] * 3 + [False] * 2
    assert [(gap["creates"], gap["deletes"]) for gap in told["gaps"]] == [(2, 1)]


def test_pages_and_wrong_questions(database: Database[Document], get: Get, client: Any) -> None:
    for number in range(5):
        WrittenBoard(database, f"/{number}/jobs", watched_since=now()).beat()
    first = get("series", limit=3)
    assert [row["path"] for row in first["series"]] == ["/0/jobs", "/1/jobs", "/2/jobs"]
    rest = get("series", limit=3, cursor=first["next"])
    assert ([row["path"] for row in rest["series"]], rest["next"]) == (["/3/jobs", "/4/jobs"], None)
    answer = client.get("/v2/series?steps=1000")
    assert (answer.status_code, "steps is '1000'" in answer.json["detail"]) == (400, True)


def set_watched_since(database: Database[Document], path: str, since: datetime) -> None:
    database.boards.update_one({"_id": path}, {"$set": {"watched_since": since}})


def set_freshness(database: Database[Document], path: str, freshness: str, since: datetime) -> None:
    fields = {"freshness": freshness, "freshness_since": since, "seen_at": since}
    database.boards.update_one({"_id": path}, {"$set": fields})
