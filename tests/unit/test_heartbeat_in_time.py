"""A worker's heartbeat, and what is made of one that does not come: in virtual time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from canary.errors import StoreUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.stores.mongo.documents import Behind
from canary.stores.queries.board_status import BEAT_LIMIT, BoardNow, _board_now
from canary.watchers.context import WatchContext
from canary.watchers.watermark import Lag
from canary.worker.heartbeat import Heartbeat
from tests.virtual_clock import VirtualClock

BEGIN = 1_000.0


@dataclass
class Store:
    """MongoDB, as far as a heartbeat knows one. Each call takes ``way`` seconds."""

    clock: VirtualClock
    way: float = 0.002
    is_away: bool = False
    beats: list[float] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)
    retired: bool = False

    def beat(self, _about: object, _until: datetime | None, behind: list[Behind]) -> datetime:
        self.call()
        self.beats.append(self.clock.elapsed() - BEGIN)
        self.behind = behind
        return self.clock.now()

    def retire(self) -> None:
        self.retired = True

    def call(self) -> None:
        self.clock.sleep(self.way)
        if self.is_away:
            raise StoreUnavailable("MongoDB does not answer")


@dataclass(eq=False)
class Watch:
    """The watch of a board. ``known`` is its lag."""

    store: Store
    known: Lag | None = None
    path: str = "/a"
    takes: int = 1
    registered: bool = True
    is_released: bool = False
    released: list[float] = field(default_factory=list)

    @property
    def board(self) -> "Watch":
        return self

    def lag(self) -> Lag | None:
        return self.known

    def release(self, _now: datetime, _known: datetime, reason: Reason) -> None:
        assert reason is Reason.RESTART
        self.store.call()
        self.released.append(self.store.clock.elapsed() - BEGIN)


@dataclass
class Scene:
    clock: VirtualClock
    store: Store
    heartbeat: Heartbeat
    stopping: Event
    running: "gevent.Greenlet[..., None]"
    fit: list[tuple[float, bool]]

    def leave(self) -> Watch:
        """Let the watch of a board end that MongoDB did not record."""
        watch = Watch(self.store)
        self.heartbeat.add(cast("Any", watch))
        self.heartbeat.remove(cast("Any", watch))
        return watch

    def changes(self) -> list[tuple[float, bool]]:
        """Return when it was said that this worker can work, and that it can't."""
        before = [True, *(is_fit for _, is_fit in self.fit)]
        return [each for last, each in zip(before, self.fit, strict=False) if each[1] is not last]


@pytest.fixture
def scene() -> Iterator[Scene]:
    clock = VirtualClock(BEGIN)
    store = Store(clock)
    pulse = cast("Any", type("Pulse", (), {"until": clock.now()}))
    context = WatchContext(cast("Any", None), pulse, 60.0, clock=clock)
    heartbeat, stopping = Heartbeat(cast("Any", store), context), Event()
    running: gevent.Greenlet[..., None] = gevent.spawn(heartbeat.run, stopping)
    fit = list[tuple[float, bool]]()
    judging: gevent.Greenlet[..., None] = gevent.spawn(
        heartbeat.judge, lambda is_fit: fit.append((clock.elapsed() - BEGIN, is_fit)), stopping
    )
    yield Scene(clock, store, heartbeat, stopping, running, fit)
    stopping.set()
    gevent.joinall([running, judging], timeout=5, raise_error=True)


