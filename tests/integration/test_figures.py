"""All boards in numbers, from MongoDB."""

import pytest
from pymongo.database import Database

from canary.errors import StoreUnavailable
from canary.model.changes import Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import Step
from canary.stores.mongo.documents import Document
from canary.stores.queries.metrics import Missed, figures
from canary.stores.writing.take import LiveStore
from devstack import control
from tests.integration.hand_watch import HandWatch, now
from tests.integration.watching import take
from tests.integration.written_board import WrittenBoard, abandoned, ago, claimed, ended, posted
from tests.unit.board_history import History

PATH, OTHER = "/lbaas/jobs", "/cdn/jobs"
LIMIT = 20.0  # seconds


def test_an_empty_store(connected: Database[Document]) -> None:
    found = figures(connected, LIMIT)
    assert (found.boards, found.workers) == ((), 0)


def test_jobs_and_the_oldest_unclaimed(connected: Database[Document]) -> None:
    board = WrittenBoard(connected, PATH)
    board.beat()
    board.write(posted(1, ago(100)), posted(2, ago(90)), posted(3, ago(80)), posted(4, ago(70)))
    board.write(claimed(1, ago(60)), claimed(2, ago(60)), ended(2, ago(50)))
    board.write(claimed(3, ago(40)), abandoned(3, ago(10)))  # it did not wait in between
    WrittenBoard(connected, OTHER, freshness=Freshness.MISSING)
    left = WrittenBoard(connected, "/gone/jobs", registered=False)
    left.write(posted(1, ago(500)))
    found = {each.now.path: each for each in figures(connected, LIMIT).boards}
    assert found.keys() == {PATH, OTHER}
    assert found[PATH].jobs == {"UNCLAIMED": 2, "CLAIMED": 1}
    assert found[PATH].oldest_unclaimed == pytest.approx(70, abs=10)
    assert found[PATH].now.freshness is Freshness.LIVE
    assert found[OTHER].jobs == {"UNCLAIMED": 0, "CLAIMED": 0}
    assert found[OTHER].oldest_unclaimed == 0
    assert found[OTHER].missed == Missed()


def test_only_workers_with_a_heartbeat_count(connected: Database[Document]) -> None:
    board = WrittenBoard(connected, PATH)
    board.beat(worker="w1")
    board.beat(worker="w2")
    board.beat(worker="dead", lasting=-4)
    assert figures(connected, LIMIT).workers == 2


def test_what_was_missed_is_summed_up_as_it_is_written(connected: Database[Document]) -> None:
    history, store = History(), LiveStore(connected, "w")
    watch = HandWatch(history, take(store, PATH))
    watch.round()
    moment = now()
    gaps = (
        Gap(moment, moment, Reason.COALESCED, 3, 2),
        Gap(moment, moment, Reason.COALESCED, 1, 0),
        Gap(moment, moment, Reason.ERA, None, None),
    )
    watch.board.write([Step(watch.state, (), gaps)], Freshness.LIVE, moment)
    second = take(store, PATH, 2)  # a handover takes nothing away
    last = Gap(now(), now(), Reason.RESTART, 0, 4)
    second.write([Step(second.state, (), (last,))], Freshness.LIVE, now())
    [found] = figures(connected, LIMIT).boards
    assert found.missed == Missed({"coalesced": 2, "era": 1, "restart": 1}, 4, 6)


def test_jobs_that_have_ended_are_not_looked_at(connected: Database[Document]) -> None:
    board = WrittenBoard(connected, PATH)
    board.write(*(posted(number, ago(100)) for number in range(300)))
    board.write(*(ended(number, ago(50)) for number in range(5, 300)))
    connected.command("profile", 2)
    try:
        figures(connected, LIMIT)
    finally:
        connected.command("profile", 0)
    [asked] = connected["system.profile"].find({"command.aggregate": "jobs"})
    assert asked["docsExamined"] <= 5


def test_a_mongodb_that_does_not_answer_is_not_waited_for(connected: Database[Document]) -> None:
    figures(connected, LIMIT)
    control.freeze("mongodb")
    try:
        with pytest.raises(StoreUnavailable):
            figures(connected, 0.5)
    finally:
        control.thaw("mongodb")
    assert figures(connected, LIMIT).workers == 0
