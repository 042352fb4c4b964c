"""``/v2/stream`` of real servers: who comes back, to any process, finds nothing missing."""

import contextlib
import json
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from canary.config import Config
from canary.server import resuming as resuming_module
from canary.server.audience import Audience
from canary.server.problems import Crowded
from canary.server.recent import LIMIT, Recent
from canary.server.resuming import CATCH_UPS, Resuming
from canary.server.telling import JSON_LINES, Heartbeat, Telling
from canary.server.v2.stream import Sought, StreamQuery, _waves
from canary.stores import filtering
from canary.stores.documents import Document
from canary.stores.events import identity_of
from canary.stores.feed import Feed
from canary.stores.mongo import connect, ensure_schema
from canary.stores.past import Past
from canary.stores.reading import Reading
from tests.asking import open_stream
from tests.integration.conftest import Spawn
from tests.integration.stream_client import Client, Told
from tests.integration.test_server import KEEPS, Server
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted
from tests.waiting import eventually

PATH = "/lbaas/jobs"
OTHER = "/poppy/jobs"
CUTS = 30
CHANGES = 1_000
SEED = 20261125


@pytest.fixture
def connected(config: Config) -> Iterator[Database[Document]]:
    """The test's database as Canary's programs connect to it."""
    connected = connect(config.mongo)
    ensure_schema(connected, config.mongo)
    yield connected
    connected.client.close()


@pytest.fixture(autouse=True)
def written(database: Database[Document], connected: Database[Document]) -> WrittenBoard:
    """A board with a watcher that lives."""
    assert connected.name == database.name
    board = WrittenBoard(database, PATH)
    board.beat()
    return board


def write(board: WrittenBoard, count: int) -> None:
    """Write so many changes, a hundred at a time at most."""
    while count:
        some = min(count, 100)
        first = board.revision + 1
        board.write(*(posted(number, now()) for number in range(first, first + some)))
        count -= some


class TestResuming:
    def test_in_the_same_process(self, spawn: Spawn, written: WrittenBoard) -> None:
        client = Client(Server(spawn)).start()
        write(written, 3)
        client.read_until(3)
        write(written, 2)
        client.read_until(5)
        assert client.revisions == [1, 2, 3, 4, 5]
        assert "reset" not in client.names

    def test_in_the_middle_of_one_write(self, spawn: Spawn, written: WrittenBoard) -> None:
        client = Client(Server(spawn)).start()
        write(written, 10)
        for revision in (2, 3, 7, 10):
            client.read_until(revision)
        assert client.revisions == list(range(1, 11))

    def test_who_asked_for_what_never_happens_need_not_go_far_back(
        self, spawn: Spawn, written: WrittenBoard
    ) -> None:
        server = Server(spawn)
        client = Client(server, owner="nobody").start()
        first = client.last
        write(written, 3)
        eventually(lambda: client.start().last != first)
        later = Client(server, client.last)
        write(written, 1)
        later.read_until(4)
        assert (client.revisions, later.revisions) == ([], [4])

    def test_after_a_kill_while_changes_are_written(
        self, spawn: Spawn, written: WrittenBoard
    ) -> None:
        server = Server(spawn)
        client = Client(server).start()
        write(written, 50)
        client.read_until(30)
        server.command.end(signal.SIGKILL)
        write(written, 50)
        client.server = Server(spawn)
        write(written, 50)
        client.read_until(150)
        assert client.revisions == list(range(1, 151))
        assert "reset" not in client.names

    def test_from_another_process(self, spawn: Spawn, written: WrittenBoard) -> None:
        one, other = Server(spawn), Server(spawn)
        client = Client(one).start()
        for last in range(20, 201, 20):
            write(written, 20)
            client.server = other if client.server is one else one
            client.read_until(last)
        assert client.revisions == list(range(1, 201))
        assert "reset" not in client.names

    @pytest.mark.parametrize("identity", ["/lbaas/jobs#7", "x" * 300, "gmF", "%00", "gg"])
    def test_what_was_never_an_id(self, spawn: Spawn, written: WrittenBoard, identity: str) -> None:
        client = Client(Server(spawn), identity).start()
        assert [told["event"] for told in client.told[:2]] == ["reset", "board"]
        write(written, 1)
        client.read_until(1)
        assert client.revisions == [1]

    def test_cut_at_random_it_has_each_change_once_and_in_order(
        self, spawn: Spawn, written: WrittenBoard, database: Database[Document]
    ) -> None:
        chance = random.Random(SEED)
        boards = [written, WrittenBoard(database, OTHER)]
        servers = [Server(spawn), Server(spawn)]
        client = Client(servers[0]).start()
        done = threading.Event()

        def work() -> None:
            while sum(board.revision for board in boards) < CHANGES:
                write(chance.choice(boards), chance.randint(1, 9))
            done.set()

        writer = threading.Thread(target=work)
        writer.start()
        cuts = 0
        while cuts < CUTS or not done.is_set() or _count(client) < _written(boards):
            left = chance.randint(1, 50)
            client.server = chance.choice(servers)
            with client.connected() as lines:
                for told in lines:
                    left -= told["event"] == "change"
                    if left <= 0 or told["event"] == "heartbeat":
                        break
            cuts += 1
        writer.join()
        assert "reset" not in client.names
        for board in boards:
            revisions = [
                told["data"]["revision"]
                for told in client.told
                if told["event"] == "change" and told["data"]["path"] == board.path
            ]
            assert revisions == list(range(1, board.revision + 1))


