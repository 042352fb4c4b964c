"""What is written of a board is written once and counted once, whatever answers are lost.

On a real MongoDB behind a proxy that loses requests, or the answers to what was done. After each
test what the board's document counts is what its gaps and changes say.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from canary.config import MongoOptions
from canary.errors import Fenced, StoreUnavailable
from canary.model.changes import Gap, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.observer import Written
from canary.stores.mongo.client import connect, ensure_schema
from canary.stores.mongo.documents import Document
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.reconcile import Found
from canary.stores.writing.take import LiveStore
from tests.faults.judge import counts
from tests.integration.databases import empty
from tests.integration.hand_watch import HandWatch, busy_history, essence, now
from tests.integration.lossy_proxy import COMMIT, UPDATE, Lose, LossyProxy
from tests.unit.board_history import OPERATIONS, History, operate
from tests.waiting import eventually

#: Without those after which nobody can count what was done before.
COUNTABLE: Final = [
    name for name in OPERATIONS if "board" not in name and name not in {"clear", "restore"}
]
PATH: Final = "/lbaas/jobs"
FOREVER: Final = 2**31 - 1  # seconds; what History makes happened in 2024


@pytest.fixture(scope="module")
def options() -> MongoOptions:
    return MongoOptions(
        uri=os.environ["OS_MONGO__URI"],
        database=f"fence-{os.getpid()}",
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
    empty(prepared)
    return prepared


@pytest.fixture
def store(database: Database[Document]) -> LiveStore:
    """A worker that reaches MongoDB directly."""
    return LiveStore(database, "near")


@pytest.fixture(scope="module")
def proxy(options: MongoOptions) -> Iterator[LossyProxy]:
    client: MongoClient[Document] = MongoClient(options.uri)
    client.admin.command("ping")
    address = client.address
    client.close()
    assert address is not None
    proxy = LossyProxy(*address)
    proxy.start()
    yield proxy
    proxy.stop()


class Counting:
    """An observer that keeps what it was told, as the metrics of a worker do."""

    def __init__(self) -> None:
        self.written: list[Written] = []

    def looked(self, board: str, seconds: float) -> None:
        pass

    def wrote(self, written: Written) -> None:
        self.written.append(written)

    def failed(self, board: str) -> None:
        pass


@pytest.fixture
def observer() -> Counting:
    return Counting()


@pytest.fixture
def far(options: MongoOptions, proxy: LossyProxy, observer: Counting) -> Iterator[LiveStore]:
    """A worker that reaches MongoDB through the proxy."""
    proxy.mend()
    database = proxy.connect(options.database)
    yield LiveStore(database, "far", observer)
    proxy.mend()
    database.client.close()


def yes() -> bool:
    return True


def document_or_none(database: Database[Document]) -> Document | None:
    return database.boards.find_one({"_id": PATH})


def document(database: Database[Document]) -> Document:
    found = document_or_none(database)
    assert found is not None
    return found


def assert_right(database: Database[Document]) -> None:
    """The board's document counts what there is, and every change is there once."""
    board, gaps = document(database), list(database.gaps.find({"board": PATH}))
    assert list(counts(board, gaps)) == []
    log = list(database.changes.find({"board": PATH}).sort("revision", 1))
    assert [change["revision"] for change in log] == list(range(1, board["revision"] + 1))


def at_last(again: Callable[[], object]) -> object:
    """Try until MongoDB, which is let through again, is found: it may take the driver a moment."""
    said: list[object] = []

    def is_done() -> bool:
        try:
            said.append(again())
        except StoreUnavailable:
            return False
        return True

    eventually(is_done)
    return said[0]


class Doing:
    """One kind of write of a board that ``far`` has taken: ``first``, and ``again`` if it failed.

    ``wanted`` is what the proxy loses of it.
    """

    wanted = COMMIT

    def __init__(self, watch: HandWatch, database: Database[Document]) -> None:
        self.watch, self.database = watch, database
        self.board = watch.board
        self.moment = now()

    def first(self) -> None:
        raise NotImplementedError

    def again(self) -> None:
        self.first()

    def assert_done(self) -> None:
        """It was done, once."""
        raise NotImplementedError

    def assert_not_done(self) -> None:
        """It was not done."""
        raise NotImplementedError


