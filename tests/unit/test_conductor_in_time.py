"""When a conductor looks, tries again, gives up and takes over: in virtual time.

Several conductors share one board in memory. ZooKeeper tells each of them of every change at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from canary.errors import ZooKeeperUnavailable
from canary.model.observations import Stat
from canary.registry.registry import Registered, WatchJob
from canary.worker import conductor as conductor_module
from canary.worker.claims import Claim
from canary.worker.conductor import WatchConductor
from tests.virtual_clock import VirtualClock

BEGIN = 1_000.0
SESSION = 10.0  # seconds


@dataclass
class Board:
    """Canary's own board and its workers, and who is told of a change."""

    jobs: dict[str, WatchJob] = field(default_factory=dict)
    locks: dict[str, tuple[int, str]] = field(default_factory=dict)  # zxid and worker, by job
    workers: dict[str, int] = field(default_factory=dict)  # capacities
    wakes: list[Callable[[], None]] = field(default_factory=list)
    zxid: int = 1
    is_away: bool = False

    def changed(self) -> None:
        self.zxid += 1
        for wake in self.wakes:
            wake()

    def add(self, *paths: str) -> None:
        for path in paths:
            name = f"job{len(self.jobs):010d}"
            self.jobs[name] = WatchJob(name, "u", path, self.zxid, claimed=False)
        self.changed()

    def look(self) -> Registered:
        if self.is_away:
            raise ZooKeeperUnavailable("away")
        jobs = tuple(replace(job, claimed=job.name in self.locks) for job in self.jobs.values())
        return Registered(Stat(1, self.zxid, self.zxid, len(jobs)), jobs, frozenset(self.jobs))

    def lose(self, name: str) -> None:
        """Let the session of a worker end."""
        self.workers.pop(name, None)
        self.locks = {job: lock for job, lock in self.locks.items() if lock[1] != name}
        self.changed()


class Worker:
    """A conductor on ``board``. A board whose path is in ``fails`` can't be watched."""

    def __init__(self, board: Board, clock: VirtualClock, name: str, max_boards: int = 100) -> None:
        self.board, self.clock, self.name = board, clock, name
        self.path, self.connected, self.client = "/canary/jobs", True, self
        self.call_timeout, self.session = 10.0, 1
        self.capacity = max_boards
        self.looks: list[float] = []
        self.fails: dict[str, Exception] = {}
        self.hangs = False
        self.began: list[tuple[float, str]] = []
        self.ended: list[tuple[float, str]] = []
        self.conductor = WatchConductor(
            name, cast("Any", self), self._watch, self._looked, max_boards, clock
        )
        self.entity = self.conductor.members.entity
        self.conductor.members.close()
        fake = cast("Any", self)
        self.conductor.members = self.conductor.claims = self.conductor._registry = fake
        self.running: gevent.Greenlet[[], None] = gevent.spawn(self.conductor.run)

    def boards(self) -> list[str]:
        return sorted(self.conductor.boards())

    def tries(self, path: str) -> list[float]:
        return [moment for moment, each in self.began if each == path]

    def _watch(self, claim: Claim, stop: Event) -> None:
        path = claim.job.path
        self.began.append((self.clock.elapsed() - BEGIN, path))
        if path in self.fails:
            raise self.fails[path]
        stop.wait()
        if self.hangs:
            self.clock.sleep(3_600.0)
        self.ended.append((self.clock.elapsed() - BEGIN, path))

    def _looked(self, _: Registered) -> None:
        self.looks.append(self.clock.elapsed() - BEGIN)

    # As the registry and the claims.

    def look(self) -> Registered:
        return self.board.look()

    def may_be_made(self, job: WatchJob) -> bool:
        return not job.claimed

    def make(self, job: WatchJob) -> Claim | None:
        if job.name in self.board.locks:
            return None
        self.board.changed()
        self.board.locks[job.name] = self.board.zxid, self.name
        held = cast("Any", Held(f"{self.path}/{job.name}"))
        return Claim(job, self.board.zxid, 1, held)

    def abandon(self, claim: Claim) -> None:
        if self.board.locks.get(claim.job.name, (0, ""))[0] == claim.epoch:
            del self.board.locks[claim.job.name]
            self.board.changed()

    def forget_all_but(self, _: set[str]) -> None:
        """Do nothing: nothing is uncertain here."""

    # As the members.

    def join(self) -> bool:
        if self.entity.name not in self.board.workers:
            self.board.workers[self.entity.name] = self.capacity
            self.board.changed()
        return True

    def withdraw(self) -> bool:
        if self.board.workers.pop(self.entity.name, None) is not None:
            self.board.changed()
        return True

    def capacities(self) -> dict[str, int]:
        return dict(self.board.workers)

    def close(self) -> None:
        self.withdraw()

    # As the client.

    def revive(self) -> None:
        """Do nothing."""

    def add_listener(self, _: object) -> None:
        """Do nothing."""

    def remove_listener(self, _: object) -> None:
        """Do nothing."""


