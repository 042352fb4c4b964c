"""Who listens to the event stream: groups, how far each client is, and what bounds them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.model.filters import Field, Filter
from canary.server.stream import grouping
from canary.server.stream.broadcaster import TOO_SLOW, Broadcaster
from canary.server.stream.buffer import ReplayBuffer
from canary.server.stream.encoding import encode
from canary.server.stream.endpoint import Sought
from canary.server.stream.grouping import JUDGED_AT_ONCE, WAVE, WOKEN, Group
from canary.server.stream.subscription import Subscription
from canary.stores.changestream.events import Event, EventName
from tests.streamed import (
    PATH,
    board_event,
    change_event,
    gap_event,
    number_of,
    place,
    ready,
    taken,
)


@dataclass(frozen=True)
class Judge:
    """Wants what ``wants`` says, and remembers what it was asked; equal to others of its name."""

    name: str = "judge"
    is_costly: bool = True
    wants: Callable[[Event], bool] = field(default=lambda _: True, compare=False)
    asked: list[str] = field(default_factory=list, compare=False)
    paths: frozenset[str] | None = None

    def __call__(self, event: Event) -> bool:
        self.asked.append(event.position or "")
        return self.wants(event) and (self.paths is None or event.path in self.paths)


BOARDS = ("/a", "/b", "/c")


def board_of(number: int) -> str:
    """Return one of ``BOARDS``: a few events in a row are of the same."""
    return BOARDS[number // 5 % 3]


def even(event: Event) -> bool:
    return event.position is None or number_of(event.position) % 2 == 0


def numbers(subscription: Subscription) -> list[int | None]:
    return [number for name, number in taken(subscription) if name in {"change", "gap"}]


def judge_all(broadcaster: Broadcaster) -> None:
    """Do what the thread that judges does, until nothing is left."""
    while broadcaster._judged(broadcaster._groups.judge_some()):
        pass


class TestGroups:
    def test_an_event_is_judged_once_for_all_who_ask_the_same(self) -> None:
        broadcaster, judge = ready(), Judge()
        clients = [broadcaster.subscribe(judge) for _ in range(5)]
        broadcaster.tell(change_event(1))
        assert [numbers(client) for client in clients] == [[1]] * 5
        assert judge.asked == [place(1)]

    def test_what_a_crowd_missed_is_judged_once_for_all_of_it(self) -> None:
        broadcaster, judge = ready(500), Judge(wants=even)
        for number in range(1, 301):
            broadcaster.tell(change_event(number))
        clients = [broadcaster.resubscribe(judge, place(100)) for _ in range(20)]
        clients.append(broadcaster.resubscribe(judge, place(40)))
        assert [numbers(client) for client in clients] == [
            *([list(range(102, 301, 2))] * 20),
            list(range(42, 301, 2)),
        ]
        assert sorted(judge.asked) == [place(number) for number in range(41, 301)]

    def test_who_asks_for_more_than_paths_is_not_judged_while_the_feed_tells(self) -> None:
        broadcaster, dear, cheap = ready(), Judge("dear"), Judge("cheap", is_costly=False)
        clients = [broadcaster.subscribe(judge) for judge in (dear, cheap)]
        broadcaster.tell(change_event(1))
        assert (dear.asked, cheap.asked) == ([], [place(1)])
        judge_all(broadcaster)
        assert dear.asked == [place(1)]
        assert [numbers(client) for client in clients] == [[1], [1]]

    @pytest.mark.parametrize(
        ("about", "is_costly"), [(Field.PATH, False), (Field.TEXT, True), (Field.OWNER, True)]
    )
    def test_what_is_costly(self, about: Field, is_costly: bool) -> None:
        assert Sought(frozenset({Filter(about, ("x",))})).is_costly is is_costly

    def test_judging_takes_turns_and_no_longer_than_a_slice(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grouping, "SLICE", 0.0)
        broadcaster = ready()
        judges = [Judge(str(number)) for number in range(3)]
        clients = [broadcaster.subscribe(judge) for judge in judges]
        for number in range(1, 2 * JUDGED_AT_ONCE + 1):
            broadcaster.tell(change_event(number))
        for turn in range(6):
            assert broadcaster._judged(broadcaster._groups.judge_some())
            done = [len(judge.asked) // JUDGED_AT_ONCE for judge in judges]
            assert done == [(turn + 3 - each) // 3 for each in range(3)]
        monkeypatch.undo()
        assert not broadcaster._judged(broadcaster._groups.judge_some())
        assert [len(numbers(client)) for client in clients] == [2 * JUDGED_AT_ONCE] * 3

    def test_a_thread_judges_and_wakes_who_is_asked_for(self) -> None:
        broadcaster = ready()
        client = broadcaster.subscribe(Judge(wants=even))
        assert client.take(0) == []
        broadcaster.tell(change_event(1))
        broadcaster.tell(change_event(2))
        judge_all(broadcaster)
        begun = time.monotonic()
        [told] = client.take(60) or []
        assert told.position == place(2)
        assert time.monotonic() - begun < 30, "it was woken"

    def test_who_wants_nothing_of_it_keeps_up(self) -> None:
        broadcaster = ready(recent=ReplayBuffer(limit=WOKEN))
        client = broadcaster.subscribe(Judge(wants=lambda _: False, is_costly=False))
        for number in range(1, 3 * WOKEN):
            broadcaster.tell(change_event(number))
            if client._filled.is_set():
                assert client.take(0) == []
        assert broadcaster.place_of(client) == place(3 * WOKEN - 1)

    def test_a_filter_that_fails_is_told_as_reset_to_who_asked_for_it(self) -> None:
        broadcaster, healthy = ready(), Judge("healthy")

        def fail(event: Event) -> bool:
            raise TypeError(event.name)

        broadcaster.tell(board_event())
        failing = broadcaster.subscribe(Judge("failing", wants=fail))
        other = broadcaster.subscribe(healthy)
        assert [name for name, _ in taken(failing)] == ["board"], "sooner too much than too little"
        broadcaster.tell(change_event(1))
        judge_all(broadcaster)
        assert [name for name, _ in taken(failing)] == ["reset", "board"]
        assert numbers(other) == [1]
        cheap = broadcaster.subscribe(Judge("cheap", is_costly=False, wants=fail))
        taken(cheap)
        broadcaster.tell(change_event(2))
        assert [name for name, _ in taken(cheap)] == ["reset", "board"]

    @pytest.mark.parametrize("is_costly", [True, False])
    @pytest.mark.parametrize("first", ["a client that pulls", "a heartbeat"])
    def test_what_cannot_be_judged_is_a_reset_for_all_who_ask_the_same(
        self, first: str, is_costly: bool
    ) -> None:
        broadcaster = ready()

        def fail(event: Event) -> bool:
            if event.position == place(2):
                raise TypeError("unhashable type: 'list'")
            return True

        clients = [broadcaster.subscribe(Judge("u", is_costly, fail)) for _ in range(3)]
        for number in (1, 2, 3):
            broadcaster.tell(change_event(number))
        if first == "a heartbeat":
            assert broadcaster.place_of(clients[0]) is None
        # What is cheap is judged at once: the reset comes before the third.
        told = [("reset", 3)] if is_costly else [("reset", 2), ("change", 3)]
        for client in clients:
            assert taken(client) == told
            assert broadcaster.place_of(client) == place(3)
        broadcaster.tell(change_event(4))
        assert [numbers(client) for client in clients] == [[4]] * 3

    def test_what_cannot_be_judged_is_no_reset_for_who_was_sent_it_before(self) -> None:
        broadcaster, is_failing = ready(), False

        def fail(event: Event) -> bool:
            if is_failing:
                raise TypeError(event.name)
            return True

        judge = Judge(wants=fail)
        ahead = broadcaster.subscribe(judge)
        broadcaster.tell(change_event(1))
        assert numbers(ahead) == [1]
        late = broadcaster.resubscribe(judge, place(0))
        other = broadcaster.subscribe(Judge("other"))
        is_failing = True
        group = broadcaster._groups.of(late)
        assert group is not None
        group.since = group.until  # as where none of them asked for what came before
        assert [name for name, _ in taken(late)] == ["reset"]
        assert [taken(client) for client in (ahead, other)] == [[], []]

    def test_the_thread_that_judges_goes_on_after_an_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broadcaster = ready()
        clients = [broadcaster.subscribe(Judge(str(each))) for each in range(2)]
        judged: list[None] = []

        def judge_some() -> bool:
            judged.append(None)
            if len(judged) == 1:
                broadcaster._unjudged.set()  # as the next event does
                raise MemoryError
            broadcaster.is_ending = True
            return False

        monkeypatch.setattr(broadcaster._groups, "judge_some", judge_some)
        broadcaster.tell(change_event(1))
        broadcaster.judge()
        assert len(judged) == 2
        assert [numbers(client) for client in clients] == [[1]] * 2

    def test_an_empty_group_is_forgotten(self) -> None:
        broadcaster, judge = ready(), Judge()
        for _ in range(3):
            broadcaster.unsubscribe(broadcaster.subscribe(judge))
        assert list(broadcaster._groups) == []
        assert broadcaster.size == 0
        broadcaster.tell(change_event(1))
        assert judge.asked == []

    def test_numbers_of_what_is_gone_are_not_kept(self) -> None:
        recent = ReplayBuffer(limit=10)
        recent.reach(place(0))
        group = Group(Judge(), recent.next)
        for number in range(1, 1_000):
            recent.add(encode(change_event(number)))
            group.advance(recent)
        assert len(group._found) <= 21


def of_board(path: str, *, is_costly: bool = False) -> Judge:
    return Judge(path, is_costly, paths=frozenset({path}))


class TestPaths:
    @pytest.mark.parametrize("is_costly", [True, False])
    def test_who_asks_for_one_board_costs_nothing_while_others_have_events(
        self, is_costly: bool
    ) -> None:
        broadcaster = ready(1_000)
        judges = [of_board(f"/{number}", is_costly=is_costly) for number in range(1_000)]
        clients = [broadcaster.subscribe(judge) for judge in judges]
        for number in range(1, 2 * JUDGED_AT_ONCE):
            broadcaster.tell(change_event(number, "/7"))
        broadcaster.tell(board_event("/7"))
        judge_all(broadcaster)
        assert [len(judge.asked) for judge in judges if judge.name != "/7"] == [0] * 999
        assert len(judges[7].asked) == 2 * JUDGED_AT_ONCE
        assert taken(clients[8]) == []
        assert broadcaster.place_of(clients[8]) == place(2 * JUDGED_AT_ONCE - 1), "at once"
        assert numbers(clients[7]) == list(range(1, 2 * JUDGED_AT_ONCE))
        broadcaster.tell(change_event(2 * JUDGED_AT_ONCE, "/8"))
        judge_all(broadcaster)
        assert [numbers(client) for client in clients[7:9]] == [[], [2 * JUDGED_AT_ONCE]]
        assert len(judges[8].asked) == 1

    def test_what_concerns_all_boards_comes_to_all(self) -> None:
        broadcaster = ready()
        client = broadcaster.subscribe(of_board("/a"))
        broadcaster.tell(Event(EventName.STORE, available=False))
        broadcaster.tell(board_event("/a"))
        broadcaster.tell(board_event("/b"))
        broadcaster.tell(Event(EventName.RESET))
        assert taken(client) == [("reset", None), ("board", None), ("store", None)]

    def test_who_wants_nothing_of_it_keeps_up(self) -> None:
        broadcaster = ready(recent=ReplayBuffer(limit=WOKEN))
        client = broadcaster.subscribe(of_board("/a"))
        for number in range(1, 3 * WOKEN):
            broadcaster.tell(change_event(number, "/b"))
            if client._filled.is_set():
                assert client.take(0) == []
        assert broadcaster.place_of(client) == place(3 * WOKEN - 1)

    def test_what_was_before_all_began_anew_is_judged(self) -> None:
        broadcaster = ready()
        for number in range(1, 6):
            broadcaster.tell(change_event(number, "/a"))
        broadcaster.tell(Event(EventName.RESET))
        broadcaster.reach(place(5))
        before = [encode(change_event(number, f"/{'ab'[number % 2]}")) for number in range(1, 6)]
        assert broadcaster.keep(place(0), before, place(5))
        broadcaster.tell(change_event(6, "/c"))
        clients = [broadcaster.resubscribe(of_board(path), place(1)) for path in ("/a", "/b", "/c")]
        assert [numbers(client) for client in clients] == [[2, 4], [3, 5], [6]]

    def test_no_board_is_remembered_for_who_has_gone(self) -> None:
        broadcaster = ready()
        judges = [of_board("/a"), of_board("/a", is_costly=True), Judge()]
        clients = [broadcaster.subscribe(judge) for judge in judges]
        broadcaster.unsubscribe(clients[0])
        assert len(broadcaster._groups.about("/a")) == 2
        for client in clients:
            broadcaster.unsubscribe(client)
        assert not broadcaster._groups._by_path

    @pytest.mark.parametrize(
        ("asked", "paths"),
        [
            ([], None),
            ([Filter(Field.PATH, ("/a",), negated=True)], None),
            ([Filter(Field.OWNER, ("/a",))], None),
            ([Filter(Field.PATH, ("/a", "/b"))], {"/a", "/b"}),
            ([Filter(Field.PATH, ("/a", "/b")), Filter(Field.PATH, ("/b",))], {"/b"}),
            ([Filter(Field.PATH, ("/a",)), Filter(Field.PATH, ("/b",))], set()),
            ([Filter(Field.PATH, ("/a",)), Filter(Field.OWNER, ("ann",))], {"/a"}),
        ],
    )
    def test_of_which_boards_anything_is_asked_for(
        self, asked: list[Filter], paths: set[str] | None
    ) -> None:
        assert Sought(frozenset(asked)).paths == paths


class TestCursors:
    def test_one_large_batch_drops_nobody_who_reads_after_it(self) -> None:
        broadcaster = ready()
        clients = [broadcaster.subscribe(), broadcaster.subscribe(Judge(wants=even))]
        for number in range(1, 5_001):
            broadcaster.tell(change_event(number))
        everything, half = (numbers(client) for client in clients)
        assert everything == list(range(1, 5_001))
        assert half == list(range(2, 5_001, 2))

    def test_who_does_not_read_is_told_so_and_holds_nothing(self) -> None:
        broadcaster = ready(recent=ReplayBuffer(limit=100))
        lazy = broadcaster.subscribe()
        for number in range(1, 1_001):
            broadcaster.tell(change_event(number))
            broadcaster.tell(board_event(worker=f"worker-{number}"))
        assert len(lazy._aside) == 1, "the newest state of a board is all that is told of it"
        assert lazy.take(0) == [TOO_SLOW]
        assert lazy.take(0) is None
        assert broadcaster.size == 0

    def test_as_many_as_are_kept_may_wait(self) -> None:
        broadcaster = ready(recent=ReplayBuffer(limit=100))
        client = broadcaster.subscribe()
        for number in range(1, 101):
            broadcaster.tell(change_event(number))
        assert numbers(client) == list(range(1, 101))

    def test_no_more_is_taken_at_once_than_is_sent_at_once(self) -> None:
        broadcaster = ready()
        client = broadcaster.subscribe()
        for number in range(1, 2 * WAVE + 2):
            broadcaster.tell(change_event(number))
        waves = [len(client.take(60) or []) for _ in range(3)]
        assert waves == [WAVE, WAVE, 1]

    def test_boards_come_first_and_a_reset_before_them(self) -> None:
        broadcaster = ready()
        broadcaster.tell(board_event())
        for number in range(1, 4):
            broadcaster.tell(change_event(number))
        back = broadcaster.resubscribe(Judge(), place(1))
        assert taken(back) == [("board", None), ("change", 2), ("change", 3)]
        assert [name for name, _ in taken(broadcaster.subscribe_anew(Judge()))] == [
            "reset",
            "board",
        ]

    def test_what_was_told_before_a_reset_does_not_come_after_it(self) -> None:
        broadcaster = ready()
        broadcaster.tell(board_event())
        client = broadcaster.subscribe()
        broadcaster.tell(change_event(1))
        for _ in range(100):
            broadcaster.tell(Event(EventName.RESET))
        broadcaster.reach(place(1))
        broadcaster.tell(change_event(2))
        assert taken(client) == [("reset", None), ("board", None), ("change", 2)]

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_whoever_comes_whenever_gets_each_wanted_event_once_in_order(
        self, data: st.DataObject
    ) -> None:
        broadcaster = ready(1_000, recent=ReplayBuffer(limit=5_000))
        told = 0
        clients: list[tuple[Subscription, int, int, frozenset[str] | None]] = []
        got: dict[Subscription, list[int | None]] = {}
        for _ in range(data.draw(st.integers(1, 15))):
            match data.draw(st.sampled_from(["tell", "come", "take", "judge"])):
                case "tell":
                    for _ in range(data.draw(st.integers(1, 60))):
                        told += 1
                        made = gap_event if told % 7 == 0 else change_event
                        broadcaster.tell(made(told, board_of(told)))
                case "come":
                    after = data.draw(st.integers(0, told))
                    parts = data.draw(st.integers(1, 4))
                    paths = data.draw(st.none() | st.frozensets(st.sampled_from(BOARDS)))
                    judge = Judge(
                        str(parts),
                        is_costly=data.draw(st.booleans()),
                        paths=paths,
                        wants=lambda event, parts=parts: (  # type: ignore[misc]
                            event.position is None or number_of(event.position) % parts == 0
                        ),
                    )
                    client = broadcaster.resubscribe(judge, place(after))
                    clients.append((client, after, parts, paths))
                    got[client] = []
                case "take" if clients:
                    client, *_ = data.draw(st.sampled_from(clients))
                    some = client.take(0) or []
                    got[client] += [number_of(each.position) for each in some if each.position]
                case "judge":
                    broadcaster._judged(broadcaster._groups.judge_some())
        for client, after, parts, paths in clients:
            got[client] += numbers(client)
            wanted = [
                number
                for number in range(after + 1, told + 1)
                if number % parts == 0 and (paths is None or board_of(number) in paths)
            ]
            assert got[client] == wanted
            assert broadcaster.place_of(client) == place(told)


def test_what_has_no_number_in_json_is_not_told() -> None:
    broadcaster = ready()
    event = change_event(1)
    document = dict(event.document or {}) | {"waiting": float("nan")}
    with pytest.raises(ValueError, match="JSON"):
        broadcaster.tell(Event(EventName.CHANGE, PATH, document=document, position=place(1)))
    assert json.loads(encode(change_event(2)).data)["waiting"] == 0