class Gaps(Doing):
    """Several were created and deleted between two looks, and no change is left to be told."""

    def first(self) -> None:
        gap = Gap(self.moment, self.moment + timedelta(seconds=1), Reason.COALESCED, 3, 2)
        self.board.write([Step(self.watch.state, (), (gap,))], Freshness.LIVE, now())

    def again(self) -> None:
        self.board.resume(Freshness.LIVE, now())

    def assert_done(self) -> None:
        missed = {"gaps": {"coalesced": 1}, "creates": 3, "deletes": 2}
        assert document(self.database)["missed"] == missed
        assert self.database.gaps.count_documents({}) == 1

    def assert_not_done(self) -> None:
        assert "missed" not in document(self.database)
        assert self.database.gaps.count_documents({}) == 0


class Changes(Gaps):
    """A change, and with it a gap."""

    def first(self) -> None:
        history = self.watch.history
        history.post()
        for _ in range(2):  # posted and gone before anybody looked
            history.post()
            history.claim(history.jobs()[-1], 1)
            history.consume(history.jobs()[-1])
        self.revision = self.board.revision
        self.board.write([self.watch.look()], Freshness.LIVE, now())

    def assert_done(self) -> None:
        missed = {"gaps": {"coalesced": 1}, "creates": 4, "deletes": 4}
        assert document(self.database)["missed"] == missed
        assert document(self.database)["revision"] == self.revision + 1

    def assert_not_done(self) -> None:
        super().assert_not_done()
        assert document(self.database)["revision"] == self.revision


class Repair(Doing):
    """A hand was at work in MongoDB."""

    words: tuple[str, ...] = ()

    def first(self) -> None:
        a_claim = {"board": PATH, "state": "CLAIMED"}
        self.database.jobs.update_one(a_claim, {"$set": {"owner": "eve"}})
        self.again()

    def again(self) -> None:
        found = Found({}, self.moment)
        said = self.board.reconcile(self.watch.state, found, now(), ["said before"]).words
        self.words += said

    def assert_done(self) -> None:
        found = document(self.database)
        assert found["missed"] == {"gaps": {"drift": 1}}
        assert self.database.jobs.count_documents({"owner": "eve"}) == 0

    def assert_not_done(self) -> None:
        found = document(self.database)
        assert (found["drift"], "missed" in found) == (0, False)
        assert self.database.jobs.count_documents({"owner": "eve"}) == 1


class Mark(Doing):
    wanted = UPDATE

    def first(self) -> None:
        self.board.mark(Freshness.SUSPENDED, self.moment)

    def assert_done(self) -> None:
        found = document(self.database)
        assert (found["freshness"], found["freshness_since"]) == ("suspended", self.moment)

    def assert_not_done(self) -> None:
        assert document(self.database)["freshness"] == "live"


class Release(Doing):
    wanted = UPDATE

    def first(self) -> None:
        self.board.release(self.moment, self.moment, Reason.HANDOVER)

    def assert_done(self) -> None:
        found = document(self.database)
        assert (found["writer"], found["released"]) == (None, "handover")
        assert (found["freshness"], found["freshness_since"]) == ("unwatched", self.moment)

    def assert_not_done(self) -> None:
        assert document(self.database)["writer"] is not None


KINDS: Final = (Gaps, Changes, Repair, Mark, Release)


