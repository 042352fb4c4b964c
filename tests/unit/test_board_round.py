"""Looks at a board that never stands still: what is checked is wrong only where it was wrong.

The board is ``board_history``'s; things happen on it between the listing and every read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from canary.model.changes import Kind, Reason
from canary.model.jobs import Job
from canary.model.names import lock_name
from canary.model.observations import JobRead, LockRead, Reads, ReadSet, Unread
from canary.model.state import BoardState
from canary.watchers.round import Round
from canary.watchers.zookeeper.board_reader import BoardReader
from canary.watchers.zookeeper.board_round import read
from tests.unit.board_history import OPERATIONS, History, operate

PROPERTY = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# An ACL that hides things hides them from a check too, until they are revealed.
SKIPPED = {"restore", "post_hidden", "claim_hidden", "reveal"}
OPERATION = st.tuples(
    st.sampled_from([each for each in OPERATIONS if each not in SKIPPED] + ["post", "claim"] * 3),
    st.integers(0, 5),
)
ROUND = st.fixed_dictionaries(
    {
        "before": st.lists(OPERATION, max_size=6),
        "race": st.lists(OPERATION, max_size=6),
        "checks": st.booleans(),
        "page": st.integers(1, 4) | st.just(99),
    }
)


class Reader:
    """Reads a history as ``BoardReader`` reads ZooKeeper: something happens before each read."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.race: list[tuple[str, int]] = []
        self.limit = 99
        self.watched: dict[str, int] = {}
        self.fired = self.edits_fired = 0
        self.tells_edits = True
        self.changed: set[str] = set()

    def happen(self) -> None:
        if self.race:
            operate(self.history, *self.race.pop(0))
        for name, czxid in self.history.edits[self.edits_fired :]:
            if self.watched.get(name) == czxid and self.tells_edits:
                del self.watched[name]
                self.changed.add(name)
        self.edits_fired = len(self.history.edits)
        for event in self.history.events[self.fired :]:
            if not event.is_create and self.watched.get(event.name) == event.znode.czxid:
                del self.watched[event.name]
                self.changed.add(event.name)
        self.fired = len(self.history.events)

    def page(self, names: Iterable[str]) -> dict[str, JobRead | Unread]:
        found = {}
        for name in list(names)[: self.limit]:
            self.happen()
            found[name] = self.history.read_job(name)
            self.is_watched(name, found[name])
        return found

    def is_watched(self, name: str, read: JobRead | Unread) -> None:
        if isinstance(read, JobRead):
            self.watched[name] = read.czxid

    def read(
        self,
        wanted: ReadSet,
        known: Mapping[str, Job],
        jobs: Mapping[str, JobRead | Unread],
    ) -> Reads:
        stats: dict[str, JobRead | Unread] = {}
        for name in sorted(wanted.jobs - jobs.keys()):
            self.happen()
            read = self.history.read_job(name)
            self.is_watched(name, read)
            if isinstance(read, JobRead) and (
                (known[name].czxid, known[name].edition) == (read.czxid, read.edition)
            ):
                read = replace(read, payload=None, size=len(name))
            stats[name] = read
        trash = {}
        for name in sorted(wanted.trash):
            self.happen()
            trash[name] = self.history.read_trash(name)
        return Reads({**stats, **jobs}, self.locks(sorted(wanted.locks)), trash)

    def locks(self, names: Iterable[str]) -> dict[str, LockRead | Unread]:
        found = {}
        for name in names:
            self.happen()
            read = self.history.read_lock(name)
            if isinstance(read, LockRead):
                self.watched[name] = read.czxid
            found[name] = read
        return found


class Watch:
    """What a board's watch does in its rounds."""

    def __init__(self, history: History) -> None:
        self.history, self.reader, self.state = history, Reader(history), BoardState()

    def read(self, *, checks: bool) -> Round | None:
        """Read it once; None where there is no board."""
        self.reader.happen()
        listing = self.history.listing()
        if listing is None:
            return None
        suspects, self.reader.changed = self.reader.changed, set()
        found = read(
            cast("BoardReader", self.reader),
            listing,
            self.state,
            frozenset(suspects & listing.children),
            frozenset(self.state.jobs) if checks else None,
            Reason.COALESCED,
        )
        self.state = found.step.state
        self.reader.changed |= found.again | (suspects if found.is_part else set())
        return found


