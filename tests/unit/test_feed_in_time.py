"""When the feed tries again and looks, and when a replay ends: in virtual time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import gevent
import pytest
from pymongo.errors import AutoReconnect

from canary.errors import StoreUnavailable
from canary.model.freshness import Freshness
from canary.stores.changestream import follow
from canary.stores.changestream import replay as replay_module
from canary.stores.changestream.dataset import DataSet
from canary.stores.changestream.events import Event, EventName
from canary.stores.changestream.follow import Feed
from canary.stores.changestream.replay import Replay
from canary.stores.queries.board_status import BEAT_LIMIT, BoardNow
from tests.streamed import MARK, a_board, place
from tests.virtual_clock import SoloClock, VirtualClock

BEGIN = 1_000.0
AWAIT = 0.5  # seconds for which MongoDB holds a call open


@dataclass
class MongoDB:
    """A MongoDB, as far as a feed knows one: its change stream, its boards, and when it was asked.

    The one board is watched by a worker whose last heartbeat was at ``beat``.
    """

    clock: VirtualClock
    away: bool = False
    breaks: bool = False  # the change stream alone
    alive: bool = True
    mark: str = MARK
    opens: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    beat: datetime | None = None
    resume_token: dict[str, str] = field(default_factory=lambda: {"_data": place(0)[len(MARK) :]})

    @contextmanager
    def opened(self, *_: object, **__: object) -> Iterator["MongoDB"]:
        self.opens.append(self.clock.elapsed() - BEGIN)
        self._follow()
        yield self

    def try_next(self) -> dict[str, Any] | None:
        self._follow()
        self.clock.sleep(AWAIT)
        return None

    def _follow(self) -> None:
        self.check()
        if self.breaks:
            raise AutoReconnect("broken")

    def check(self, _limit: float = 0.0) -> None:
        if self.away:
            raise StoreUnavailable("MongoDB does not answer")

    def read(self) -> DataSet:
        self.check()
        return DataSet(self.mark)

    def boards(self, *, with_own: bool) -> list[BoardNow]:
        assert with_own
        self.looks.append(self.clock.elapsed() - BEGIN)
        self.check()
        if self.beat is None:
            return []
        now, silent = self.clock.now(), self.beat + BEAT_LIMIT
        board = replace(a_board(), freshness_since=self.beat, now=now, silent_from=silent)
        if now >= silent:
            board = replace(board, freshness=Freshness.UNWATCHED, silent_from=None)
        return [board]


@dataclass
class Listener:
    """Where a feed publishes, and when it did."""

    clock: VirtualClock
    told: list[tuple[float, Event]] = field(default_factory=list)
    reached: list[float] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        self.told.append((self.clock.elapsed() - BEGIN, event))

    def reach(self, _: str) -> None:
        self.reached.append(self.clock.elapsed() - BEGIN)

    def seconds(self, wanted: Callable[[Event], bool]) -> list[float]:
        return [moment for moment, event in self.told if wanted(event)]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(BEGIN)


@pytest.fixture
def mongodb(clock: VirtualClock) -> MongoDB:
    return MongoDB(clock)


@pytest.fixture
def listener(clock: VirtualClock) -> Listener:
    return Listener(clock)


@pytest.fixture
def feed(
    clock: VirtualClock, mongodb: MongoDB, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Feed]:
    monkeypatch.setattr(follow, "opened", mongodb.opened)
    feed = Feed(cast("Any", None), cast("Any", mongodb), listener, clock)
    feed._datasets = cast("Any", mongodb)
    running = [gevent.spawn(feed._follow), gevent.spawn(feed._look)]
    yield feed
    feed.end()
    mongodb.away = mongodb.breaks = False
    clock.advance(10.0)
    assert all(each.ready() for each in running)


def pauses(moments: list[float]) -> list[float]:
    return [round(after - before, 6) for before, after in pairwise(moments)]


@pytest.mark.usefixtures("feed")
class TestTriesAgain:
    def test_less_and_less_often_and_every_two_seconds_at_least(
        self, mongodb: MongoDB, clock: VirtualClock
    ) -> None:
        mongodb.breaks = True
        clock.advance(30.0)
        assert pauses(mongodb.opens)[:5] == [0.1, 0.2, 0.5, 1.0, 2.0]
        assert set(pauses(mongodb.opens)[5:]) == {2.0}

    def test_it_follows_within_two_seconds_of_the_return(
        self, mongodb: MongoDB, clock: VirtualClock, listener: Listener
    ) -> None:
        mongodb.away = True
        clock.advance(123.4)
        mongodb.away = False
        clock.advance(2.0 + AWAIT)
        assert listener.told[-1][1].available

    def test_after_a_success_it_begins_anew(self, mongodb: MongoDB, clock: VirtualClock) -> None:
        mongodb.breaks = True
        clock.advance(30.0)
        mongodb.breaks = False
        clock.advance(10.0)
        mongodb.breaks = True
        before = len(mongodb.opens)
        clock.advance(3.0)
        assert pauses(mongodb.opens[before:])[:3] == [0.2, 0.5, 1.0]

    def test_what_ended_for_good_is_opened_anew_after_a_tenth_of_a_second(
        self, mongodb: MongoDB, clock: VirtualClock, listener: Listener
    ) -> None:
        clock.advance(5.2)
        mongodb.alive = False
        clock.advance(0.3 + 0.1)
        mongodb.alive = True
        assert mongodb.opens[1:] == [pytest.approx(5.6)]
        clock.advance(AWAIT)
        assert len(listener.seconds(lambda event: event.name is EventName.RESET)) == 2


@pytest.mark.usefixtures("feed")
class TestLooks:
    def test_the_position_is_told_every_half_second(
        self, clock: VirtualClock, listener: Listener
    ) -> None:
        clock.advance(20.0)
        assert max(pauses(listener.reached)) <= 0.5

    def test_the_boards_are_read_once_a_second(self, mongodb: MongoDB, clock: VirtualClock) -> None:
        clock.advance(20.0)
        assert set(pauses(mongodb.looks)[1:]) == {1.05}

    def test_and_at_once_when_one_changes_but_not_all_the_time(
        self, feed: Feed, mongodb: MongoDB, clock: VirtualClock
    ) -> None:
        clock.advance(5.5)
        before = len(mongodb.looks)
        for _ in range(1_000):
            feed._take({"ns": {"coll": "boards"}, "operationType": "insert"})
            clock.advance(0.001)
        assert mongodb.looks[before] == pytest.approx(5.5), "at once"
        assert set(pauses(mongodb.looks[before:])) <= {0.05, 0.051}

    @pytest.mark.parametrize("beat", [20.0 + number / 13 for number in range(13)])
    def test_that_a_worker_died_silently_is_told_within_three_seconds(
        self, mongodb: MongoDB, clock: VirtualClock, listener: Listener, beat: float
    ) -> None:
        begin = clock.now()
        clock.advance(0.01)
        for second in range(20):
            mongodb.beat = begin + timedelta(seconds=second)
            clock.advance(1.0)
        clock.advance(begin.timestamp() + beat - clock.now().timestamp())
        mongodb.beat = clock.now()
        died = clock.elapsed() - BEGIN
        clock.advance(10.0)

        def is_unwatched(event: Event) -> bool:
            return event.board is not None and event.board.freshness is Freshness.UNWATCHED

        [told] = listener.seconds(is_unwatched)
        assert died + 2.75 <= told <= died + 3.0

    def test_that_mongodb_does_not_answer_is_told_and_that_it_does_again(
        self, mongodb: MongoDB, clock: VirtualClock, listener: Listener
    ) -> None:
        clock.advance(20.0)
        mongodb.away = True
        clock.advance(20.0)
        mongodb.away = False
        clock.advance(20.0)
        store = [(at, event) for at, event in listener.told if event.name is EventName.STORE]
        assert [event.available for _, event in store] == [True, False, True]
        assert store[1][0] <= 20.0 + AWAIT
        assert store[2][0] <= 40.0 + 2.0 + AWAIT
        assert [event.since for _, event in store][1:] == [
            clock.now() - timedelta(seconds=60.0 - moment) for moment, _ in store[1:]
        ]

    @pytest.mark.parametrize("after", [number / 7 for number in range(7)])
    def test_that_mongodb_was_restored_is_told_within_two_seconds(
        self, mongodb: MongoDB, clock: VirtualClock, listener: Listener, after: float
    ) -> None:
        mongodb.beat = clock.now() + timedelta(hours=1)
        clock.advance(20.0 + after)
        mongodb.mark = MARK[::-1]  # as of another data set
        clock.advance(2.0)
        resets = listener.seconds(lambda event: event.name is EventName.RESET)
        assert len(resets) == 2


class TestReplay:
    @pytest.fixture
    def replay(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Replay, SoloClock]]:
        clock = SoloClock()
        mongodb = MongoDB(clock)
        monkeypatch.setattr(replay_module, "opened", mongodb.opened)
        monkeypatch.setattr(replay_module, "_check", lambda *_: None)
        replay = Replay(cast("Any", None), place(0), clock)
        yield replay, clock
        replay.close()

    def test_it_reads_until_its_deadline(self, replay: tuple[Replay, SoloClock]) -> None:
        reading, clock = replay
        deadline = clock.elapsed() + 60.0
        assert reading.read(place(5), 100, 1_000_000, deadline) == []
        assert deadline <= clock.elapsed() <= deadline + AWAIT + replay_module.PAUSE

    def test_it_pauses_where_nothing_comes(self, replay: tuple[Replay, SoloClock]) -> None:
        reading, clock = replay
        reading.read(place(5), 100, 1_000_000, clock.elapsed() + 10.0)
        assert clock.slept.count(replay_module.PAUSE) == clock.slept.count(AWAIT)