@pytest.fixture
def watch(far: LiveStore, database: Database[Document]) -> HandWatch:
    assert document_or_none(database) is None
    watch = HandWatch(busy_history(), far.take(PATH, 7, yes, now()))
    watch.round()
    return watch


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("lose", Lose)
@pytest.mark.parametrize("kind", KINDS)
class TestEach:
    """Each kind of write, of which the question or the answer is lost, once and twice in a row."""

    def test_is_done_once(
        self,
        watch: HandWatch,
        proxy: LossyProxy,
        database: Database[Document],
        observer: Counting,
        kind: type[Doing],
        lose: Lose,
        times: int,
    ) -> None:
        doing, losses = kind(watch, database), proxy.losses
        proxy.lose(lose, doing.wanted)
        with pytest.raises(StoreUnavailable):
            doing.first()
        assert proxy.losses == losses + 1
        (doing.assert_done if lose is Lose.ANSWER else doing.assert_not_done)()
        for _ in range(times - 1):
            proxy.mend()
            proxy.lose(lose, UPDATE)  # whichever it begins with
            with pytest.raises(StoreUnavailable):
                doing.again()
        proxy.mend()
        at_last(doing.again)
        doing.assert_done()
        assert_right(database)
        assert doing.board._session.has_ended is isinstance(doing, Release)
        if isinstance(doing, Repair):
            assert sorted(set(doing.words)) == sorted(doing.words[:2])
            assert document(database)["drift"] == len(doing.words)
        unseen = sum(gap.creates or 0 for each in observer.written for gap in each.gaps)
        assert unseen == document(database).get("missed", {}).get("creates", 0)
        taken = LiveStore(database, "near").take(PATH, 8, yes, now())
        if isinstance(doing, Changes):
            assert essence(taken.state) == essence(watch.state)

    def test_nothing_is_done_after_a_taker_in_between(
        self,
        watch: HandWatch,
        proxy: LossyProxy,
        store: LiveStore,
        kind: type[Doing],
        lose: Lose,
        times: int,
    ) -> None:
        doing = kind(watch, store.database)
        proxy.lose(lose, doing.wanted)
        with pytest.raises(StoreUnavailable):
            doing.first()
        (doing.assert_done if lose is Lose.ANSWER else doing.assert_not_done)()
        taken = store.take(PATH, 8, yes, now())
        after = document(store.database)
        for _ in range(times):
            proxy.mend()
            if isinstance(doing, Release):
                at_last(doing.again)
                break
            with pytest.raises(Fenced):
                at_last(doing.again)
        assert document(store.database) == after
        assert_right(store.database)
        taken.mark(Freshness.LIVE, now())


@pytest.mark.parametrize("mark", [None, *Lose])
@pytest.mark.parametrize("lose", Lose)
@pytest.mark.parametrize("kind", [Gaps, Changes, Repair])
def test_of_two_that_are_in_doubt_the_one_that_was_done_is_recognised(
    watch: HandWatch,
    proxy: LossyProxy,
    database: Database[Document],
    kind: type[Doing],
    lose: Lose,
    mark: Lose | None,
) -> None:
    """As where an outbox, before it tries again, admits that the board is behind."""
    doing = kind(watch, database)
    proxy.lose(lose)
    with pytest.raises(StoreUnavailable):
        doing.first()
    proxy.mend()
    if mark is None:
        at_last(lambda: doing.board.mark(Freshness.CATCHING_UP, now()))
    else:
        proxy.lose(mark, UPDATE)
        with pytest.raises(StoreUnavailable):
            doing.board.mark(Freshness.CATCHING_UP, now())
        proxy.mend()
    at_last(doing.again)
    doing.assert_done()
    assert_right(database)


def test_gaps_of_one_interval_at_one_revision_are_kept_each(
    store: LiveStore, database: Database[Document]
) -> None:
    board = store.take(PATH, 7, yes, now())
    moment = now()
    gap = Gap(moment, moment + timedelta(seconds=1), Reason.COALESCED, 3, 2)
    for _ in range(2):
        board.write([Step(BoardState(seen_at=moment), (), (gap,))], Freshness.LIVE, now())
    assert database.gaps.count_documents({"board": PATH}) == 2
    assert_right(database)


def test_every_write_moves_the_counter_and_only_changes_the_revision(
    store: LiveStore, database: Database[Document]
) -> None:
    watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
    changes, last = len(watch.round().changes), document(database)["writes"]
    for kind in (Gaps, Repair, Mark, Release):
        kind(watch, database).first()
        found = document(database)
        assert (found["writes"] > last, found["revision"]) == (True, changes), kind
        last = found["writes"]