def _count(client: Client) -> int:
    return len(client.revisions)


def _written(boards: list[WrittenBoard]) -> int:
    return sum(board.revision for board in boards)


class TestForms:
    def test_json_lines_and_server_sent_events_tell_the_same(
        self, spawn: Spawn, written: WrittenBoard
    ) -> None:
        server = Server(spawn)
        client = Client(server).start()
        start = client.last
        write(written, 2)
        written.gap(ago(9), now(), 2, None)
        client.read_until(event="gap")
        events = []
        with open_stream(server.address, params={"last_event_id": start}) as answer:
            event: Told = {"id": None}
            for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
                field, _, value = line.partition(": ")
                if field == "data":
                    events.append(event | {"data": json.loads(value)})
                    event = {"id": None}
                elif field in {"id", "event"}:
                    event[field] = value
                if events and events[-1]["event"] == "gap":
                    break
        mine = [told for told in client.told if told["event"] != "board"]
        assert [each for each in events if each["event"] != "board"] == mine
        assert [each["event"] for each in mine] == ["change", "change", "gap"]
        assert len({each["id"] for each in mine}) == 3


class TestFilters:
    @pytest.mark.parametrize(
        "query",
        [
            {"path": [OTHER]},
            {"path!": [OTHER]},
            {"kind": ["claimed", "consumed"]},
            {"state!": ["UNCLAIMED"]},
            {"owner": ["ann"]},
            {"name": ["build 2"], "kind!": ["claimed"]},
            {"uuid!": ["uuid-1", "uuid-2"]},
            {"q": "BUILD 3"},
            {"age>": "50"},
            {"waiting>!": "10"},
            {"running>": "5s"},
            {"until": "2001-01-01T00:00:00Z"},
        ],
        ids=str,
    )
    def test_each_that_matches_and_no_other(
        self, spawn: Spawn, written: WrittenBoard, query: dict[str, Any]
    ) -> None:
        other, server = WrittenBoard(written.database, OTHER), Server(spawn)
        everything = Client(server).start()
        client = Client(server, everything.last, **query)
        for board in (written, other):
            board.write(posted(1, ago(100)), posted(2, ago(40)), posted(3, now()))
            board.write(claimed(1, ago(70)), claimed(2, ago(35), "bob"))
            board.write(ended(1, ago(10)), ended(2, ago(34), owner="bob"))
            board.gap(ago(30), ago(20))
        with everything.connected() as lines:
            gaps = 0
            while gaps < 2:
                gaps += next(lines)["event"] == "gap"
        client.start()  # the first id behind all that was missed
        filters = StreamQuery.model_validate(query).filters
        expected = {
            name: [document for document in documents if test(document, filters, document[moment])]
            for name, documents, test, moment in (
                ("change", written.database.changes.find(), filtering.matches, "seen_at"),
                ("gap", written.database.gaps.find(), filtering.matches_gap, "to"),
            )
        }
        assert sorted(
            (told["data"]["path"], told["data"]["revision"]) for told in client.of("change")
        ) == sorted((each["board"], each["revision"]) for each in expected["change"])
        assert sorted(told["data"]["path"] for told in client.of("gap")) == sorted(
            each["board"] for each in expected["gap"]
        )
        assert len(expected["change"]) < 14, "a filter that finds everything tells nothing"


@contextlib.contextmanager
def followed(database: Database[Document], recent: Recent) -> Iterator[Audience]:
    """Follow the database, remembering what came in ``recent``."""
    audience = Audience(2_000, recent=recent)
    feed = Feed(database, Reading(database, KEEPS), audience)
    threads = set(threading.enumerate())
    feed.start()
    try:
        assert audience.wait_until_known(60)
        yield audience
    finally:
        feed.end()
        for thread in set(threading.enumerate()) - threads:
            thread.join(10)