@dataclass
class Held:
    path: str


class Watched:
    """ZooKeeper's watches of the board, which tell of every change."""

    board: Board

    def __init__(self, _client: object, _path: str, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.board.wakes.append(wake)

    def refresh(self) -> None:
        if self.board.is_away:
            raise ZooKeeperUnavailable("away")

    def close(self) -> None:
        self.board.wakes.remove(self._wake)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(BEGIN)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    board = Board()
    monkeypatch.setattr(Watched, "board", board, raising=False)
    monkeypatch.setattr(conductor_module, "NodeWatch", Watched)
    return board


Make = Callable[..., Worker]


@pytest.fixture
def make(board: Board, clock: VirtualClock) -> Iterator[Make]:
    made: list[Worker] = []

    def make(name: str, max_boards: int = 100) -> Worker:
        made.append(Worker(board, clock, name, max_boards))
        gevent.idle()
        return made[-1]

    yield make
    for worker in made:
        worker.conductor.stop()
    clock.advance(20.0)
    for worker in made:
        worker.running.get(timeout=5)


def paths(count: int) -> list[str]:
    return [f"/b{number:02d}" for number in range(count)]


class TestLooks:
    def test_it_reads_the_board_every_half_minute_if_nothing_happens(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add("/a")
        worker = make("w")
        clock.advance(5.0)
        worker.looks.clear()
        clock.advance(120.0)
        assert worker.looks == [30.0, 60.0, 90.0, 120.0]

    def test_while_zookeeper_is_away_it_tries_once_a_second(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        worker = make("w")
        board.is_away = True
        board.changed()
        clock.advance(60.0)
        worker.looks.clear()
        board.is_away = False
        board.add("/a")
        board.wakes.clear()  # nothing tells it so
        clock.advance(1.0)
        board.wakes.append(worker.conductor._wake.set)
        assert worker.boards() == ["/a"]


class TestFails:
    def test_a_watch_that_fails_comes_back_later_and_later_and_once_a_minute_at_least(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        worker = make("w")
        worker.fails["/a"] = RuntimeError("it fails")
        board.add("/a", "/b")
        clock.advance(300.0)
        assert worker.tries("/a") == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0]
        assert worker.tries("/b") == [0.0], "it delays no other"
        del worker.fails["/a"]
        clock.advance(3.0)
        assert worker.boards() == ["/a", "/b"]

    def test_one_that_zookeeper_did_not_answer_comes_back_once_a_second(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        worker = make("w")
        worker.fails["/a"] = ZooKeeperUnavailable("no answer")
        board.add("/a")
        clock.advance(5.5)
        assert worker.tries("/a") == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


class TestShares:
    def test_who_joins_has_its_share_within_fifteen_seconds_and_not_at_once(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(20))
        first = make("a")
        clock.advance(100.0)
        assert first.boards() == paths(20)
        second = make("b")
        clock.advance(2.9)
        assert len(first.boards()) == 20, "it may leave again"
        clock.advance(0.1)
        assert (len(first.boards()), len(second.boards())) == (10, 10)
        assert sorted(first.boards() + second.boards()) == paths(20)
        assert first.boards() == paths(10), "what began first stays"
        clock.advance(120.0)
        assert (len(first.began), len(second.began)) == (20, 10), "nothing moves any more"

    def test_who_joins_and_leaves_at_once_moves_nothing(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(6))
        first = make("a")
        clock.advance(100.0)
        for _ in range(10):
            second = make("b")
            clock.advance(2.5)
            second.conductor.stop()
            clock.advance(1.0)
        assert len(first.began) == 6

    @pytest.mark.parametrize("count", [2, 3, 5])
    def test_whoever_comes_the_shares_are_even_within_fifteen_seconds(
        self, make: Make, board: Board, clock: VirtualClock, count: int
    ) -> None:
        board.add(*paths(13))
        workers = []
        for number in range(count):
            workers.append(make(f"w{number}"))
            clock.advance(15.0)
            held = [len(worker.boards()) for worker in workers]
            assert sum(held) == 13
            assert max(held) - min(held) <= 1

    def test_who_dies_is_replaced_within_its_session_and_five_seconds(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(10))
        first, second = make("a"), make("b")
        clock.advance(20.0)
        dead = set(second.boards())
        assert len(dead) == 5
        second.running.kill()  # its locks stay until the session ends
        for job in [each for each in board.jobs.values() if each.path in dead]:
            board.locks[job.name] = (board.zxid, "b")
        board.workers[second.entity.name] = 100
        board.changed()
        clock.advance(SESSION - 0.1)
        assert len(first.boards()) == 5
        board.lose("b")
        board.lose(second.entity.name)
        clock.advance(5.0)
        assert first.boards() == paths(10)

    def test_who_stops_is_replaced_at_once(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(10))
        first, second = make("a"), make("b")
        clock.advance(20.0)
        second.conductor.stop()
        clock.advance(1.0)
        assert second.running.ready()
        assert first.boards() == paths(10)

    def test_who_can_not_work_leaves_its_boards_after_three_seconds(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(10))
        first, second = make("a"), make("b")
        clock.advance(20.0)
        first.conductor.set_fit(is_fit=False)
        clock.advance(2.9)
        assert len(first.boards()) == 5
        clock.advance(0.1)
        assert (first.boards(), second.boards()) == ([], paths(10))
        first.conductor.set_fit(is_fit=True)
        clock.advance(3.0)
        assert (len(first.boards()), len(second.boards())) == (5, 5)

    def test_nobody_leaves_them_to_nobody(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(4))
        workers = [make("a"), make("b")]
        clock.advance(20.0)
        for worker in workers:
            worker.conductor.set_fit(is_fit=False)
        clock.advance(600.0)
        assert [len(worker.boards()) for worker in workers] == [2, 2]

    def test_nobody_has_more_than_it_may(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add(*paths(10))
        first, second = make("a", 3), make("b", 4)
        clock.advance(600.0)
        assert (len(first.boards()), len(second.boards())) == (3, 4)


class TestStops:
    def test_it_waits_for_its_watches_for_seven_seconds(
        self, make: Make, board: Board, clock: VirtualClock
    ) -> None:
        board.add("/a", "/b")
        worker = make("w")
        worker.hangs = True
        clock.advance(5.0)
        worker.conductor.stop()
        clock.advance(6.9)
        assert not worker.running.ready()
        clock.advance(0.1)
        assert worker.running.ready(), "the worker has ten seconds"

    def test_no_longer_than_they_need(self, make: Make, board: Board, clock: VirtualClock) -> None:
        board.add(*paths(10))
        worker = make("w")
        clock.advance(5.0)
        worker.conductor.stop()
        clock.advance(0.0)
        assert worker.running.ready()
        assert [moment for moment, _ in worker.ended] == [5.0] * 10
        assert board.locks == {}