class TestByHand:
    """A hand took the counter out of the board's document, or wrote something else there."""

    @pytest.mark.parametrize("left", ["nothing", None, "x", 1.5, True, [4], {}, -3])
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_put_back_and_counted(
        self, store: LiveStore, kind: type[Doing], left: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        doing, database = kind(watch, store.database), store.database
        change: Document = {"$set": {"writes": left}}
        if left == "nothing":
            change = {"$unset": {"writes": ""}}
        database.boards.update_one({"_id": PATH}, change)
        doing.first()
        doing.assert_done()
        assert_right(database)
        found = document(database)
        assert found["drift"] == (3 if kind is Repair else 1)
        assert isinstance(found["writes"], int)
        assert "the board's counter of writes" in caplog.text
        if kind is not Release:
            watch.history.post()
            watch.round()
            assert_right(database)

    @pytest.mark.parametrize("left", ["nothing", None, "x", -3])
    def test_who_takes_the_board_puts_it_back(
        self,
        store: LiveStore,
        database: Database[Document],
        left: object,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Where there is none at all it may be from before there was one: that is no difference."""
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        gaps = Gaps(watch, database)
        gaps.first()
        known = document(database)["writes"]
        change: Document = {"$set": {"writes": left}}
        if left == "nothing":
            change = {"$unset": {"writes": ""}}
        database.boards.update_one({"_id": PATH}, change)
        gaps.board = store.take(PATH, 8, yes, now())
        is_wrong = left != "nothing"
        assert document(database)["drift"] == int(is_wrong)
        assert ("the board's counter of writes" in caplog.text) is is_wrong
        assert document(database)["writes"] > known
        gaps.first()
        assert database.gaps.count_documents({}) == 2
        assert_right(database)

    def test_where_the_last_write_is_in_doubt_the_board_is_to_be_taken_anew(
        self, watch: HandWatch, proxy: LossyProxy, store: LiveStore
    ) -> None:
        gaps = Gaps(watch, store.database)
        proxy.lose(Lose.ANSWER)
        with pytest.raises(StoreUnavailable):
            gaps.first()
        proxy.mend()
        store.database.boards.update_one({"_id": PATH}, {"$unset": {"writes": ""}})
        with pytest.raises(Fenced, match="taken again"):
            at_last(gaps.again)
        store.take(PATH, 8, yes, now()).mark(Freshness.LIVE, now())
        gaps.assert_done()
        assert_right(store.database)

    def test_another_number_is_somebody_else_s(self, store: LiveStore) -> None:
        watch = HandWatch(busy_history(), store.take(PATH, 7, yes, now()))
        watch.round()
        store.database.boards.update_one({"_id": PATH}, {"$inc": {"writes": 5}})
        with pytest.raises(Fenced, match="something else wrote"):
            watch.board.mark(Freshness.LIVE, now())
        store.take(PATH, 8, yes, now()).mark(Freshness.LIVE, now())


class Machine:
    """A random walk over all that is written of a board, with losses of each kind at any place."""

    def __init__(
        self, seed: int, far: LiveStore, near: LiveStore, proxy: LossyProxy, history: History
    ) -> None:
        self.choose = random.Random(seed)
        self.far, self.near, self.proxy, self.history = far, near, proxy, history
        self.epoch, self.drift, self.said, self.lost = 1, 0, 0, 0
        self.watch = HandWatch(history, far.take(PATH, 1, yes, now()))
        self.watch.round()  # of a board on which nothing has happened yet

    @property
    def board(self) -> LiveBoard:
        return self.watch.board

    def step(self) -> None:
        kinds = (self.look, self.look, self.gap, self.repair, self.mark, self.take, self.release)
        self.choose.choice(kinds)()

    def until_done(self, first: Callable[[], object], again: Callable[[], object]) -> object:
        """Do it, and again until it succeeds, losing something now and then; say what it said."""
        what = first
        for chance in (0.5, 0.5, 0.3):
            if self.choose.random() < chance:
                wanted = self.choose.choice((COMMIT, UPDATE))
                self.proxy.lose(self.choose.choice(list(Lose)), wanted)
            try:
                return what()
            except StoreUnavailable:
                self.lost += 1
                what = again
                self.proxy.mend()
                if self.choose.random() < 0.3:  # a mark in between
                    if self.choose.random() < 0.5:
                        self.proxy.lose(self.choose.choice(list(Lose)), UPDATE)
                    with suppress(StoreUnavailable):
                        self.board.mark(Freshness.CATCHING_UP, now())
            finally:
                self.proxy.mend()
        return at_last(what)

    def write(self, step: Step) -> None:
        self.until_done(
            lambda: self.board.write([step], Freshness.LIVE, now()),
            lambda: self.board.resume(Freshness.LIVE, now()),
        )

    def look(self) -> None:
        for _ in range(self.choose.randrange(4)):
            operate(self.history, self.choose.choice(COUNTABLE), self.choose.randrange(1000))
        self.write(self.watch.look())

    def gap(self) -> None:
        for _ in range(self.choose.randrange(1, 3)):
            self.history.post()
            self.history.claim(self.history.jobs()[-1], 1)
            self.history.consume(self.history.jobs()[-1])
        self.write(self.watch.look())

    def repair(self) -> None:
        database = self.near.database
        damage = {"$set": {"owner": f"eve-{self.drift}"}}
        on_board = {"board": PATH, "state": {"$ne": "COMPLETE"}}
        self.drift += database.jobs.update_one(on_board, damage).modified_count
        found = Found({}, now())

        def compare() -> int:
            return len(self.board.reconcile(self.watch.state, found, now()).words)

        said = self.until_done(compare, compare)
        assert isinstance(said, int)
        self.said += said

    def mark(self) -> None:
        freshness = self.choose.choice([Freshness.LIVE, Freshness.SUSPENDED])
        moment = now()

        def mark() -> None:
            self.board.mark(freshness, moment)

        self.until_done(mark, mark)

    def take(self) -> None:
        """Another comes, perhaps in the middle of a write, and whoever wrote is fenced."""
        former = self.board
        state: BoardState | None = self.watch.state
        if self.choose.random() < 0.5:
            step = self.watch.look()
            self.proxy.lose(self.choose.choice(list(Lose)))
            try:
                former.write([step], Freshness.LIVE, now())
                state = self.watch.state
            except StoreUnavailable:
                self.lost += 1
                state = None
            self.proxy.mend()
        self.epoch += 1
        self.watch = HandWatch(self.history, self.near.take(PATH, self.epoch, yes, now()))
        if state is not None:
            assert essence(self.watch.state) == essence(state)
        before = document(self.near.database)
        if former._pending:
            with pytest.raises(Fenced):
                at_last(lambda: former.resume(Freshness.LIVE, now()))
        at_last(lambda: former.release(now(), now(), Reason.HANDOVER))
        assert document(self.near.database) == before
        self.release()  # so that the far one may have it again

    def release(self) -> None:
        board = self.board

        def release() -> None:
            board.release(now(), None, Reason.HANDOVER)

        self.until_done(release, release)
        self.epoch += 1
        self.watch = HandWatch(self.history, self.far.take(PATH, self.epoch, yes, now()))


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_writes_and_losses_is_counted_once(
    far: LiveStore,
    store: LiveStore,
    proxy: LossyProxy,
    database: Database[Document],
    seed: int,
) -> None:
    machine = Machine(seed, far, store, proxy, History())
    for _ in range(20):
        machine.step()
        assert_right(database)
    machine.look()
    machine.repair()
    board = document(database)
    assert board["told"]["creates"] == board["told"]["deletes"] == 0
    assert board["drift"] == machine.drift == machine.said
    assert machine.lost > 3
    assert_account_closes(machine, database)


def assert_account_closes(machine: Machine, database: Database[Document]) -> None:
    """Changes and gaps explain all that was done on the board."""
    gaps: list[dict[str, Any]] = list(database.gaps.find({"board": PATH}))
    changes = list(database.changes.find({"board": PATH}))
    explained = [sum(each[name] for each in (*changes, *gaps)) for name in ("creates", "deletes")]
    events = machine.history.events
    creates = sum(event.is_create for event in events)
    assert explained == [creates, len(events) - creates]
    assert len(events) > 10
