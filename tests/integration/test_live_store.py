"""Taking a board and writing it, on a real MongoDB that gets killed, cut off and refused."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any

import gevent
import pytest
from gevent.event import Event
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from canary.config import MongoOptions
from canary.errors import Fenced, StoreRefused, StoreUnavailable
from canary.model.changes import Change, Kind, Reason
from canary.model.conductors import Conductor
from canary.model.freshness import Freshness
from canary.model.names import change_id
from canary.model.payload.payload import MAX_TEXT, Payload, decode
from canary.model.state import BoardState, Step
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.mongo.documents import Behind, Document
from canary.stores.queries.board_status import boards_now
from canary.stores.writing import batches, take
from canary.stores.writing.batches import Batch
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.change_log import Entries
from canary.stores.writing.take import LiveStore
from devstack import control
from tests.integration.databases import empty
from tests.integration.hand_watch import HandWatch, busy_history, essence, look, now
from tests.integration.lossy_proxy import Lose, LossyProxy
from tests.unit.board_history import OPERATIONS, operate
from tests.waiting import eventually

PATH = "/lbaas/jobs"
FOREVER = 2**31 - 1  # seconds; what History makes happened in 2024


@pytest.fixture(scope="module")
def options() -> MongoOptions:
    return MongoOptions(
        uri=os.environ["OS_MONGO__URI"],
        database=f"live-{os.getpid()}",
        timeout=10.0,
        change_ttl=FOREVER,
        ended_job_ttl=FOREVER,
    )


@pytest.fixture(scope="module")
def prepared(options: MongoOptions) -> Iterator[Database[Document]]:
    database = connect(options)
    ensure_schema(database, options)
    yield database
    database.client.drop_database(options.database)
    database.client.close()


@pytest.fixture
def database(prepared: Database[Document]) -> Database[Document]:
    """The schema is made once, what is in it goes before each test."""
    empty(prepared)
    return prepared


@pytest.fixture
def store(database: Database[Document]) -> LiveStore:
    return LiveStore(database, "worker-1@here:1")


@pytest.fixture
def second(options: MongoOptions) -> Iterator[LiveStore]:
    """Another worker, with connections of its own."""
    database = connect(options)
    yield LiveStore(database, "worker-2@there:2")
    database.client.close()


def yes() -> bool:
    return True


def document(database: Database[Document], path: str = PATH) -> Document:
    found = database.boards.find_one({"_id": path})
    assert found is not None
    return found


def log(database: Database[Document]) -> list[Document]:
    return list(database.changes.find({"board": PATH}).sort("revision", 1))


def assert_written_once(database: Database[Document], changes: int) -> None:
    """Every change is there once, numbered from 1, and the board's revision is their number."""
    written = log(database)
    assert [change["revision"] for change in written] == list(range(1, changes + 1))
    assert [change["_id"] for change in written] == [
        change_id(PATH, number) for number in range(1, changes + 1)
    ]
    assert document(database)["revision"] == changes


def posted(number: int, payload: Payload | bytes | None = None, **fields: Any) -> Change:
    if not isinstance(payload, Payload):
        payload = decode(payload or b'{"uuid": "u-%d", "name": "n"}' % number)
    change = Change(
        Kind.MALFORMED if payload.malformed else Kind.POSTED,
        f"job{number:010d}",
        7,
        number + 1000,
        payload.uuid,
        now(),
        now(),
        1,
        payload=payload,
    )
    return replace(change, **fields)


def step_of(*changes: Change) -> Step:
    return Step(BoardState(seen_at=now()), changes, ())