@PROPERTY
@given(st.lists(ROUND, min_size=1, max_size=8))
def test_nothing_is_called_wrong_that_only_happened(rounds: list[dict[str, Any]]) -> None:
    history = History()
    watch = Watch(history)
    for each in rounds:
        for operation in each["before"]:
            operate(history, *operation)
        watch.reader.race, watch.reader.limit = list(each["race"]), each["page"]
        found = watch.read(checks=each["checks"])
        if found is None:
            watch.state = BoardState(seen_at=history.now())
            continue
        note(f"{[(c.kind, c.name) for c in found.step.changes]} {found.step.gaps}")
        assert found.wrong == ()
        assert all(size == len(name) for (name, _), size in found.sizes.items())
    watch.reader.race, watch.reader.limit = [], 2
    while (last := watch.read(checks=True)) and last.is_part:
        assert len(last.step.changes) <= 5, "two jobs, their locks, and what was there before"
    if last is not None:
        assert last.step.state.children == history.children.keys()
        quiet = watch.read(checks=True)
        assert quiet is not None
        assert (quiet.wrong, quiet.step.changes, quiet.step.gaps) == ((), (), ())


@PROPERTY
@given(st.lists(OPERATION, max_size=6), st.lists(OPERATION, max_size=6), st.integers(0, 2))
def test_what_was_known_wrongly_is_found_whatever_happens_meanwhile(
    before: list[tuple[str, int]], race: list[tuple[str, int]], pick: int
) -> None:
    history = History()
    for _ in range(3):
        history.post()
    names = history.jobs()
    history.claim(names[0], 1)
    watch = Watch(history)
    watch.read(checks=False)
    name = names[pick]
    right = watch.state.jobs[name]
    czxid = (right.czxid or 0) - 1
    wrong = replace(right, lock=replace(right.lock, czxid=czxid)) if right.lock else None
    jobs = {**watch.state.jobs, name: wrong or replace(right, czxid=czxid)}
    watch.state = replace(watch.state, jobs=jobs)
    happened = len(history.events)
    for operation in before:
        operate(history, *operation)
    watch.reader.race = list(race)
    found = watch.read(checks=True)
    touched = {event.name for event in history.events[happened:]}
    touched |= {edited for edited, _ in history.edits}
    if found is not None and not touched & {name, lock_name(name)}:
        assert any(words.endswith(name) for words in found.wrong)
    watch.reader.race = []
    if (last := watch.read(checks=True)) is not None:
        assert last.step.state.children == history.children.keys()
        for each, job in last.step.state.jobs.items():
            there, lock = history.children[each], history.children.get(lock_name(each))
            assert job.czxid in {there.czxid, None}
            assert job.lock is None or (lock is not None and job.lock.czxid in {lock.czxid, None})


def test_what_is_new_is_told_in_parts_first_of_all_that_a_board_was_made_anew() -> None:
    history = History()
    history.post()
    watch = Watch(history)
    watch.read(checks=False)
    history.clear()
    history.create_board()
    for _ in range(5):
        history.post()
    history.claim(history.jobs()[0], 1)
    watch.reader.limit = 2
    rounds = list[Round]()
    while not rounds or rounds[-1].is_part:
        found = watch.read(checks=False)
        assert found is not None
        rounds.append(found)
    told = [[(c.kind, c.name[-1:]) for c in each.step.changes] for each in rounds]
    assert told == [
        [(Kind.ENDED, "0")],
        [(Kind.POSTED, "0"), (Kind.POSTED, "1"), (Kind.CLAIMED, "0")],
        [(Kind.POSTED, "2"), (Kind.POSTED, "3")],
        [(Kind.POSTED, "4")],
    ]
    gaps = [gap.reason for each in rounds for gap in each.step.gaps]
    assert gaps == [Reason.BOARD_DELETED]
    assert lock_name(history.jobs()[0]) in watch.state.children
