"""When the watch of a board looks at it and tries again: at its own bounds, in virtual time.

The board itself is missing: what is read of one that is there has tests of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

import gevent
import pytest

from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable
from canary.model.changes import Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState
from canary.stores.writing.reconcile import Found, Reconciled
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper import board_watch
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.watchers.zookeeper.trash_collisions import CollisionsWatch
from canary.zookeeper import Contact
from tests.memory_board import MemoryBoard, MemoryStore
from tests.virtual_clock import VirtualClock

BEGIN = 1_000.0
INTERVAL = 60.0  # seconds between two comparisons


@dataclass
class Node:
    """The board's node, and what ZooKeeper answers to who asks for it."""

    clock: VirtualClock
    answer: CanaryError = field(default_factory=lambda: BoardMissing("no such board"))
    asked: list[float] = field(default_factory=list)
    wake: Callable[[], None] = lambda: None

    def watched(self, _client: object, _path: str, wake: Callable[[], None], *_: object) -> "Node":
        self.wake = wake
        return self

    def refresh(self) -> None:
        self.asked.append(self.clock.elapsed() - BEGIN)
        raise self.answer

    def check(self) -> bool:
        self.asked.append(self.clock.elapsed() - BEGIN)
        if not isinstance(self.answer, BoardMissing):
            raise self.answer
        return False

    def compare(self, _found: object, *, at_rest: bool) -> bool:
        return at_rest

    def distrust(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Reader:
    """What reads a board that is there: there is none."""

    def __init__(self, *_: object) -> None:
        """Take whatever it is given."""

    def payload(self, _job: object) -> None:
        """Return that there is none."""

    def let_go(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Board(MemoryBoard):
    """A board in memory that is compared with what ZooKeeper told."""

    reason, takes, registered, revision = Reason.HANDOVER, 1, True, 0
    compared: list[float]

    def reconcile(
        self, _state: BoardState, _found: Found, _moment: datetime, _wrong: list[str]
    ) -> Reconciled:
        self.compared.append(self._store.clock.elapsed() - BEGIN)
        return Reconciled()


@dataclass
class Pulse:
    """ZooKeeper's pulse, which a test gives."""

    clock: VirtualClock
    contact: Contact = Contact.ANSWERS
    listener: Callable[[Contact], None] = lambda _: None

    @property
    def until(self) -> datetime:
        return self.clock.now()

    def add_listener(self, listener: Callable[[Contact], None]) -> None:
        self.listener = listener

    def remove_listener(self, _: object) -> None:
        """Do nothing."""


class Client:
    """ZooKeeper's client, as far as a watch knows one."""

    session_timeout = 10.0
    listener: Callable[[str], None]

    def add_listener(self, listener: Callable[[str], None]) -> None:
        self.listener = listener

    def remove_listener(self, _: object) -> None:
        """Do nothing."""


@dataclass
class Scene:
    clock: VirtualClock
    node: Node
    store: MemoryStore
    pulse: Pulse
    client: Client
    compared: list[float]
    running: "gevent.Greenlet[[], None]"

    def shown(self) -> Freshness:
        return self.store.stored().freshness


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    clock = VirtualClock(BEGIN)
    node, pulse, client, store = Node(clock), Pulse(clock), Client(), MemoryStore(clock)
    monkeypatch.setattr(board_watch, "NodeWatch", node.watched)
    monkeypatch.setattr(board_watch, "BoardReader", Reader)
    taken = store.take()
    board = Board(store, taken.epoch, taken.state)
    board.compared = []
    context = WatchContext(cast("Any", client), cast("Any", pulse), INTERVAL, clock=clock)
    watch = BoardWatch(context, cast("Any", board))
    running: gevent.Greenlet[[], None] = gevent.spawn(watch.run)
    clock.advance(1.0)
    yield Scene(clock, node, store, pulse, client, board.compared, running)
    watch.stop()
    clock.advance(30.0)
    assert running.ready()


def test_a_board_that_may_be_read_again_is_seen_within_ten_seconds(scene: Scene) -> None:
    assert scene.shown() is Freshness.MISSING
    scene.node.answer = BoardDenied("no")
    scene.node.wake()
    scene.clock.advance(3_600.5)
    assert scene.shown() is Freshness.DENIED
    pauses = [after - before for before, after in pairwise(scene.node.asked[-20:])]
    assert pauses == [10.0] * 19, "and it is not asked all the time"
    scene.node.answer = BoardMissing("no such board")
    scene.clock.advance(10.0)
    assert scene.shown() is Freshness.MISSING


def test_one_that_may_no_longer_be_read_is_noticed_within_thirty_seconds(scene: Scene) -> None:
    scene.clock.advance(500.0)
    scene.node.answer = BoardDenied("no")  # ZooKeeper reports no such change
    scene.clock.advance(30.0)
    assert scene.shown() is Freshness.DENIED


def test_while_nothing_happens_it_is_not_asked_all_the_time(scene: Scene) -> None:
    scene.clock.advance(3_600.0)
    assert len(scene.node.asked) <= 3_600 / 30 + 3_600 / INTERVAL + 10


@pytest.mark.parametrize("error", [ZooKeeperUnavailable("no answer"), BoardDenied("no")])
def test_it_tries_again_after_half_a_second_and_then_less_often(
    scene: Scene, error: CanaryError
) -> None:
    scene.node.answer = error
    scene.node.asked.clear()
    scene.node.wake()
    scene.clock.advance(40.0)
    pauses = [after - before for before, after in pairwise(scene.node.asked)]
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])