class TestTake:
    def test_a_board_that_nobody_ever_took(self, store: LiveStore) -> None:
        began = now()
        board = store.take(PATH, 7, yes, began)
        assert (board.path, board.epoch, board.revision) == (PATH, 7, 0)
        assert essence(board.state) == essence(BoardState())
        found = document(store.database)
        assert found["freshness"] == "catching_up"
        assert found["freshness_since"] == began
        assert found["writer"]["worker"] == store.worker
        assert found["watched_since"] is None

    @pytest.mark.parametrize("seed", range(4))
    def test_the_state_comes_back_as_it_was_after_any_history(
        self, store: LiveStore, second: LiveStore, seed: int
    ) -> None:
        choose = random.Random(seed)
        history = busy_history()
        watch = HandWatch(history, store.take(PATH, 1, yes, now()))
        looks, changes = 0, 0
        for epoch in range(2, 14):
            for _ in range(choose.randrange(1, 5)):
                for _ in range(choose.randrange(1, 8)):
                    operate(history, choose.choice(OPERATIONS), choose.randrange(1000))
                changes += len(watch.round().changes)
                looks += 1
            former = watch.state
            board = (second, store)[epoch % 2].take(PATH, epoch, yes, now())
            assert essence(board.state) == essence(former)
            assert board.revision == changes
            watch = HandWatch(history, board)
        assert_written_once(store.database, changes)
        assert looks > 12

    def test_a_claim_that_is_lost_takes_nothing(self, store: LiveStore, second: LiveStore) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        before = document(store.database)
        with pytest.raises(Fenced, match="claim on its watch job is lost"):
            second.take(PATH, 8, lambda: False, now())
        assert document(store.database) == before
        watch.history.post()
        watch.round()

    def test_who_is_frozen_after_asking_takes_nothing_from_who_came_meanwhile(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        answers = iter([True, False])
        taken: list[LiveBoard] = []

        def frozen() -> bool:
            if not taken:
                taken.append(second.take(PATH, 9, yes, now()))
            return next(answers)

        with pytest.raises(Fenced):
            store.take(PATH, 8, frozen, now())
        HandWatch(busy_history(), taken[0]).round()
        assert document(store.database)["epoch"] == 9

    def test_a_writer_that_stands_still_in_a_transaction_is_killed(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        watch = HandWatch(busy_history(), board)
        revision = len(watch.round().changes)
        session = board._session
        session.start_transaction()
        store.database.boards.update_one({"_id": PATH}, {"$inc": {"revision": 5}}, session=session)
        began = now()
        taken = second.take(PATH, 8, yes, now())
        assert now() - began < timedelta(seconds=10), "its transaction would stay for a minute"
        assert taken.revision == revision
        assert taken.reason is Reason.RESTART
        with pytest.raises(OperationFailure):
            session.commit_transaction()
        watch.history.post()
        with pytest.raises(Fenced, match="another worker has taken it"):
            watch.round()
        assert_written_once(store.database, revision)

    def test_a_writer_that_begins_anew_after_it_was_killed_is_killed_again(
        self, store: LiveStore, second: LiveStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(take, "TRY_TIMEOUT", 1.0)
        session = store.take(PATH, 7, yes, now())._session
        asked = []

        def mine() -> bool:
            asked.append(now())
            if len(asked) == 1:
                session.start_transaction()
                store.database.boards.update_one(
                    {"_id": PATH}, {"$inc": {"revision": 5}}, session=session
                )
            return True

        taken = second.take(PATH, 8, mine, now())
        assert len(asked) >= 2, "more than twice where a disk is slow to acknowledge"
        assert (taken.revision, taken.epoch) == (0, 8)
        with pytest.raises(OperationFailure):
            session.commit_transaction()

    def test_a_lower_epoch_under_a_claim_that_holds_begins_an_era(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        history = busy_history()
        old = store.take(PATH, 2**40, yes, now())
        watch = HandWatch(history, old)
        revision = len(watch.round().changes)
        old.conductors.show([conductor(1)], now())
        board = second.take(PATH, 3, yes, now())
        assert (board.reason, board.epoch, board.revision) == (Reason.ERA, 3, revision)
        anew = HandWatch(history, board)
        revision += len(anew.round().changes)
        assert_written_once(store.database, revision)
        gap = store.database.gaps.find_one({"board": PATH, "reason": "era"})
        assert gap is not None
        assert (gap["creates"], gap["deletes"]) == (None, None)
        board.conductors.show([conductor(2)], now())
        shown = store.database.conductors.find_one({"_id": PATH})
        assert shown is not None
        assert [each["name"] for each in shown["conductors"]] == ["conductor-2"]
        with pytest.raises(Fenced):
            watch.board.mark(Freshness.LIVE, now())

    def test_of_two_takers_at_once_one_can_write(self, store: LiveStore, second: LiveStore) -> None:
        for round_number in range(10):
            path = f"{PATH}-{round_number}"
            together = [0, Event()]

            def both(together: list[Any] = together) -> bool:
                together[0] += 1
                if together[0] == 2:
                    together[1].set()
                together[1].wait(5)
                return True

            takers = [
                gevent.spawn(each.take, path, 7 + number, both, now())
                for number, each in enumerate((store, second))
            ]
            gevent.joinall(takers, raise_error=True)
            wrote: list[LiveBoard] = []
            for taker in takers:
                board = taker.value
                assert board is not None
                try:
                    board.write([step_of(posted(1))], Freshness.LIVE, now())
                except Fenced:
                    continue
                wrote.append(board)
            assert len(wrote) == 1
            found = document(store.database, path)
            assert (found["epoch"], found["revision"]) == (wrote[0].epoch, 1)

    def test_a_second_run_under_one_claim_fences_the_first(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        first = store.take(PATH, 7, yes, now())
        again = second.take(PATH, 7, yes, now())
        with pytest.raises(Fenced):
            first.mark(Freshness.LIVE, now())
        with pytest.raises(Fenced):
            first.write([Step(BoardState(seen_at=now()), (), ())], Freshness.LIVE, now())
        again.write([step_of(posted(1))], Freshness.LIVE, now())
        with pytest.raises(Fenced):
            first.write([step_of(posted(2))], Freshness.LIVE, now())
        assert [change["uuid"] for change in log(store.database)] == ["u-1"]

    def test_what_to_blame_for_what_nobody_saw(self, store: LiveStore) -> None:
        board = store.take(PATH, 7, yes, now())
        board.release(now(), None, Reason.HANDOVER)
        board = store.take(PATH, 8, yes, now())
        assert board.reason is Reason.HANDOVER
        assert store.take(PATH, 9, yes, now()).reason is Reason.RESTART
        board = store.take(PATH, 10, yes, now())
        board.release(now(), None, Reason.HANDOVER)
        store.forget_all_but([], list, now())
        board = store.take(PATH, 11, yes, now())
        assert board.reason is Reason.UNREGISTERED, "removed and added again: nobody's fault"
        store.forget_all_but([], list, now())
        assert store.take(PATH, 12, yes, now()).reason is Reason.UNREGISTERED, "whoever had it"


class TestWhatIsKnown:
    """Up to when a taker may say that nothing happened that is not written."""

    def watched(self, store: LiveStore, freshness: Freshness = Freshness.LIVE) -> HandWatch:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        watch.board.mark(freshness, now())
        return watch

    def test_it_is_what_the_heartbeat_said_last(self, store: LiveStore, second: LiveStore) -> None:
        self.watched(store)
        until = now() + timedelta(seconds=5)
        store.beat({}, until, [Behind("/other", 1, now(), now(), watched=True)])
        assert second.take(PATH, 8, yes, now()).state.seen_at == until

    def test_it_is_less_where_something_waited(self, store: LiveStore, second: LiveStore) -> None:
        watch = self.watched(store)
        since = now() + timedelta(seconds=2)
        behind = Behind(PATH, watch.board.takes, since, since, watched=True)
        store.beat({}, now() + timedelta(seconds=5), [behind])
        assert second.take(PATH, 8, yes, now()).state.seen_at == since

    def test_it_is_what_was_written_where_it_was_not_live(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        watch = self.watched(store, Freshness.CATCHING_UP)
        store.beat({}, now() + timedelta(seconds=5), [])
        assert second.take(PATH, 8, yes, now()).state.seen_at == watch.state.seen_at

    def test_it_is_what_was_written_without_a_heartbeat(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        watch = self.watched(store)
        assert second.take(PATH, 8, yes, now()).state.seen_at == watch.state.seen_at

    def test_another_process_of_the_same_name_does_not_vouch_for_it(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        watch = self.watched(store)
        again = LiveStore(store.database, store.worker)
        again.started_at += timedelta(seconds=1)
        again.beat({}, now() + timedelta(seconds=5), [])
        [board] = boards_now(database, {"_id": PATH})
        assert board.freshness is Freshness.UNWATCHED
        assert again.take(PATH, 8, yes, now()).state.seen_at == watch.state.seen_at

    def test_who_gives_a_board_up_says_it(self, store: LiveStore, second: LiveStore) -> None:
        watch = self.watched(store)
        until = now() + timedelta(seconds=5)
        watch.board.release(now(), until, Reason.SUSPENDED)
        store.beat({}, now() + timedelta(seconds=50), [])
        taken = second.take(PATH, 8, yes, now())
        assert (taken.state.seen_at, taken.reason) == (until, Reason.SUSPENDED)

    def test_a_board_that_was_never_seen_is_not_known_after_its_release(
        self, store: LiveStore
    ) -> None:
        store.take(PATH, 7, yes, now()).release(now(), now(), Reason.HANDOVER)
        assert store.take(PATH, 8, yes, now()).state.seen_at is None


class TestWrite:
    def test_a_round_is_one_transaction(self, store: LiveStore, database: Database[Any]) -> None:
        history = busy_history()
        watch = HandWatch(history, store.take(PATH, 7, yes, now()))
        step = watch.round()
        assert_written_once(database, len(step.changes))
        found = document(database)
        assert found["freshness"] == "live"
        assert found["watched_since"] == found["seen_at"] == step.state.seen_at
        assert found["told"] == {
            "incarnation": history.tree.board.czxid if history.tree.board else None,
            "creates": 0,
            "deletes": 0,
        }
        states = {job["name"]: job["state"] for job in database.jobs.find({"board": PATH})}
        assert states == {
            name: "CLAIMED" if name in history.claimed() else "UNCLAIMED" for name in history.jobs()
        }
        others = {node["_id"] for node in database.nodes.find({"board": PATH})}
        assert others == {f"{PATH}/folder", f"{PATH}/job0000009999.lock"}

    def test_a_claim_that_is_given_up_leaves_no_owner(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        history = busy_history()
        watch = HandWatch(history, store.take(PATH, 7, yes, now()))
        watch.round()
        first, second = history.claimed()
        history.abandon(first)
        history.consume(second)
        watch.round()
        owners = {job["name"]: job["owner"] for job in database.jobs.find({"board": PATH})}
        assert (owners[first], owners[second]) == (None, "conductor-2")

    def test_batches_are_bounded_and_tell_that_more_is_to_come(
        self, store: LiveStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        seen: list[tuple[int, str]] = []
        write = LiveBoard._insert

        def spy(self: LiveBoard, part: Batch, made: Entries) -> None:
            found = database.boards.find_one({"_id": PATH}, session=self._session)
            assert found is not None
            seen.append((len(part.changes), found["freshness"]))
            write(self, part, made)

        monkeypatch.setattr(LiveBoard, "_insert", spy)
        board.write([step_of(*map(posted, range(2_500)))], Freshness.LIVE, now())
        assert seen == [(1000, "catching_up"), (1000, "catching_up"), (500, "live")]
        assert_written_once(database, 2_500)
        seen.clear()
        large = decode(b'{"uuid": "u", "name": "n", "details": {"a": "%s"}}' % (b"x" * 8_000))
        many = [posted(number, large) for number in range(3_000, 4_000)]
        board.write([step_of(*many)], Freshness.LIVE, now())
        assert max(count for count, _ in seen) * 8_000 < 4 * 2**20
        assert len(seen) == 3

    def test_a_board_taken_between_two_batches_is_continued_with_nothing_unseen(
        self, store: LiveStore, second: LiveStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "_weight", lambda _: batches.BATCH_BYTES // 2)
        history = busy_history()
        watch = HandWatch(history, store.take(PATH, 7, yes, now()))
        watch.round()
        names = history.jobs()
        history.consume(names[0])
        history.claim(names[2], 1)
        history.abandon(names[1])
        history.post()
        history.post()
        history.delete_child("folder")
        listing = history.listing()
        step = look(history, watch.state, listing=listing)
        parts = list(batches.batches([step]))
        assert len(parts) > 2
        written = watch.board.revision
        before = document(store.database)
        for cut in range(1, len(parts)):
            # Written as far as ``cut`` batches by one worker; the next one closes the account.
            watch.board._pending = [parts[cut - 1]]
            watch.board.resume(Freshness.CATCHING_UP, now())
            written += len(parts[cut - 1].changes)
            between = document(store.database)
            assert between["freshness"] == "catching_up"
            assert between["stat"] == before["stat"]
            told = [change for part in parts[:cut] for change in part.changes]
            assert between["told"]["creates"] == sum(change.creates for change in told)
            assert between["told"]["deletes"] == sum(change.deletes for change in told)
            watch = HandWatch(history, second.take(PATH, 8 + cut, yes, now()))
            assert watch.board.revision == written
            rest = look(history, watch.state, listing=listing)
            assert rest.gaps == ()
            assert sorted(change.name for change in rest.changes) == sorted(
                change.name for part in parts[cut:] for change in part.changes
            )
        last = watch.round()
        [gap] = last.gaps
        assert (gap.reason, gap.creates, gap.deletes) == (Reason.RESTART, 0, 0)
        assert_written_once(store.database, written + len(last.changes))
        assert store.database.gaps.count_documents({}) == 1

    def test_what_is_told_adds_up_over_batches(
        self, store: LiveStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "_weight", lambda _: batches.BATCH_BYTES // 2)
        board = store.take(PATH, 7, yes, now())
        *first, last = batches.batches([step_of(*map(posted, range(7)))])
        assert len(first) == 3
        board._pending = first
        board.resume(Freshness.LIVE, now())
        assert document(store.database)["told"] == {"incarnation": 7, "creates": 6, "deletes": 0}
        board._pending = [last]
        board.resume(Freshness.LIVE, now())
        assert document(store.database)["told"]["creates"] == 0

    def test_gaps_are_kept_each(self, store: LiveStore, database: Database[Any]) -> None:
        history = busy_history()
        watch = HandWatch(history, store.take(PATH, 7, yes, now()))
        watch.round()
        for _ in range(3):  # rounds that bring a gap and no change: all at one revision
            history.post()
            history.claim(history.jobs()[-1], 1)
            history.consume(history.jobs()[-1])
            step = watch.round()
            assert not step.changes
            assert len(step.gaps) == 1
        gaps = list(database.gaps.find({"board": PATH}).sort("to", 1))
        assert [(gap["creates"], gap["deletes"]) for gap in gaps] == [(2, 2)] * 3
        assert all(earlier["to"] == later["from"] for earlier, later in pairwise(gaps))

    def test_freshness_says_since_when(self, store: LiveStore, database: Database[Any]) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        first, later, last = (now() + timedelta(seconds=n) for n in (1, 2, 3))
        watch.board.write([watch.look()], Freshness.LIVE, first)
        watch.history.post()
        watch.board.write([watch.look()], Freshness.LIVE, later)
        assert document(database)["freshness_since"] == first
        watch.board.mark(Freshness.SUSPENDED, later)
        watch.board.mark(Freshness.SUSPENDED, last)
        found = document(database)
        assert (found["freshness"], found["freshness_since"]) == ("suspended", later)
        assert_written_once(database, watch.board.revision)

    def test_a_transaction_that_meets_another_write_is_resumed(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        step = watch.look()
        with database.client.start_session() as session:
            session.start_transaction()
            database.boards.update_one(
                {"_id": PATH}, {"$set": {"registered": True, "x": 1}}, session=session
            )
            with pytest.raises(StoreUnavailable, match="WriteConflict"):
                watch.board.write([step], Freshness.LIVE, now())
            session.abort_transaction()
        watch.board.resume(Freshness.LIVE, now())
        assert_written_once(database, len(step.changes))


class TestLostAnswers:
    @pytest.fixture
    def proxy(self, options: MongoOptions) -> Iterator[LossyProxy]:
        client: MongoClient[Document] = MongoClient(options.uri)
        client.admin.command("ping")
        address = client.address
        client.close()
        assert address is not None
        proxy = LossyProxy(*address)
        proxy.start()
        yield proxy
        proxy.stop()

    @pytest.fixture
    def far(self, options: MongoOptions, proxy: LossyProxy) -> Iterator[LiveStore]:
        """A worker that reaches MongoDB through the proxy."""
        database = proxy.connect(options.database)
        yield LiveStore(database, "far")
        proxy.mend()
        database.client.close()

    @pytest.mark.parametrize("lose", Lose)
    def test_a_commit_is_done_once(
        self, far: LiveStore, proxy: LossyProxy, database: Database[Document], lose: Lose
    ) -> None:
        history = busy_history()
        watch = HandWatch(history, far.take(PATH, 7, yes, now()))
        first = len(watch.round().changes)
        for _ in range(4):
            history.post()
        history.claim(history.jobs()[-1], 1)
        history.post()
        history.claim(history.jobs()[-1], 1)
        history.consume(history.jobs()[-1])
        step = watch.look()
        assert step.gaps
        proxy.lose(lose)
        with pytest.raises(StoreUnavailable):
            watch.board.write([step], Freshness.LIVE, now())
        assert proxy.losses == 1
        done = lose is Lose.ANSWER
        assert document(database)["revision"] == first + (len(step.changes) if done else 0)
        with pytest.raises(StoreUnavailable):
            watch.board.resume(Freshness.LIVE, now())
        proxy.mend()
        watch.board.resume(Freshness.LIVE, now())
        assert watch.board.revision == first + len(step.changes)
        assert_written_once(database, watch.board.revision)
        assert database.gaps.count_documents({}) == 1
        assert document(database)["freshness"] == "live"
        history.post()
        watch.round()
        assert_written_once(database, first + len(step.changes) + 1)

    def test_a_commit_in_doubt_is_not_cut_into_parts(
        self, far: LiveStore, proxy: LossyProxy, database: Database[Document]
    ) -> None:
        board = far.take(PATH, 7, yes, now())
        proxy.lose(Lose.REQUEST)
        with pytest.raises(StoreUnavailable):
            board.write([step_of(*map(posted, range(10)))], Freshness.LIVE, now())
        proxy.mend()
        lsid = document(database)["writer"]["lsid"]
        database.client.admin.command("killSessions", [{"id": lsid}])
        with database.client.start_session() as session:
            session.start_transaction()
            database.boards.update_one({"_id": PATH}, {"$set": {"x": 1}}, session=session)
            with pytest.raises(StoreUnavailable, match="WriteConflict"):
                board.resume(Freshness.LIVE, now())
            session.abort_transaction()
        assert len(board._pending) == 1
        board.resume(Freshness.LIVE, now())
        assert_written_once(database, 10)

    def test_who_lost_the_answer_and_then_the_board_is_fenced(
        self, far: LiveStore, proxy: LossyProxy, store: LiveStore
    ) -> None:
        board = far.take(PATH, 7, yes, now())
        proxy.lose(Lose.ANSWER)
        with pytest.raises(StoreUnavailable):
            board.write([step_of(posted(1))], Freshness.LIVE, now())
        proxy.mend()
        taken = store.take(PATH, 8, yes, now())
        assert taken.revision == 1
        with pytest.raises(Fenced):
            board.resume(Freshness.LIVE, now())
        assert_written_once(store.database, 1)

    @pytest.mark.faults
    def test_a_mongod_that_is_killed_and_comes_back(
        self, options: MongoOptions, database: Database[Document]
    ) -> None:
        store = LiveStore(connect(replace(options, timeout=1.0)), "short")
        board = store.take(PATH, 7, yes, now())
        board.write([step_of(posted(1))], Freshness.LIVE, now())
        control.stop("mongodb")
        try:
            with pytest.raises(StoreUnavailable, match=r"^MongoDB does not answer: ") as refused:
                board.write([step_of(*map(posted, range(2, 1_502)))], Freshness.LIVE, now())
            assert "\n" not in str(refused.value)
            assert len(str(refused.value)) < 300
            with pytest.raises(StoreUnavailable):
                store.take(PATH, 9, yes, now())
        finally:
            control.start("mongodb")
            control.wait_ready("mongodb")
        eventually(lambda: is_resumed(board), why="MongoDB, back again, answers in time")
        store.database.client.close()
        assert_written_once(database, 1_501)
        assert document(database)["freshness"] == "live"


def is_resumed(board: LiveBoard) -> bool:
    """Try once, as a worker does, to write what is left."""
    try:
        board.resume(Freshness.LIVE, now())
    except StoreUnavailable:
        return False
    return True


class TestTooMuch:
    def test_a_batch_that_fills_the_cache_is_halved(
        self, store: LiveStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "BATCH_BYTES", 2**40)
        board = store.take(PATH, 7, yes, now())
        board._batch_changes = 10**6
        large = decode(
            b'{"uuid": "u", "name": "n", "a": {%s}}'
            % b",".join(b'"%d": "%s"' % (n, b"x" * 8_000) for n in range(8))
        )
        assert large.text is not None
        assert len(large.text) > 60_000
        count = 1_600  # 100 MB beside a cache of 256
        deadline = now() + timedelta(seconds=30)
        try:
            board.write([step_of(*(posted(n, large) for n in range(count)))], Freshness.LIVE, now())
        except StoreUnavailable:
            while board._pending:
                assert now() < deadline
                try:
                    board.resume(Freshness.LIVE, now())
                except StoreUnavailable:
                    gevent.sleep(0.05)
        assert document(database)["revision"] == count
        assert database.changes.count_documents({}) == count
        assert database.jobs.count_documents({}) == count
        assert board._batch_changes == batches.BATCH_CHANGES

    def test_a_transaction_that_mongodb_aborts_is_tried_again_in_halves(
        self, store: LiveStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        lsid = document(database)["writer"]["lsid"]
        insert, allowed = LiveBoard._insert, 2
        tried: list[int] = []

        def abort(self: LiveBoard, part: Batch, made: Entries) -> None:
            tried.append(len(part.changes))
            if len(part.changes) > allowed:
                database.client.admin.command("killSessions", [{"id": lsid}])
            insert(self, part, made)

        monkeypatch.setattr(LiveBoard, "_insert", abort)
        with pytest.raises(StoreUnavailable, match="aborted"):
            board.write([step_of(*map(posted, range(8)))], Freshness.LIVE, now())
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, now())
        allowed = 0
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, now())
        with pytest.raises(StoreUnavailable):
            board.resume(Freshness.LIVE, now())
        allowed = 8
        board.resume(Freshness.LIVE, now())
        assert tried[:4] == [8, 4, 2, 1]
        assert_written_once(database, 8)
        assert database.jobs.count_documents({"payload.truncated": True}) == 0

    def test_a_change_that_can_not_be_written_loses_its_payload(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        whole = decode(b'{"uuid": "u", "name": "n", "details": {"a": 1}}')
        poisons = [replace(whole, text="\ud800"), replace(whole, text="x" * 17 * 2**20)]
        changes = [posted(number) for number in range(20)]
        changes[3:3] = [posted(100 + number, poison) for number, poison in enumerate(poisons)]
        board.write([step_of(*changes)], Freshness.LIVE, now())
        assert_written_once(database, 22)
        cut = list(database.jobs.find({"name": {"$in": [change.name for change in changes[3:5]]}}))
        assert [job["payload"]["truncated"] for job in cut] == [True, True]
        assert {job["payload"]["text"] for job in cut} == {'{"uuid": "u", "name": "n"}'}
        assert {job["payload"]["sha256"] for job in cut} == {whole.sha256}
        kept = database.jobs.count_documents({"payload.truncated": False})
        assert kept == 20

    def test_a_change_that_has_no_payload_to_lose_is_refused_and_not_tried_for_ever(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        changes = [*map(posted, range(5)), posted(6, owner="\ud800"), posted(7)]
        with pytest.raises(StoreRefused, match="can't store"):
            board.write([step_of(*changes)], Freshness.LIVE, now())
        assert_written_once(database, 5)
        with pytest.raises(StoreRefused, match="can't store"):
            board.resume(Freshness.LIVE, now())
        assert_written_once(database, 5)
        assert document(database)["freshness"] == "catching_up"

    def test_a_refusal_that_is_not_about_the_changes_cuts_nothing(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        # As where somebody restored an older boards collection beside the changes.
        database.changes.insert_one({"_id": change_id(PATH, 3), "board": PATH, "revision": 3})
        with pytest.raises(StoreRefused):
            board.write([step_of(*map(posted, range(5)))], Freshness.LIVE, now())
        assert len(board._pending) == 1
        database.changes.delete_many({})
        board.resume(Freshness.LIVE, now())
        assert_written_once(database, 5)

    def test_every_hostile_payload_can_be_written(
        self, store: LiveStore, second: LiveStore, database: Database[Any]
    ) -> None:
        about = b'"uuid": "u", "name": "n"'
        hostile = [
            b'{"uuid": "u", "name": "n", "a": 1%s}' % (b"0" * 30),
            b'{"uuid": "u", "name": "n", "a": -1%s, "b": 1e999, "c": NaN}' % (b"0" * 400),
            b'{%s, "a\\u0000b": "\\u0000", "": 1, "$set": {"$where": 1}, "a.b": 2}' % about,
            b'{"uuid": "\\u0000", "name": "$x\\u0000", "\\ud800": "\\udfff\\ud800"}',
            b'{"uuid": "\\ud800", "name": "\\udc00\\ud800"}',
            b'{%s, "a": %s1%s}' % (about, b"[" * 300, b"]" * 300),
            b'{%s, "a": %s1%s}' % (about, b'{"a":' * 900, b"}" * 900),
            b"[" * 100_000,
            b'{%s, "a": %s' % (about, b"[" * 100_000),
            b'{"uuid": "%s", "name": "%s"}' % (b"\xf0\x9f\x90\xa6" * 1024, b"\\ud800" * 1024),
            b'{%s, "a": "%s"}' % (about, b"\\u0000" * 100_000),
            b'{%s, "a": [%s]}' % (about, b",".join([b'"%s"' % (b"\\ud800" * 8_192)] * 20)),
            b"{%s, %s}" % (about, b",".join(b'"%s%d": 1' % (b"\\" * 200, n) for n in range(999))),
            b'{%s, "a": 1%s}' % (about, b"0" * 900_000),
            b"\x00" * 1000,
            b"\xff\xfe" * 1000,
            b"",
            b"\xed\xa0\x80",
            bytes(range(256)) * 3000,
        ]
        hostile += [random.Random(size).randbytes(size) for size in (10, 1_000, 900_000)]
        payloads = [decode(each) for each in hostile]
        board = store.take(PATH, 7, yes, now())
        changes = [posted(number, payload) for number, payload in enumerate(payloads)]
        board.write([step_of(*changes)], Freshness.LIVE, now())
        assert_written_once(database, len(hostile))
        for change in changes:
            job = database.jobs.find_one({"name": change.name})
            assert job is not None
            assert change.payload is not None
            assert job["payload"]["text"] == change.payload.text
            assert job["payload"]["excerpt"] == change.payload.excerpt
            assert (job["uuid"], job["job_name"]) == (change.payload.uuid, change.payload.name)
            assert len(change.payload.text or "") <= MAX_TEXT
        restored = second.take(PATH, 8, yes, now()).state.jobs
        assert {name: job.uuid for name, job in restored.items()} == {
            change.name: change.uuid for change in changes
        }


def conductor(number: int) -> Conductor:
    return Conductor(f"conductor-{number}", "host", number, now(), number)


class TestTheRest:
    def test_nothing_is_marked_or_released_once_the_board_is_another_s(
        self, store: LiveStore, second: LiveStore, database: Database[Any]
    ) -> None:
        old = store.take(PATH, 7, yes, now())
        new = second.take(PATH, 8, yes, now())
        new.conductors.show([conductor(1)], now())
        before = document(database)
        with pytest.raises(Fenced):
            old.mark(Freshness.LIVE, now())
        with pytest.raises(Fenced):
            old.conductors.show([conductor(2)], now())
        old.release(now(), None, Reason.HANDOVER)
        assert document(database) == before
        shown = database.conductors.find_one({"_id": PATH})
        assert shown is not None
        assert [each["name"] for each in shown["conductors"]] == ["conductor-1"]

    def test_a_thousand_conductors_are_shown_and_replaced(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        names = ["\N{BIRD}" * 1024] + [f"conductor-{number}" for number in range(999)]
        shown = [
            replace(conductor(n), name=name, host="\N{BIRD}" * 1024) for n, name in enumerate(names)
        ]
        board.conductors.show(shown, now())
        found = database.conductors.find_one({"_id": PATH})
        assert found is not None
        assert [each["name"] for each in found["conductors"]] == names
        board.conductors.show([], now())
        found = database.conductors.find_one({"_id": PATH})
        assert found is not None
        assert found["conductors"] == []

    def test_a_released_board_is_unwatched_and_keeps_its_state(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        moment = now()
        watch.board.release(moment, None, Reason.HANDOVER)
        found = document(database)
        assert (found["writer"], found["freshness"]) == (None, "unwatched")
        assert found["freshness_since"] == moment
        assert watch.board._session.has_ended
        assert essence(store.take(PATH, 8, yes, now()).state) == essence(watch.state)

    def test_a_session_is_not_lent_again_while_a_board_names_it(
        self, store: LiveStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        board = store.take(PATH, 7, yes, now())
        lsid = document(store.database)["writer"]["lsid"]
        with monkeypatch.context() as patched:
            patched.setattr(board._fence, "_boards", _Away())
            with pytest.raises(StoreUnavailable):
                board.release(now(), None, Reason.HANDOVER)
        del board
        others = [store.database.client.start_session() for _ in range(5)]
        assert lsid not in [other.session_id["id"] for other in others]
        for other in others:
            other.end_session()

    def test_forgetting_boards_that_are_not_registered_any_more(
        self, store: LiveStore, second: LiveStore, database: Database[Any]
    ) -> None:
        kept, gone, anew = (f"{PATH}/{name}" for name in ("kept", "gone", "anew"))
        # Whatever the epochs: those of a rebuilt ensemble begin anew.
        boards = {
            path: store.take(path, epoch, yes, now())
            for path, epoch in ((kept, 5), (gone, 2**60), (anew, 50))
        }
        moment = now()
        store.forget_all_but([kept], lambda: [kept, anew], moment)
        registered = {each["_id"]: each["registered"] for each in database.boards.find()}
        assert registered == {kept: True, gone: False, anew: True}
        found = document(database, gone)
        assert (found["freshness"], found["freshness_since"]) == ("unwatched", moment)
        # Its writer may stand still in a transaction: the next taker has to find it.
        session = boards[gone]._session
        session.start_transaction()
        database_of = store.database
        database_of.boards.update_one({"_id": gone}, {"$inc": {"revision": 5}}, session=session)
        began = now()
        assert second.take(gone, 60, yes, now()).revision == 0
        assert now() - began < timedelta(seconds=10), "its transaction would stay for a minute"
        assert document(database, gone)["registered"] is True

    def test_what_is_registered_anew_while_others_are_forgotten_is_not_forgotten(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        store.take(PATH, 5, yes, now())

        def stands_still() -> list[str]:
            second.take(PATH, 6, yes, now())
            return []

        store.forget_all_but([], stands_still, now())
        assert document(store.database)["registered"] is True

    @pytest.mark.parametrize("is_known", [True, False])
    def test_a_board_that_is_removed_while_it_is_taken_is_not_registered_again(
        self, store: LiveStore, second: LiveStore, is_known: bool
    ) -> None:
        if is_known:
            store.take(PATH, 5, yes, now()).release(now(), None, Reason.HANDOVER)
        held = [True, False]

        def mine() -> bool:
            is_held = held.pop(0) if held else False
            if is_held:  # and no sooner is that said than it is removed
                second.forget_all_but([], list, now())
            return is_held

        with pytest.raises(Fenced, match="the claim on its watch job is lost"):
            store.take(PATH, 7, mine, now())
        assert document(store.database)["registered"] is False

    def test_a_board_that_was_forgotten_before_and_is_removed_while_it_is_taken(
        self, store: LiveStore, second: LiveStore
    ) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 5, yes, now()))
        watch.round()
        watch.board.release(now(), None, Reason.HANDOVER)
        second.forget_all_but([], list, now())
        held = [True, False]
        with pytest.raises(Fenced, match="the claim on its watch job is lost"):
            store.take(PATH, 7, lambda: held.pop(0), now())
        found = document(store.database)
        assert (found["registered"], found["writer"]) == (False, None)
        assert found["freshness"] == "unwatched"
        again = second.take(PATH, 8, yes, now())
        assert again.state.jobs == watch.state.jobs

    def test_a_heartbeat_is_by_mongodb_s_clock(
        self, store: LiveStore, database: Database[Any]
    ) -> None:
        store.beat({"host": "$host"}, None, [])
        found = database.workers.find_one({"_id": store.worker})
        assert found is not None
        assert (found["started_at"], found["host"]) == (store.started_at, "$host")
        server = database.client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
        assert abs(server - found["beat"]) < timedelta(seconds=2)
        store.beat({"host": "$host"}, None, [])
        again = database.workers.find_one({"_id": store.worker})
        assert again is not None
        assert again["beat"] > found["beat"]
        store.retire()
        store.retire()
        assert database.workers.count_documents({}) == 0


class _Away:
    """A database whose collections can't be reached."""

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable("away")
