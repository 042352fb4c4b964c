"""A hand's edits of znodes, on real servers: each is a change of its own, and none is a defect."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.server import representation
from canary.stores.queries.jobs_at import Queries
from canary.stores.writing.take import LiveStore
from canary.watchers.context import WatchContext
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.faults.judge import is_mirror
from tests.integration.boards import claim, consume, kinds, missed, post, posting
from tests.integration.watching import Watching, take
from tests.waiting import eventually

Mongo = Database[dict[str, Any]]
Begin = Callable[[float], Watching]

NEVER = 3_600.0  # seconds: nothing but a watch tells
OFTEN = 0.2
FAR = 1_000_000  # bytes, almost the most that ZooKeeper takes


def other(posted: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(posted), **values}).encode()


def without(posted: bytes, name: str) -> bytes:
    return json.dumps(
        {key: each for key, each in json.loads(posted).items() if key != name}
    ).encode()


#: What a hand makes of a job's data.
EDITS: dict[str, Callable[[bytes], bytes]] = {
    "another priority": lambda posted: other(posted, priority="HIGH"),
    "other details": lambda posted: other(posted, details={"retries": 5}),
    "no details": lambda posted: without(posted, "details"),
    "more in it": lambda posted: other(posted, extra=[1, 2]),
    "of equal length": lambda posted: posted.replace(b"build", b"guild"),
    "another uuid": lambda posted: other(posted, uuid="edited-uuid"),
    "another name": lambda posted: other(posted, name="edited"),
    "emptied": lambda _: b"",
    "an empty object": lambda _: b"{}",
    "no JSON": lambda posted: posted[:-1],
    "no UTF-8": lambda posted: b"\xff" + posted,
    "no priority of TaskFlow's": lambda posted: other(posted, priority="URGENT"),
    "the same again": lambda posted: posted,
    "large": lambda posted: other(posted, details={"text": "x" * (FAR - 200)}),
}


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def path(corner: str, zookeeper: KazooClient) -> str:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    return path


@pytest.fixture
def begin(client: Client, connected: Mongo, database: Mongo, path: str) -> Iterator[Begin]:
    """Watch the board; how often it is reconciled is the caller's to say."""
    begun: list[Watching] = []

    def watch(interval: float) -> Watching:
        context = WatchContext(client, Pulse(client), interval)
        epoch = len(begun) + 1
        begun.append(Watching(context, take(LiveStore(connected, "test"), path, epoch)))
        eventually(partial(database.boards.find_one, {"_id": path, "freshness": "live"}))
        return begun[-1]

    yield watch
    for each in begun:
        stop(each)


def stop(watching: Watching) -> None:
    watching.watch.stop()
    watching.greenlet.get(timeout=30)


def edits(database: Mongo, path: str) -> list[dict[str, Any]]:
    return list(database.changes.find({"board": path, "kind": "edited"}).sort("revision", 1))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lose_the_watches(client: Client, path: str) -> None:
    """Have nobody told of an edit, as after a connection that was lost."""
    for each in [each for each in client._data_watchers if each.startswith(f"{path}/job")]:
        client._data_watchers.pop(each)


def check_one(database: Mongo, path: str, job: str, posted: bytes, made: bytes) -> None:
    [change] = edits(database, path)
    edit, stored = change["edit"], database.jobs.find_one({"board": path, "name": job})
    assert stored is not None
    assert (edit["of"], edit["edits"]) == ("job", 1)
    assert edit["before"]["payload"]["sha256"] == digest(posted)
    assert edit["after"]["payload"]["sha256"] == stored["payload"]["sha256"] == digest(made)
    assert edit["before"]["payload"]["size"] == len(posted)
    assert edit["after"]["payload"]["size"] == stored["payload"]["size"] == len(made)
    was = json.loads(posted)
    is_read = stored["payload"]["malformed"] is None
    now = json.loads(made) if is_read else was  # a job that can't be read is who it was
    assert edit["before"]["uuid"] == was["uuid"]
    assert (edit["after"]["uuid"], change["uuid"], stored["uuid"]) == (now["uuid"],) * 3
    assert edit["before"]["name"] == was["name"]
    assert (edit["after"]["name"], change["job_name"], stored["job_name"]) == (now["name"],) * 3
    assert (change["creates"], change["deletes"]) == (0, 0)


