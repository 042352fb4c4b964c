"""``/v2/stream`` of real servers: who comes back, to any process, finds nothing missing."""

import contextlib
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database

from canary.clock import CLOCK
from canary.config import Config
from canary.errors import PlaceLost
from canary.model.filters import Field, Filter
from canary.model.names import change_id
from canary.server.problems import Crowded
from canary.server.stream import resume as resuming_module
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.buffer import LIMIT, ReplayBuffer
from canary.server.stream.encoding import JSON_LINES, EncodedEvent, Heartbeat
from canary.server.stream.endpoint import Sought, StreamQuery, _waves
from canary.server.stream.resume import CATCH_UPS, Resumption
from canary.server.stream.subscription import Subscription
from canary.stores.changestream.dataset import MARK_LENGTH, DataSet, DataSets, find
from canary.stores.changestream.events import Event, identity_of, timestamp_of
from canary.stores.changestream.follow import Feed
from canary.stores.changestream.replay import Replay
from canary.stores.mongo.client import ensure_schema
from canary.stores.mongo.documents import Document
from canary.stores.queries import filtering
from canary.stores.queries.jobs_at import Queries
from tests.asking import open_stream
from tests.integration.conftest import Spawn
from tests.integration.own_mongod import own_replica_set
from tests.integration.stream_client import Client, Told
from tests.integration.test_server import KEEPS, Server
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted
from tests.waiting import eventually

PATH = "/lbaas/jobs"
OTHER = "/poppy/jobs"
CUTS = 30
CHANGES = 1_000
SEED = 20261125
FORGED = 60
ENOUGH = 1 << 30  # bytes
AT_ONCE = 10.0  # seconds, on a busy machine; what waits for its time waits for thirty


@pytest.fixture(autouse=True)
def written(database: Database[Document]) -> WrittenBoard:
    """A board with a watcher that lives."""
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
def followed(database: Database[Document], recent: ReplayBuffer) -> Iterator[Broadcaster]:
    """Follow the database, remembering what came in ``recent``."""
    broadcaster = Broadcaster(2_000, buffer=recent)
    feed = Feed(database, Queries(database, KEEPS), broadcaster)
    threads = set(threading.enumerate())
    feed.start()
    try:
        assert broadcaster.wait_until_known(60)
        yield broadcaster
    finally:
        feed.end()
        for thread in set(threading.enumerate()) - threads:
            thread.join(10)


class Opener:
    """Opens what was, and counts how often."""

    def __init__(self, database: Database[Document]) -> None:
        self._database, self.opened = database, 0

    def __call__(self, position: str) -> Replay:
        self.opened += 1
        return Replay(self._database, position)


def size_of(event: Event) -> int:
    """Return how many bytes its document has."""
    return len(bson.encode(event.document or {}))