class TestBeats:
    def test_it_comes_once_a_second(self, scene: Scene) -> None:
        scene.clock.advance(30.5)
        pauses = [b - a for a, b in zip(scene.store.beats, scene.store.beats[1:], strict=False)]
        assert pauses == pytest.approx([1.0 + scene.store.way] * len(pauses))
        assert len(pauses) == 29 + 1

    @pytest.mark.parametrize("way", [0.002, 0.2, 0.7])
    def test_it_is_never_as_old_as_one_that_nobody_sends(self, scene: Scene, way: float) -> None:
        scene.store.way = way
        for _ in range(500):
            scene.clock.advance(0.03)
            beats = scene.store.beats
            assert scene.clock.elapsed() - BEGIN - (beats[-1] if beats else 0.0) < 2.75

    def test_it_comes_again_within_a_second_of_mongodb_s_return(self, scene: Scene) -> None:
        scene.store.is_away = True
        scene.clock.advance(3_600.3)
        before = len(scene.store.beats)
        scene.store.is_away = False
        scene.clock.advance(1.0 + 2 * scene.store.way)
        assert len(scene.store.beats) == before + 1

    def test_a_board_that_was_left_is_named_until_that_is_recorded(self, scene: Scene) -> None:
        scene.clock.advance(10.5)
        scene.store.is_away = True
        watch, left = scene.leave(), scene.clock.now()
        scene.clock.advance(60.0)
        scene.store.is_away = False
        scene.clock.advance(1.0 + 2 * scene.store.way)
        assert scene.store.behind == [Behind("/a", 1, left, left, watched=False)]
        assert len(watch.released) == 1, "with the first heartbeat that is accepted"
        scene.clock.advance(1.0 + 2 * scene.store.way)
        assert scene.store.behind == []

    def test_it_is_removed_at_the_end(self, scene: Scene) -> None:
        scene.clock.advance(10.5)
        scene.stopping.set()
        scene.clock.advance(0.0)
        assert scene.running.ready()
        assert scene.store.retired


class TestFit:
    def test_who_has_not_reached_mongodb_for_five_seconds_is_not(self, scene: Scene) -> None:
        scene.clock.advance(10.5)
        scene.store.is_away = True
        last = scene.store.beats[-1]
        scene.clock.advance(last + 5.0 - 0.1 - (scene.clock.elapsed() - BEGIN))
        assert scene.changes() == []
        scene.clock.advance(0.1 + 1.0)
        [(at, is_fit)] = scene.changes()
        assert not is_fit
        assert last + 5.0 <= at <= last + 6.0

    def test_it_is_again_within_two_seconds_of_mongodb_s_return(self, scene: Scene) -> None:
        scene.store.is_away = True
        scene.clock.advance(60.4)
        scene.store.is_away = False
        scene.clock.advance(2.0 + 2 * scene.store.way)
        assert [is_fit for _, is_fit in scene.changes()] == [False, True]

    def test_an_outage_that_is_short_moves_nothing(self, scene: Scene) -> None:
        for _ in range(20):
            scene.clock.advance(3.7)
            scene.store.is_away = not scene.store.is_away
        assert scene.changes() == []


NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


def shown(*, beat: timedelta, noticed: timedelta | None = None) -> BoardNow:
    """Return a live board whose worker's heartbeat is so old.

    So long before that heartbeat it was ``noticed`` that there is more to store.
    """
    sent = NOW - beat
    document: dict[str, Any] = {
        "_id": "/a",
        "registered": True,
        "freshness": "live",
        "freshness_since": NOW - timedelta(hours=1),
        "seen_at": NOW - timedelta(hours=1),
        "watched_since": NOW - timedelta(hours=2),
        "now": NOW,
        "beat": sent,
        "until": sent,
        "is_beating": beat < BEAT_LIMIT,  # as MongoDB computes it
    }
    if noticed is not None:
        since = sent - noticed
        document["behind"] = {"since": since, "noticed": since, "watched": True}
    return _board_now(document)


class TestShown:
    """What is said of a board, by the heartbeat of its worker."""

    def test_one_that_is_two_and_three_quarter_seconds_old_is_its_last(self) -> None:
        assert shown(beat=timedelta(seconds=2.749)).freshness is Freshness.LIVE
        assert shown(beat=timedelta(seconds=2.75)).freshness is Freshness.UNWATCHED
        assert shown(beat=timedelta(seconds=1.0)).silent_from == NOW + timedelta(seconds=1.75)

    def test_a_board_for_which_something_has_waited_for_a_second_is_catching_up(self) -> None:
        at_once = timedelta(seconds=0.1)
        assert shown(beat=at_once, noticed=timedelta(seconds=1.0)).freshness is Freshness.LIVE
        late = shown(beat=at_once, noticed=timedelta(seconds=1.001))
        assert late.freshness is Freshness.CATCHING_UP
        assert late.live_until == NOW - timedelta(seconds=1.101)