class TestOneEdit:
    @pytest.fixture(params=list(EDITS))
    def edit(self, request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
        return EDITS[request.param]

    def test_it_is_told_as_it_happens(
        self,
        begin: Begin,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        edit: Callable[[bytes], bytes],
    ) -> None:
        posted = posting(retries=3)
        job = post(zookeeper, path, posted)
        begin(NEVER)
        stat = zookeeper.set(f"{path}/{job}", edit(posted))
        eventually(lambda: edits(database, path))
        check_one(database, path, job, posted, edit(posted))
        [change] = edits(database, path)
        assert round(change["at"].timestamp() * 1000) == stat.mtime
        assert kinds(database, path) == ["posted", "edited"]
        assert missed(database, path) == []

    def test_the_reconciler_finds_it_and_calls_nothing_wrong(
        self,
        begin: Begin,
        client: Client,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        edit: Callable[[bytes], bytes],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        posted = posting(retries=3)
        job = post(zookeeper, path, posted)
        watching = begin(OFTEN)
        lose_the_watches(client, path)
        zookeeper.set(f"{path}/{job}", edit(posted))
        tally = watching.context.tally
        eventually(lambda: edits(database, path))
        reconciled = tally.reconciled
        eventually(lambda: tally.reconciled > reconciled + 1)
        check_one(database, path, job, posted, edit(posted))
        assert tally.drift == 0
        assert missed(database, path) == []
        assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []

    def test_who_takes_the_board_next_finds_it(
        self,
        begin: Begin,
        zookeeper: KazooClient,
        database: Mongo,
        path: str,
        edit: Callable[[bytes], bytes],
    ) -> None:
        posted = posting(retries=3)
        job = post(zookeeper, path, posted)
        stop(begin(NEVER))
        zookeeper.set(f"{path}/{job}", edit(posted))
        watching = begin(OFTEN)
        eventually(lambda: edits(database, path))
        reconciled = watching.context.tally.reconciled
        eventually(lambda: watching.context.tally.reconciled > reconciled + 1)
        check_one(database, path, job, posted, edit(posted))
        assert watching.context.tally.drift == 0


def test_several_between_two_looks_are_counted(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    posted = posting(retries=3)
    job = post(zookeeper, path, posted)
    stop(begin(NEVER))
    for retries in (4, 5, 6):
        stat = zookeeper.set(f"{path}/{job}", other(posted, details={"retries": retries}))
    begin(OFTEN)
    [change] = eventually(lambda: edits(database, path))
    assert change["edit"]["edits"] == 3
    assert change["edit"]["changed"] == [{"field": "details.retries", "before": "3", "after": "6"}]
    assert round(change["at"].timestamp() * 1000) == stat.mtime, "that of the last one"


def test_what_was_edited_before_it_was_first_read_is_told_as_posted_and_edited(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    job = post(zookeeper, path, posting())
    zookeeper.set(f"{path}/{job}", b"")
    begin(OFTEN)
    eventually(lambda: edits(database, path))
    assert kinds(database, path) == ["posted", "edited"]
    [change] = edits(database, path)
    assert change["edit"]["before"] is None
    assert change["edit"]["edits"] == 1


def test_a_claimed_job_is_edited_and_consumed(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    posted = posting()
    job = post(zookeeper, path, posted)
    claim(zookeeper, path, job)
    watching = begin(OFTEN)
    zookeeper.set(f"{path}/{job}", other(posted, uuid="edited-uuid"))
    eventually(lambda: edits(database, path))
    [change] = edits(database, path)
    assert (change["state"], change["state_before"], change["owner"]) == (
        "CLAIMED",
        "CLAIMED",
        "ann",
    )
    consume(zookeeper, path, job)
    eventually(lambda: kinds(database, path)[-1:] == ["consumed"])
    uuids = [each["uuid"] for each in database.changes.find({"board": path}).sort("revision", 1)]
    before = json.loads(posted)["uuid"]
    assert uuids == [before, before, "edited-uuid", "edited-uuid"]
    assert watching.context.tally.drift == 0


def test_the_owner_in_a_lock_is_edited(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    job = post(zookeeper, path)
    claim(zookeeper, path, job)
    watching = begin(OFTEN)
    zookeeper.set(f"{path}/{job}.lock", b'{"owner": "eve"}')
    [change] = eventually(lambda: edits(database, path))
    edit = change["edit"]
    assert (edit["of"], edit["edits"]) == ("lock", 1)
    assert (edit["before"]["owner"], edit["after"]["owner"]) == ("ann", "eve")
    assert edit["changed"] == [{"field": "owner", "before": '"ann"', "after": '"eve"'}]
    assert is_mirror(database, zookeeper, path)
    stored = database.jobs.find_one({"board": path})
    assert stored is not None
    assert (stored["owner"], stored["lock"]["owner"]) == ("eve", "eve")
    with Queries(database, timedelta(days=1)).jobs(path, timedelta(hours=1)) as found:
        assert found is not None
        [seen] = found.jobs
    assert seen.then.owner == "eve"
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled + 1)
    assert watching.context.tally.drift == 0
    consume(zookeeper, path, job)
    eventually(lambda: kinds(database, path)[-1:] == ["consumed"])


def test_an_edit_of_what_is_no_job_is_nobodys_business(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    zookeeper.create(f"{path}/other")
    watching = begin(OFTEN)
    zookeeper.set(f"{path}/other", b"anything")
    zookeeper.set(path, b"anything")
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled + 2)
    assert kinds(database, path) == ["node_created"]
    assert watching.context.tally.drift == 0


def test_a_hand_in_mongodb_is_still_drift_after_an_edit(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    posted = posting()
    job = post(zookeeper, path, posted)
    watching = begin(OFTEN)
    zookeeper.set(f"{path}/{job}", other(posted, priority="HIGH"))
    eventually(lambda: edits(database, path))
    database.jobs.update_one({"board": path}, {"$set": {"payload.size": 2, "payload.text": "{}"}})
    eventually(lambda: watching.context.tally.drift == 1)
    database.jobs.update_one({"board": path}, {"$set": {"edition.version": 7}})
    eventually(lambda: watching.context.tally.drift == 2)
    stored = database.jobs.find_one({"board": path})
    assert stored is not None
    assert (stored["payload"]["size"], stored["edition"]["version"]) == (
        len(other(posted, priority="HIGH")),
        1,
    )


def test_what_was_stored_before_editions_were_is_no_drift(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    claim(zookeeper, path, post(zookeeper, path))
    stop(begin(NEVER))
    database.jobs.update_many({"board": path}, {"$unset": {"edition": "", "lock.edition": ""}})
    watching = begin(OFTEN)
    eventually(lambda: watching.context.tally.reconciled > 1)
    assert watching.context.tally.drift == 0
    assert edits(database, path) == []


def test_a_job_that_is_made_again_under_its_name_is_no_drift(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    job = post(zookeeper, path)
    watching = begin(OFTEN)
    again = zookeeper.transaction()
    again.delete(f"{path}/{job}")
    again.create(f"{path}/{job}", posting())
    again.commit()
    eventually(lambda: kinds(database, path)[-1:] == ["posted"] and len(kinds(database, path)) == 3)
    reconciled = watching.context.tally.reconciled
    eventually(lambda: watching.context.tally.reconciled > reconciled + 1)
    assert watching.context.tally.drift == 0
    assert is_mirror(database, zookeeper, path)


def test_a_past_moment_shows_what_was_in_it_then(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    posted = posting(retries=3)
    job = post(zookeeper, path, posted)
    begin(NEVER)
    zookeeper.set(f"{path}/{job}", other(posted, uuid="edited-uuid", details={"retries": 4}))
    [change] = eventually(lambda: edits(database, path))
    queries = Queries(database, timedelta(days=1))

    def seen(at: Any) -> tuple[str, int]:
        with queries.jobs(path, timedelta(hours=1), at) as found:
            assert found is not None
            [job] = [representation.job(path, each) for each in found.jobs]
        return job["_uuid"], job["_details"]["retries"]

    moment = change["at"]
    assert seen(moment - timedelta(milliseconds=1)) == (json.loads(posted)["uuid"], 3)
    assert seen(moment) == seen(None) == ("edited-uuid", 4)


def test_a_job_is_found_by_the_uuid_that_an_edit_replaced(
    begin: Begin, zookeeper: KazooClient, database: Mongo, path: str
) -> None:
    posted = posting()
    job = post(zookeeper, path, posted)
    begin(NEVER)
    zookeeper.set(f"{path}/{job}", other(posted, uuid="edited-uuid"))
    eventually(lambda: edits(database, path))
    lists = Queries(database, timedelta(days=1)).lists
    for uuid in (json.loads(posted)["uuid"], "edited-uuid"):
        [found] = lists.jobs_of(uuid)
        assert found["name"] == job
        [found] = lists.jobs_of(uuid, path)
        assert found["name"] == job
    assert lists.jobs_of("nobody's") == []