def come_back(resumption: Resumption, identity: str) -> list[str]:
    """Come back with an id; return what is told up to the first id behind all that was missed."""
    subscription, catch_up = resumption.resume(Sought(frozenset()), identity)
    told: list[str] = []
    for wave in _waves(resumption.broadcaster, subscription, catch_up):
        told += [
            str(json.loads(each.data).get("revision", each.name))
            for each in wave
            if isinstance(each, EncodedEvent)
        ]
        if catch_up is None or subscription.is_joined:
            catch_up = None
            if resumption.broadcaster.place_of(subscription) is not None:
                break
    resumption.broadcaster.unsubscribe(subscription)
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
        with followed(connected, ReplayBuffer(limit=10)) as broadcaster:
            opener = Opener(connected)
            resumption = Resumption(broadcaster, opener)
            start = place(broadcaster)
            tell(broadcaster, written, 50)
            assert not broadcaster.covers(start)
            assert come_back(resumption, identity_of(start)) == numbers(1, 50)
            assert opener.opened == 1

    def test_what_is_large_is_read_in_pieces(
        self,
        connected: Database[Document],
        written: WrittenBoard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            start = place(broadcaster)
        write(written, 50)
        monkeypatch.setattr(resuming_module, "FILL_SIZE", 1_000)
        monkeypatch.setattr(resuming_module, "PIECE_SIZE", 3_000)
        with followed(connected, ReplayBuffer()) as broadcaster:
            opener = Opener(connected)
            assert come_back(Resumption(broadcaster, opener), identity_of(start)) == numbers(1, 50)
            past = opener(start)
            pieces = []
            while past.position < place(broadcaster):
                pieces.append(past.read(place(broadcaster), 1_000, 3_000, CLOCK.elapsed() + 60))
            past.close()
        sizes = [sum(map(size_of, piece)) for piece in pieces]
        largest = max(size_of(event) for piece in pieces for event in piece)
        assert sum(map(len, pieces)) == 50
        assert max(sizes) < 3_000 + largest
        assert min(sizes[:-1]) >= 3_000

    def test_what_was_posted_before_an_edit_is_not_fetched(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        before = {"uuid": "u", "name": "n", "owner": None}
        payload = {"text": "x" * 64_000, "size": 64_000, "sha256": "0", "malformed": None}
        edit = {"of": "job", "edits": 1, "before": before | {"payload": payload}}
        edit |= {"after": before | {"payload": None}, "changed": []}
        recent = ReplayBuffer()
        with followed(connected, recent) as broadcaster:
            start = place(broadcaster)
            tell(broadcaster, written, 1)
            whole = connected.changes.find_one({"board": PATH, "revision": 1}) or {}
            later = whole | {"_id": change_id(PATH, 2), "revision": 2, "edit": edit}
            connected.changes.insert_one(later)
            eventually(lambda: recent.next == 2)
            past = Replay(connected, start)
            read = past.read(place(broadcaster), 1_000, ENOUGH, CLOCK.elapsed() + 60)
            past.close()
            told = json.loads(recent.encode(1).data)
            assert (told["edit"]["before"]["size"], told["edit"]["before"]["sha256"]) == (
                64_000,
                "0",
            )
            for event in (recent.event(1), read[1]):
                assert size_of(event) < 4_000
                found = (event.document or {})["edit"]["before"]["payload"]
                assert found == {"size": 64_000, "sha256": "0", "malformed": None}

    def test_a_heartbeat_says_when_all_that_was_missed_has_come(
        self,
        connected: Database[Document],
        written: WrittenBoard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(resuming_module, "PIECE", 7)
        with followed(connected, ReplayBuffer(limit=10)) as broadcaster:
            start = place(broadcaster)
            tell(broadcaster, written, 50)
            resumption = Resumption(broadcaster, Opener(connected))
            subscription, catch_up = resumption.resume(Sought(frozenset()), identity_of(start))
            said: list[bool] = []
            for wave in _waves(broadcaster, subscription, catch_up):
                beats = [each for each in wave if isinstance(each, Heartbeat)]
                said += [json.loads(each.sent(JSON_LINES))["data"]["reached"] for each in beats]
                if said[-1:] == [True]:
                    break
            assert said == [False] * (len(said) - 1) + [True]
            assert len(said) > 2

    def test_what_a_new_process_reads_for_one_it_has_for_all(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            start = place(broadcaster)
        write(written, 50)
        with followed(connected, ReplayBuffer()) as broadcaster:
            opener = Opener(connected)
            resumption = Resumption(broadcaster, opener)
            for _ in range(3):
                assert come_back(resumption, identity_of(start)) == numbers(1, 50)
            assert opener.opened == 1

    def test_only_a_few_catch_up_at_a_time(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, ReplayBuffer(limit=10)) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            identity = identity_of(place(broadcaster))
            tell(broadcaster, written, 50)
            some = [resumption.resume(Sought(frozenset()), identity) for _ in range(CATCH_UPS)]
            with pytest.raises(Crowded):
                resumption.resume(Sought(frozenset()), identity)
            assert broadcaster.size == CATCH_UPS
            for _, catch_up in some:
                assert catch_up is not None
                catch_up.close()
            assert come_back(resumption, identity) == numbers(1, 50)

    def test_what_mongodb_has_forgotten_is_a_reset(
        self, config: Config, connected: Database[Document], written: WrittenBoard
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            start = place(broadcaster)
            write(written, 5)
        connected.client.drop_database(connected.name)
        ensure_schema(connected, config.mongo)
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            assert come_back(resumption, identity_of(start))[-1] == "reset"


def told_to(resumption: Resumption, identity: str) -> list[str]:
    """Come back with an id; return the names of what is told first, boards and a reset."""
    begun = time.monotonic()
    subscription, catch_up = resumption.resume(Sought(frozenset()), identity)
    names = [told.name for told in subscription.take(0) or []]
    assert time.monotonic() - begun < AT_ONCE
    if catch_up is not None:
        catch_up.close()
    resumption.broadcaster.unsubscribe(subscription)
    return names


def at_moment(position: str, seconds: int) -> str:
    """Return a position like ``position``, and at another moment."""
    return f"{position[: MARK_LENGTH + 2]}{seconds:08X}{position[MARK_LENGTH + 10 :]}"


def seconds_of(position: str) -> int:
    moment = timestamp_of(position)
    assert moment is not None
    return moment.time


class TestForged:
    """What never was an id of this data is told ``reset`` at once."""

    @pytest.mark.parametrize("ahead", [3_600, 60, 2**31 - 1])
    def test_of_the_future(self, connected: Database[Document], ahead: int) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            end = place(broadcaster)
            later = min(seconds_of(end) + ahead, 2**32 - 1)
            names = told_to(resumption, identity_of(at_moment(end, later)))
            assert names == ["reset", "board"]

    @pytest.mark.parametrize("seconds", [0, 1, 86_400])
    def test_of_1970(
        self, connected: Database[Document], written: WrittenBoard, seconds: int
    ) -> None:
        write(written, 3)
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            forged = identity_of(at_moment(place(broadcaster), seconds))
            assert told_to(resumption, forged) == ["reset", "board"]

    def test_of_just_before_the_data(self, connected: Database[Document]) -> None:
        """Where MongoDB's log reaches back that far, it would tell all that was restored."""
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            since = find(connected)
            assert since is not None
            assert since.since is not None
            forged = identity_of(at_moment(place(broadcaster), since.since.time - 1))
            assert told_to(resumption, forged) == ["reset", "board"]

    def test_of_other_data(self, connected: Database[Document]) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            opener = Opener(connected)
            end = place(broadcaster)
            forged = f"{'0' * MARK_LENGTH}{end[MARK_LENGTH:]}"
            names = told_to(Resumption(broadcaster, opener), identity_of(forged))
            assert names == ["reset", "board"]
            assert opener.opened == 0, "that needs no question to MongoDB"
            with pytest.raises(PlaceLost):
                Replay(connected, forged)

    def test_whatever_it_is_it_is_a_reset_or_exactly_what_came_after_it(
        self, connected: Database[Document], written: WrittenBoard
    ) -> None:
        chance = random.Random(SEED)
        with followed(connected, ReplayBuffer(limit=30)) as broadcaster:
            places = [place(broadcaster)]
            for _ in range(5):
                tell(broadcaster, written, 12)
                places.append(place(broadcaster))
            resumption = Resumption(broadcaster, Opener(connected))
            events = Replay(connected, places[0])
            told = events.read(places[-1], 1_000, ENOUGH, CLOCK.elapsed() + 60)
            events.close()
            known = [(each.position or "", (each.document or {})["revision"]) for each in told]
            assert len(known) == 60
            real = [*places, *(position for position, _ in known)]
            resets = 0
            for _ in range(FORGED):
                position = forged_from(chance, real)
                begun = time.monotonic()
                came = come_back(resumption, identity_of(position))
                assert time.monotonic() - begun < AT_ONCE
                if "reset" in came:
                    resets += 1
                    assert came == ["reset"]
                else:
                    after = [str(revision) for each, revision in known if each > position]
                    assert came == after, position
            assert 0 < resets < FORGED


def forged_from(chance: random.Random, real: list[str]) -> str:
    """Return a position that is one, or nearly."""
    position = chance.choice(real)
    match chance.randrange(5):
        case 0:
            return position
        case 1:  # another digit
            where = chance.randrange(len(position))
            return f"{position[:where]}{chance.choice('0123456789ABCDEF')}{position[where + 1 :]}"
        case 2:  # cut
            return position[: 2 * chance.randrange(1, len(position) // 2)]
        case 3:  # longer
            return position + "".join(chance.choices("0123456789ABCDEF", k=2 * 9))
        case _:  # another moment
            moment = seconds_of(position) + chance.choice([-(10**6), -1, 1, 10**6])
            return at_moment(position, moment)


class TestOtherData:
    """An id is good for the data that it was given for, and for no other."""

    def test_another_replica_set_with_the_same_documents(
        self, connected: Database[Document], written: WrittenBoard, tmp_path: Path
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            old = place(broadcaster)
            write(written, 20)
        with own_replica_set(tmp_path / "restored") as other:
            copy = other[connected.name]
            for name in connected.list_collection_names():
                if documents := list(connected[name].find()):
                    copy[name].insert_many(documents)
            assert copy.dataset.find_one() == connected.dataset.find_one()
            with followed(copy, ReplayBuffer()) as broadcaster:
                resumption = Resumption(broadcaster, Opener(copy))
                assert told_to(resumption, identity_of(old)) == ["reset", "board"]
                with pytest.raises(PlaceLost):
                    Replay(copy, old)

    def test_processes_that_begin_together_agree(self, connected: Database[Document]) -> None:
        connected.drop_collection("dataset")
        found: list[DataSet] = []
        threads = [
            threading.Thread(target=lambda: found.append(DataSets(connected).read()))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 8
        assert set(found) == {find(connected)}

    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data.dataset.delete_many({}),
            lambda data: data.dataset.update_one({}, {"$set": {"random": "another"}}),
            lambda data: data.drop_collection("dataset"),
            lambda data: data.drop_collection("changes"),
            lambda data: data.changes.rename("old_changes"),
            lambda data: data.client.drop_database(data.name),
        ],
        ids=["removed", "changed", "dropped", "changes dropped", "changes renamed", "all dropped"],
    )
    def test_data_that_becomes_another_is_told_and_ids_of_before_are_none(
        self,
        config: Config,
        connected: Database[Document],
        written: WrittenBoard,
        change: Callable[[Database[Document]], object],
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            tell(broadcaster, written, 3)
            old = place(broadcaster)
            client = broadcaster.subscribe()
            client.take(0)
            change(connected)
            came: list[str] = []

            def is_reset() -> bool:
                came.extend(told.name for told in client.take(0.1) or [])
                return "reset" in came

            eventually(is_reset, why="the data is another")
            eventually(lambda: broadcaster.wait_until_known(0))
            ensure_schema(connected, config.mongo)
            assert told_to(resumption, identity_of(old))[0] == "reset"
            now_and_later = WrittenBoard(connected, "/anew/jobs")
            tell(broadcaster, now_and_later, 2)
            assert told_to(resumption, identity_of(place(broadcaster)))[:1] != ["reset"]


class TestDamaged:
    """A document that can't be told is a reset to all who listen, and who come back over it."""

    @pytest.mark.parametrize(
        "damage",
        [
            {"revision": None},
            {"seen_at": "yesterday"},
            {"owner": {"not": "text"}},
            {"job_name": 7},
            {"waiting": float("nan")},
            {"board": None},
            {"posted_at": DatetimeMS(2**62)},
            {"kind": {}},
            {"edit": {"before": {"uuid": ["u"]}}},
        ],
        ids=str,
    )
    def test_it_is_told(
        self, connected: Database[Document], written: WrittenBoard, damage: Document
    ) -> None:
        with followed(connected, ReplayBuffer()) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            start = place(broadcaster)
            tell(broadcaster, written, 1)
            text = frozenset({Filter(Field.TEXT, ("never",))})
            clients = [broadcaster.subscribe(Sought(each)) for each in (frozenset(), text)]
            for client in clients:
                client.take(0)
            whole = connected.changes.find_one({"board": PATH, "revision": 1}) or {}
            connected.changes.insert_one(whole | {"_id": "damaged", "revision": 2} | damage)
            for client in clients:
                names: list[str] = []
                eventually(partial(has_reset, client, names), why=f"a reset is told, not {names}")
            eventually(lambda: broadcaster.wait_until_known(0))
            assert come_back(resumption, identity_of(start)) == ["reset"]
            tell(broadcaster, written, 1)
        with followed(
            connected, ReplayBuffer()
        ) as broadcaster:  # a new process, which reads the past
            resumption = Resumption(broadcaster, Opener(connected))
            assert come_back(resumption, identity_of(start)) == ["reset"]


def has_reset(client: Subscription, names: list[str]) -> bool:
    names.extend(told.name for told in client.take(0.1) or [])
    return "reset" in names


class TestOrder:
    def test_the_boards_come_first_however_much_was_missed(
        self,
        connected: Database[Document],
        written: WrittenBoard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(resuming_module, "PIECE", 7)
        with followed(connected, ReplayBuffer(limit=10)) as broadcaster:
            resumption = Resumption(broadcaster, Opener(connected))
            start = place(broadcaster)
            tell(broadcaster, written, 50)
            subscription, catch_up = resumption.resume(Sought(frozenset()), identity_of(start))
            assert catch_up is not None
            names: list[str] = []
            for wave in _waves(broadcaster, subscription, catch_up):
                names += [each.name for each in wave if isinstance(each, EncodedEvent)]
                if names.count("change") >= 50:
                    break
            assert names == ["board", *["change"] * 50]


def place(broadcaster: Broadcaster) -> str:
    """Return up to where all is known."""
    _, end, _ = broadcaster.kept
    assert end is not None
    return end


def tell(broadcaster: Broadcaster, written: WrittenBoard, count: int) -> None:
    """Write so many changes, and wait until the broadcaster has been told of all."""
    write(written, count)
    last = {"_id": change_id(written.path, written.revision)}

    def all_came() -> bool:
        recent = broadcaster._buffer
        if recent.next == recent.first:
            return False
        newest = recent.event(recent.next - 1).document or {}
        return bool(newest["_id"] == last["_id"])

    eventually(all_came)