def test_it_is_compared_every_interval(scene: Scene) -> None:
    scene.clock.advance(60.0)
    first = len(scene.compared)
    assert first >= 1, "the first time within an interval"
    scene.clock.advance(10 * INTERVAL)
    pauses = [after - before for before, after in pairwise(scene.compared)]
    assert max(pauses) <= INTERVAL
    assert len(scene.compared) - first == 10


def test_what_a_socket_or_the_pulse_reports_is_shown_at_once(scene: Scene) -> None:
    scene.node.answer = ZooKeeperUnavailable("no answer")
    reports: list[Callable[[], None]] = [
        lambda: scene.client.listener("SUSPENDED"),
        lambda: scene.pulse.listener(Contact.SILENT),
    ]
    for report in reports:
        scene.clock.advance(30.0)
        scene.node.answer = BoardMissing("no such board")
        scene.node.wake()
        scene.clock.advance(10.0)
        assert scene.shown() is Freshness.MISSING
        scene.node.answer = ZooKeeperUnavailable("no answer")
        report()
        scene.clock.advance(0.01)
        assert scene.shown() is Freshness.SUSPENDED


def test_a_session_that_is_over_ends_it_at_once(scene: Scene) -> None:
    scene.pulse.listener(Contact.LOST)
    scene.clock.advance(0.1)
    assert isinstance(scene.running.exception, ZooKeeperUnavailable)
    assert scene.store.stored().released is Reason.SUSPENDED


def test_claimed_jobs_are_looked_for_in_the_trash_every_fifteen_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, looks = VirtualClock(BEGIN), list[float]()
    monkeypatch.setattr(CollisionsWatch, "look", lambda _: looks.append(clock.elapsed() - BEGIN))
    fake = cast("Any", Client())
    context = WatchContext(fake, fake, INTERVAL, clock=clock)
    watch = CollisionsWatch(context, "/a", fake, lambda: True)
    running = gevent.spawn(watch.run)
    clock.advance(15.0)
    assert len(looks) == 1
    clock.advance(150.0)
    assert [after - before for before, after in pairwise(looks)] == pytest.approx([15.0] * 10)
    watch.stop()
    running.get(timeout=5)