class Opener:
    """Opens what was, and counts how often."""

    def __init__(self, database: Database[Document]) -> None:
        self._database, self.opened = database, 0

    def __call__(self, position: str) -> Past:
        self.opened += 1
        return Past(self._database, position)


def come_back(resuming: Resuming, identity: str) -> list[str]:
    """Come back with an id; return what is told up to the first id behind all that was missed."""
    subscription, catch_up = resuming.resume(Sought(frozenset()), identity)
    told: list[str] = []
    for wave in _waves(resuming.audience, subscription, catch_up):
        told += [
            str(json.loads(each.data).get("revision", each.name))
            for each in wave
            if isinstance(each, Telling)
        ]
        if catch_up is None or subscription.is_joined:
            catch_up = None
            if subscription.is_empty:
                break
    resuming.audience.unsubscribe(subscription)
    return [each for each in told if each != "board"]


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


class TestPast:
    def test_more_missed_than_a_real_process_remembers(
        self, spawn: Spawn, written: WrittenBoard
    ) -> None:
        client = Client(Server(spawn)).start()
        count = LIMIT + 1_500
        for first in range(1, count + 1, 500):
            written.write(*(posted(number, now()) for number in range(first, first + 500)))
        client.come_back_until(count)
        assert client.revisions == list(range(1, count + 1))
        assert "reset" not in client.names

    def test_more_missed_than_is_remembered_comes_in_pieces(
        self,
        connected: Database[Document],
        written: WrittenBoard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(resuming_module, "PIECE", 7)
        with followed(connected, Recent(limit=10)) as audience:
            opener = Opener(connected)
            resuming = Resuming(audience, opener)
            start = place(audience)
            tell(audience, written, 50)
            assert not audience.covers(start)
            assert come_back(resuming, identity_of(start)) == numbers(1, 50)
            assert opener.opened == 1

    def test_a_heartbeat_says_when_all_that_was_missed_has_come(
        self,
        connected: Database[Document],
        written: WrittenBoard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(resuming_module, "PIECE", 7)
        with followed(connected, Recent(limit=10)) as audience:
            start = place(audience)
            tell(audience, written, 50)
            resuming = Resuming(audience, Opener(connected))
            subscription, catch_up = resuming.resume(Sought(frozenset()), identity_of(start))
            said: list[bool] = []
            for wave in _waves(audience, subscription, catch_up):
                beats = [each for each in wave if isinstance(each, Heartbeat)]
                said += [json.loads(each.sent(JSON_LINES))["data"]["reached"] for each in beats]
                if subscription.is_joined and subscription.is_empty:
                    break
            assert said == [False] * (len(said) - 1) + [True]
            assert len(said) > 2

    def test_what_a_new_process_reads_for_one_it_has_for_all(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, Recent()) as audience:
            start = place(audience)
        write(written, 50)
        with followed(connected, Recent()) as audience:
            opener = Opener(connected)
            resuming = Resuming(audience, opener)
            for _ in range(3):
                assert come_back(resuming, identity_of(start)) == numbers(1, 50)
            assert opener.opened == 1

    def test_only_a_few_catch_up_at_a_time(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, Recent(limit=10)) as audience:
            resuming = Resuming(audience, Opener(connected))
            identity = identity_of(place(audience))
            tell(audience, written, 50)
            some = [resuming.resume(Sought(frozenset()), identity) for _ in range(CATCH_UPS)]
            with pytest.raises(Crowded):
                resuming.resume(Sought(frozenset()), identity)
            assert audience.size == CATCH_UPS
            for _, catch_up in some:
                assert catch_up is not None
                catch_up.close()
            assert come_back(resuming, identity) == numbers(1, 50)

    def test_what_mongodb_has_forgotten_is_a_reset(
        self, config: Config, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, Recent()) as audience:
            start = place(audience)
            write(written, 5)
        connected.client.drop_database(connected.name)
        ensure_schema(connected, config.mongo)
        with followed(connected, Recent()) as audience:
            resuming = Resuming(audience, Opener(connected))
            assert come_back(resuming, identity_of(start))[-1] == "reset"


def place(audience: Audience) -> str:
    """Return up to where all is known."""
    _, end, _ = audience.kept
    assert end is not None
    return end


def tell(audience: Audience, written: WrittenBoard, count: int) -> None:
    """Write so many changes, and wait until the audience has been told of all."""
    subscription, told = audience.subscribe(), 0
    write(written, count)

    def all_came() -> bool:
        nonlocal told
        told += sum(each.name == "change" for each in subscription.take(0.1) or [])
        return told == count

    eventually(all_came)
    audience.unsubscribe(subscription)
