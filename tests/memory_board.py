"""A store in memory with one board in it, which keeps the contract of the real one.

It may be away, lose what is on its way, or take its time; time is a virtual clock's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pymongo import _csot

from canary.clock import Clock
from canary.errors import Fenced, StoreUnavailable
from canary.model.changes import Change, Reason
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.stores.writing.batches import Batch, batches
from tests.board_contract import NOW, PATH, Lost, Store, Stored


class MemoryStore(Store):
    """``slow`` is how many seconds each call takes; ``calls`` are those that came, and when."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.slow = 0.0
        self.calls: list[tuple[str, float]] = []
        self.is_away = self.is_frozen = False
        self.refuses: set[str] = set()  # calls that fail while others succeed
        self.changes: list[Change] = []
        self._losing: Lost | None = None
        self._takes = 0
        self._state = BoardState()
        self._stored = Stored((), 0, Freshness.UNWATCHED, NOW, None, None)
        self._number = 0  # of the last write that was done

    def take(self) -> "MemoryBoard":
        self._takes += 1
        state = replace(self._state, seen_at=self._stored.known_until)
        self._stored = replace(self._stored, released=None)
        return MemoryBoard(self, self._takes, state)

    def lose(self, what: Lost) -> None:
        self._losing = what

    def mend(self) -> None:
        self._losing, self.is_away, self.is_frozen = None, False, False

    def stored(self) -> Stored:
        return replace(self._stored, names=tuple(change.name for change in self.changes))

    def call(self, name: str, takes: int, number: int, write: Callable[[], None]) -> None:
        """Do a write, unless something is in its way or it is done already."""
        self.calls.append((name, self.clock.elapsed()))
        if self.is_frozen:
            limit = _csot.get_timeout()
            assert limit is not None or name == "resume", "a limit, as `within` has set it"
            self.clock.sleep(10.0 if limit is None else limit)  # [mongo] timeout
        elif self.slow:
            self.clock.sleep(self.slow)
        if self.is_away or self.is_frozen or name in self.refuses:
            raise StoreUnavailable("MongoDB does not answer")
        losing, self._losing = self._losing, None
        if losing is Lost.REQUEST:
            self.is_away = True
            raise StoreUnavailable("MongoDB does not answer")
        if takes != self._takes:
            raise Fenced(f"{PATH}: another worker has it")
        if number != self._number:
            write()
            self._number = number
        if losing is Lost.ANSWER:
            self.is_away = True
            raise StoreUnavailable("MongoDB does not answer")

    def show(self, freshness: Freshness, now: datetime) -> None:
        """Set the freshness, since ``now`` unless it is so already."""
        since = self._stored.since if freshness is self._stored.freshness else now
        self._stored = replace(self._stored, freshness=freshness, since=since)

    def write(self, part: Batch, freshness: Freshness, now: datetime) -> None:
        """Write one batch."""
        self.changes += part.changes
        self._stored = replace(self._stored, gaps=self._stored.gaps + len(part.gaps))
        if part.closing is not None:
            self._state = part.closing
            self._stored = replace(self._stored, known_until=part.closing.seen_at)
        self.show(freshness, now)

    def release(self, now: datetime, known_until: datetime | None, reason: Reason) -> None:
        """Note that nobody watches the board."""
        known = self._stored.known_until
        if known is not None and known_until is not None:
            known = max(known, known_until)
        self._stored = replace(self._stored, known_until=known, released=reason)
        self.show(Freshness.UNWATCHED, now)


class MemoryBoard:
    """The board in a ``MemoryStore``, for who took it as the ``takes``-th."""

    path = PATH

    def __init__(self, store: MemoryStore, takes: int, state: BoardState) -> None:
        self.epoch, self.state = takes, state
        self._store = store
        self._pending: list[tuple[int, Batch]] = []
        self._numbers = takes * 1_000_000  # no other taker's

    def add(self, steps: Sequence[Step]) -> None:
        if steps:
            self._pending += [(self._next(), part) for part in batches(steps)]

    def resume(self, freshness: Freshness, now: datetime) -> None:
        while self._pending:
            number, part = self._pending[0]
            shown = freshness if len(self._pending) == 1 else Freshness.CATCHING_UP

            def write(part: Batch = part, shown: Freshness = shown) -> None:
                self._store.write(part, shown, now)

            self._store.call("resume", self.epoch, number, write)
            self._pending.pop(0)

    def mark(self, freshness: Freshness, now: datetime) -> None:
        self._store.call("mark", self.epoch, self._next(), lambda: self._store.show(freshness, now))

    def release(self, now: datetime, known_until: datetime | None, reason: Reason) -> None:
        def write() -> None:
            self._store.release(now, known_until, reason)

        try:
            self._store.call("release", self.epoch, self._next(), write)
        except Fenced:
            return  # there is nothing to give up

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers
