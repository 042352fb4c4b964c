"""The reconciler: what differs from ZooKeeper is found, mended, counted and logged."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.clock import Awaited, Clock, now
from canary.config import Config
from canary.model.jobs import Job, JobState
from canary.model.payload.payload import Payload
from canary.model.state import BoardState
from canary.stores.queries.jobs_at import Queries
from canary.stores.writing import reconcile, stored
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.stored import of_several
from canary.stores.writing.take import LiveStore
from canary.watchers.agreement import Together
from canary.watchers.context import Tally, WatchContext
from canary.watchers.zookeeper.board_reader import BoardReader
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.faults.judge import is_mirror
from tests.integration.boards import claim, consume, post, posting
from tests.integration.watching import Watching, take
from tests.waiting import eventually

INTERVAL = 0.2  # seconds

Mongo = Database[dict[str, Any]]


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    """A board with a job that waits, one that runs, one that is consumed, and a child beside."""
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(f"{path}/other")
    post(zookeeper, path)
    for _ in range(2):
        claim(zookeeper, path, post(zookeeper, path))
    return path


class BetweenRounds:
    """A watch's clock that calls ``do`` once, in the watch's own greenlet, between two rounds."""

    def __init__(self, clock: Clock, do: Callable[[], None]) -> None:
        self._clock, self._do = clock, [do]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def wait(self, event: Awaited, timeout: float) -> bool:
        while self._do:
            self._do.pop()()
        return self._clock.wait(event, timeout)


def forge(watch: BoardWatch, change: Callable[[BoardState], BoardState]) -> None:
    """Change what a watch remembers. A round that is under way would overwrite it."""

    def do() -> None:
        watch._state = change(watch._state)

    watch._clock = cast("Clock", BetweenRounds(watch._clock, do))


@pytest.fixture
def watching(client: Client, connected: Mongo, path: str) -> Iterator[Watching]:
    together = Together(partial(of_several, connected))
    context = WatchContext(client, Pulse(client), INTERVAL, together=together)
    watching = Watching(context, take(LiveStore(connected, "test"), path))
    eventually(lambda: context.tally.reconciled)
    yield watching
    watching.watch.stop()
    watching.greenlet.get(timeout=30)


def jobs(database: Mongo, path: str) -> list[str]:
    return [job["name"] for job in database.jobs.find({"board": path}).sort("name")]


def test_nothing_is_found_where_all_is_well(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    tally = watching.context.tally
    for _ in range(5):
        job = post(zookeeper, path)
        claim(zookeeper, path, job)
        before = tally.reconciled
        eventually(partial(is_more, tally, before))
        consume(zookeeper, path, job)
        eventually(partial(is_more, tally, tally.reconciled))
    assert tally.drift == 0
    assert is_mirror(database, zookeeper, path)
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["drift"] == 0


def is_more(tally: Tally, before: int) -> bool:
    return tally.reconciled > before


def lose_a_job(database: Mongo, path: str) -> None:
    database.jobs.delete_one({"board": path, "state": "CLAIMED"})


def end_a_job(database: Mongo, path: str) -> None:
    ended = {"state": "COMPLETE", "outcome": "consumed", "lock": None}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": ended})


def change_an_owner(database: Mongo, path: str) -> None:
    owner = {"lock.owner": "eve", "owner": "eve"}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": owner})


def change_the_owner_that_lists_show(database: Mongo, path: str) -> None:
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": {"owner": "eve"}})


def change_the_state_alone(database: Mongo, path: str) -> None:
    unclaimed = {"$set": {"state": "UNCLAIMED"}}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, unclaimed)


def lose_a_payload(database: Mongo, path: str) -> None:
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": {"payload": None}})


def change_a_payload(database: Mongo, path: str) -> None:
    other = {"payload.text": "{}", "payload.size": 2}
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$set": other})


def change_how_long_a_job_ran(database: Mongo, path: str) -> None:
    of_a_job = {"board": path, "state": "CLAIMED"}
    database.jobs.update_one(of_a_job, {"$set": {"ran": 1e6}, "$inc": {"claims": 1}})


def change_since_when_a_job_waits(database: Mongo, path: str) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    of_a_job = {"board": path, "state": "UNCLAIMED"}
    database.jobs.update_one(of_a_job, {"$set": {"since": long_ago, "waiting_from": long_ago}})


def invent_a_job(database: Mongo, path: str) -> None:
    job = database.jobs.find_one({"board": path, "state": "UNCLAIMED"})
    assert job is not None
    job |= {"_id": f"{path}#{1:016x}", "name": "job9999999999", "czxid": 1}
    database.jobs.insert_one(job)


def forget_all_of_a_payload(database: Mongo, path: str) -> None:
    database.jobs.update_one({"board": path, "state": "CLAIMED"}, {"$unset": {"payload": ""}})


def forget_a_node_s_name(database: Mongo, path: str) -> None:
    database.nodes.update_one({"board": path}, {"$unset": {"name": ""}})


def have_a_node_twice(database: Mongo, path: str) -> None:
    node = database.nodes.find_one({"board": path})
    assert node is not None
    database.nodes.insert_one(node | {"_id": "elsewhere"})


def lose_a_node(database: Mongo, path: str) -> None:
    database.nodes.delete_one({"board": path})


def invent_a_node(database: Mongo, path: str) -> None:
    database.nodes.insert_one({"_id": f"{path}/ghost", "board": path, "name": "ghost"})


def change_the_stat(database: Mongo, path: str) -> None:
    database.boards.update_one({"_id": path}, {"$inc": {"stat.cversion": 7}})


@pytest.mark.parametrize(
    ("plant", "differences"),
    [
        (lose_a_job, 1),
        (end_a_job, 1),
        (change_an_owner, 1),
        (change_the_owner_that_lists_show, 1),
        (change_the_state_alone, 1),
        (lose_a_payload, 1),
        (change_a_payload, 1),
        (change_how_long_a_job_ran, 1),
        (change_since_when_a_job_waits, 1),
        (forget_all_of_a_payload, 1),
        (invent_a_job, 1),
        (lose_a_node, 1),
        (invent_a_node, 1),
        (forget_a_node_s_name, 1),
        (have_a_node_twice, 1),
        (change_the_stat, 1),
    ],
)
def test_what_differs_in_mongodb_is_mended(
    watching: Watching,
    zookeeper: KazooClient,
    database: Mongo,
    path: str,
    caplog: pytest.LogCaptureFixture,
    plant: Callable[[Mongo, str], None],
    differences: int,
) -> None:
    before = snapshot(database, path)
    begun = now()
    plant(database, path)
    planted = now()
    eventually(lambda: watching.context.tally.drift == differences)
    after = snapshot(database, path)
    assert is_mirror(database, zookeeper, path)
    assert after["boards"][0].pop("writes") > before["boards"][0].pop("writes")
    assert after["boards"][0].pop("drift") == before["boards"][0].pop("drift") + differences
    assert after["boards"][0].pop("missed")["gaps"] == {"drift": 1}
    [gap] = after["gaps"]
    assert (gap["reason"], gap["creates"], gap["deletes"]) == ("drift", 0, 0)
    assert gap["from"] <= planted, "a comparison that was made before it had found nothing"
    assert begun <= gap["to"], "until then something else was shown"
    after["gaps"] = []
    if plant is invent_a_job:
        [invented] = [job for job in after["jobs"] if job["name"] == "job9999999999"]
        assert (invented["state"], invented["outcome"]) == ("COMPLETE", "unknown")
        after["jobs"].remove(invented)
    assert without_revision(after) == without_revision(before)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "differences from ZooKeeper were repaired" in errors[0].message
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled + 1)
    assert watching.context.tally.drift == differences, "once is enough"


def test_a_counter_of_writes_that_a_hand_took_out_is_put_back(
    watching: Watching, database: Mongo, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    tally = watching.context.tally
    database.boards.update_one({"_id": path}, {"$unset": {"writes": ""}})
    eventually(lambda: tally.drift == 1)
    eventually(partial(is_more, tally, tally.reconciled))
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert (board["drift"], board["writes"] > 0, tally.drift) == (1, True, 1)
    assert (
        "1 differences from ZooKeeper were repaired: the board's counter of writes" in caplog.text
    )
    assert database.gaps.count_documents({"board": path}) == 0, "nothing was shown otherwise"


class TestBusy:
    """A board that never stands still is compared all the same."""

    @pytest.fixture(autouse=True)
    def _load(self, config: Config, watching: Watching, path: str) -> Iterator[None]:
        client = connect(config.zookeeper)
        client.start(timeout=30)
        assert watching.greenlet
        stopping = Event()

        def work() -> None:
            while not stopping.is_set():
                client.delete(client.create(f"{path}/job", posting(), sequence=True))

        working = [gevent.spawn(work) for _ in range(3)]
        yield
        stopping.set()
        gevent.joinall(working, raise_error=True)
        disconnect(client, 1.0)

    def test_nothing_is_found_where_all_is_well(self, watching: Watching) -> None:
        tally = watching.context.tally
        goal = tally.reconciled + 10
        eventually(lambda: tally.reconciled >= goal)
        assert tally.drift == 0

    def test_what_differs_in_mongodb_is_mended(
        self, watching: Watching, database: Mongo, path: str
    ) -> None:
        job = database.jobs.find_one({"board": path, "state": "CLAIMED"})
        assert job is not None
        lose_a_job(database, path)
        invent_a_node(database, path)
        eventually(lambda: watching.context.tally.drift == 2)
        found = database.jobs.find_one({"_id": job["_id"]})
        assert found is not None
        assert (found["owner"], found["payload"]) == (job["owner"], job["payload"])
        assert database.nodes.find_one({"name": "ghost"}) is None

    def test_what_differs_in_the_worker_s_memory_is_mended(
        self, watching: Watching, database: Mongo, path: str
    ) -> None:
        watch, tally = watching.watch, watching.context.tally
        job = next(job for job in watch._state.jobs.values() if job.lock)
        assert job.lock is not None
        forged = replace(job, lock=replace(job.lock, czxid=1, owner="eve"))
        forge(watch, lambda state: replace(state, jobs={**state.jobs, job.name: forged}))
        eventually(lambda: tally.drift)
        told = {"board": path, "name": job.name, "kind": "claimed", "creates": 0}
        eventually(lambda: database.changes.find_one(told), why="it was in the account already")
        reconciled = tally.reconciled
        eventually(lambda: tally.reconciled > reconciled)
        found = database.jobs.find_one({"board": path, "name": job.name})
        assert found is not None
        assert (found["owner"], found["lock"]["czxid"]) == (job.lock.owner, job.lock.czxid)
        assert database.gaps.find_one({"board": path, "reason": "drift"})


def test_no_transaction_is_open_while_a_payload_is_read(
    watching: Watching, database: Mongo, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, read, open_ones = watching.watch.board, BoardReader.payload, list[bool]()

    def payload(reader: BoardReader, job: Job) -> Payload | None:
        open_ones.append(board._session.in_transaction)
        return read(reader, job)

    monkeypatch.setattr(BoardReader, "payload", payload)
    before = snapshot(database, path)["jobs"]
    database.jobs.delete_many({"board": path})
    eventually(lambda: watching.context.tally.drift == 3)
    assert open_ones == [False] * 3
    assert (
        without_revision(snapshot(database, path))["jobs"]
        == without_revision({"jobs": before})["jobs"]
    )


def test_much_is_mended_in_transactions_that_are_bounded(
    watching: Watching, database: Mongo, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH_CHANGES", 2)
    mend, parts = LiveBoard._repair, list[int]()

    def counted(board: LiveBoard, part: reconcile.Repair, gaps: Any) -> None:
        parts.append(len(part.words))
        mend(board, part, gaps)

    monkeypatch.setattr(LiveBoard, "_repair", counted)
    database.jobs.delete_many({"board": path})
    eventually(lambda: watching.context.tally.drift == 3)
    assert parts == [2, 1]
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["drift"] == 3
    assert database.gaps.count_documents({"board": path}) == 1


def test_what_no_job_can_have_spent_is_told_anew_from_the_log(
    watching: Watching, client: Client, connected: Mongo, database: Mongo, path: str
) -> None:
    """Also where it was so when the board was taken, so that nobody remembers it otherwise."""
    before = snapshot(database, path)["jobs"]
    watching.watch.stop()
    watching.greenlet.get(timeout=30)
    database.jobs.update_many({"board": path}, {"$set": {"ran": -5.0, "waited": float("nan")}})
    context = WatchContext(client, Pulse(client), INTERVAL)
    again = Watching(context, take(LiveStore(connected, "test"), path, 2))
    eventually(lambda: context.tally.drift)
    again.watch.stop()
    again.greenlet.get(timeout=30)
    assert context.tally.drift == 3
    assert snapshot(database, path)["jobs"] == before


def test_an_abandonment_that_was_mended_is_shown_as_such(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    """Of which the log knows nothing: as after a defect in Canary."""
    job = database.jobs.find_one({"board": path, "state": "CLAIMED"})
    assert job is not None
    zookeeper.delete(f"{path}/{job['name']}.lock")
    told = {"board": path, "kind": "abandoned"}
    eventually(lambda: database.changes.find_one(told))
    database.changes.delete_one(told)
    database.jobs.replace_one({"_id": job["_id"]}, job)
    eventually(lambda: watching.context.tally.drift == 1)
    queries = Queries(database, timedelta(days=1))
    with queries.jobs(path, timedelta(0)) as found:
        assert found is not None
        shown = {each.document["name"]: each.then for each in found.jobs}
    assert (shown[job["name"]].state, shown[job["name"]].owner) == (JobState.UNCLAIMED, None)


def test_what_the_log_says_of_a_job_that_came_back_is_told_again(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    gone = jobs(database, path)[1]
    consume(zookeeper, path, gone)
    eventually(lambda: database.jobs.find_one({"board": path, "name": gone, "state": "COMPLETE"}))
    before = snapshot(database, path)
    alive = {"state": "UNCLAIMED", "outcome": None, "ended_at": None, "ended_seen_at": None}
    database.jobs.update_one({"board": path, "name": gone}, {"$set": alive})
    eventually(lambda: watching.context.tally.drift == 1)
    assert without_revision(snapshot(database, path))["jobs"] == without_revision(before)["jobs"]


def test_what_differs_in_the_worker_s_memory_is_mended(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    watch, tally = watching.watch, watching.context.tally
    name, job = next((name, job) for name, job in watch._state.jobs.items() if job.lock)
    forged = replace(job, lock=None)
    forge(
        watch,
        lambda state: replace(
            state, jobs={**state.jobs, name: forged}, children=state.children - {f"{name}.lock"}
        ),
    )
    eventually(lambda: tally.drift)
    reconciled = tally.reconciled
    eventually(lambda: tally.reconciled > reconciled)
    assert is_mirror(database, zookeeper, path)
    told = database.changes.find_one({"board": path, "kind": "claimed", "name": name, "creates": 0})
    assert told is not None, "it was in the account already"
    [gap] = database.gaps.find({"board": path})
    assert (gap["reason"], gap["creates"], gap["deletes"]) == ("drift", 0, 0)
    board = database.boards.find_one({"_id": path})
    assert board is not None
    assert board["drift"] == tally.drift > 0


def test_a_board_that_is_gone_is_compared_as_well(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    zookeeper.delete(path, recursive=True)
    missing = {"_id": path, "freshness": "missing"}
    eventually(partial(database.boards.find_one, missing))
    assert watching.context.tally.drift == 0
    invent_a_node(database, path)
    eventually(lambda: watching.context.tally.drift == 1)
    assert database.nodes.count_documents({"board": path}) == 0


def test_a_board_that_is_created_empty_is_stored_as_it_is(
    watching: Watching, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    zookeeper.delete(path, recursive=True)
    eventually(partial(database.boards.find_one, {"_id": path, "freshness": "missing"}))
    zookeeper.create(path)
    czxid = zookeeper.exists(path).czxid
    eventually(partial(database.boards.find_one, {"_id": path, "stat.czxid": czxid}))
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled)
    assert watching.context.tally.drift == 0


def test_what_dead_watches_do_not_tell_is_found_and_they_are_built_anew(
    watching: Watching, client: Client, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    forget_watches(client, path)
    last = post(zookeeper, path)
    eventually(lambda: last in jobs(database, path))
    eventually(lambda: client._child_watchers.get(path))
    assert watching.context.tally.drift == 0


def test_a_board_that_went_while_watches_were_dead_is_watched_for_its_return(
    watching: Watching, client: Client, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    forget_watches(client, path)
    zookeeper.delete(path, recursive=True)
    eventually(partial(database.boards.find_one, {"_id": path, "freshness": "missing"}))
    eventually(lambda: client._data_watchers.get(path))
    assert watching.context.tally.drift == 0


def forget_watches(client: Client, path: str) -> None:
    """Let what ZooKeeper tells of a board reach nobody."""
    for watchers in (client._data_watchers, client._child_watchers):
        watchers.pop(path, None)


def snapshot(database: Mongo, path: str) -> dict[str, list[dict[str, Any]]]:
    """Return all documents of a board but those that tell when they were written."""
    return {
        "boards": list(database.boards.find({"_id": path}, {"freshness_since": 0})),
        "jobs": list(database.jobs.find({"board": path}).sort("_id")),
        "nodes": list(database.nodes.find({"board": path}).sort("_id")),
        "changes": list(database.changes.find({"board": path}).sort("_id")),
        "gaps": list(database.gaps.find({"board": path}).sort("_id")),
    }


def without_revision(documents: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Leave out what a mended job can't know: which change made it so, and when that was seen."""
    for job in documents["jobs"]:
        job.pop("revision")
        if job["lock"]:
            job["lock"].pop("seen_at")
    return documents


class TestSmallBoards:
    """They are asked for together, and a board of which more is to be known alone."""

    BOARDS = 8

    @pytest.fixture
    def questions(self) -> list[int]:
        """How many boards each question was about, to be looked at."""
        return []

    @pytest.fixture
    def several(
        self,
        client: Client,
        connected: Mongo,
        zookeeper: KazooClient,
        path: str,
        questions: list[int],
    ) -> Iterator[list[Watching]]:

        def read(paths: Collection[str]) -> Any:
            questions.append(len(paths))
            return of_several(connected, paths)

        together, store = Together(read), LiveStore(connected, "test")
        several = []
        for number in range(self.BOARDS):
            board = f"{path}/{number}"
            zookeeper.ensure_path(f"{board}/other")
            claim(zookeeper, board, post(zookeeper, board))
            post(zookeeper, board)
            context = WatchContext(client, Pulse(client), INTERVAL, together=together)
            several.append(Watching(context, take(store, board)))
        eventually(lambda: all(each.context.tally.reconciled for each in several))
        yield several
        for each in several:
            each.watch.stop()
        gevent.joinall([each.greenlet for each in several], timeout=30, raise_error=True)

    def test_are_asked_for_with_one_question(
        self, several: list[Watching], questions: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reconcile, "of_one", nobody_asks)
        goals = [each.context.tally.reconciled + 5 for each in several]
        questions.clear()
        eventually(
            lambda: all(
                each.context.tally.reconciled >= goal
                for each, goal in zip(several, goals, strict=True)
            )
        )
        assert len(questions) <= sum(questions) / 3, "at least three boards in one"
        assert [each.context.tally.drift for each in several] == [0] * self.BOARDS

    def test_what_differs_is_found_where_it_is(
        self, several: list[Watching], database: Mongo, zookeeper: KazooClient
    ) -> None:
        wrong = several[3]
        change_an_owner(database, wrong.watch.path)
        invent_a_node(database, wrong.watch.path)
        eventually(lambda: wrong.context.tally.drift == 2)
        assert sum(each.context.tally.drift for each in several) == 2
        assert all(is_mirror(database, zookeeper, each.watch.path) for each in several)

    def test_are_read_alone_where_together_they_are_too_much(
        self, several: list[Watching], database: Mongo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stored, "MOST_TOGETHER", 10)
        assert of_several(several[0].watch.board._database, [several[0].watch.path])
        assert (
            of_several(several[0].watch.board._database, [each.watch.path for each in several])
            is None
        )
        lose_a_job(database, several[0].watch.path)
        eventually(lambda: several[0].context.tally.drift == 1)

    def test_of_what_was_written_meanwhile_no_difference_is_made(
        self, several: list[Watching], zookeeper: KazooClient
    ) -> None:
        goal = several[0].context.tally.reconciled + 10

        def write() -> bool:
            for each in several:
                board = each.watch.path
                job = post(zookeeper, board)
                claim(zookeeper, board, job)
                consume(zookeeper, board, job)
            return several[0].context.tally.reconciled >= goal

        eventually(write)
        assert [each.context.tally.drift for each in several] == [0] * self.BOARDS


def nobody_asks(*_: object) -> Iterator[dict[str, Any]]:
    raise AssertionError("a board was asked for alone")
