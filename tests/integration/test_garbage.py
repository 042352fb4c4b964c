"""A board full of garbage, one that may only be read, and one that may not: Canary only reads."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import (
    ACL,
    OPEN_ACL_UNSAFE,
    Id,
    Permissions,
    make_digest_acl,
    make_digest_acl_credential,
)
from pymongo.database import Database
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard

from canary.clock import now
from tests.integration.boards import (
    claim,
    kinds,
    mirrored,
    missed,
    on_board,
    post,
    posting,
    register,
    taskflow_board,
)
from tests.integration.conftest import Spawn
from tests.waiting import eventually

Mongo = Database[dict[str, Any]]

DENIAL = 35.0  # seconds until a worker looks after a board on which nothing happens
OWNER = ("digest", "owner:secret")
SECRET = make_digest_acl("owner", "secret", all=True)

UUID = "00000000-0000-4000-8000-000000000000"
IN_DETAILS = '{"uuid": "' + UUID + '", "name": "odd", "details": {"x": %s}}'
PAYLOADS: dict[str, bytes | None] = {
    "job0000000100": b"no json",
    "job0000000101": b"",
    "job0000000102": None,
    "job0000000103": b"null",
    "job0000000104": b"[1, 2]",
    "job0000000105": b"\xff\xfe\x00",
    "job0000000106": (IN_DETAILS % "1").encode("utf-16"),
    "job0000000107": b"x" * 1_000_000,
    "job0000000108": (IN_DETAILS % ('"' + "y" * 999_000 + '"')).encode(),
    "job0000000109": (IN_DETAILS % ("1" + "0" * 30)).encode(),
    "job0000000110": (IN_DETAILS % '{"a\\u0000b": 1, "$where": 2, "a.b": 3}').encode(),
    "job0000000111": (IN_DETAILS % '"\\ud800"').encode(),
    "job0000000112": b"[" * 100_000,
    "job0000000113": (IN_DETAILS % ("[" * 300 + "]" * 300)).encode(),
    "job0000000114": (IN_DETAILS % "NaN").encode(),
    "job0000000115": b'{"uuid": 7, "name": null}',
    "job0000000116": b'{"uuid": "\\ud800", "name": "n"}',
}
OTHERS: dict[str, bytes] = {
    "jobless": b"",
    "job0000000199.lock": b"",  # a lock without a job
    "job-x.lock": b"{",
    "other": b"other",
    "\u202eevil\u2066 \u00e9 \u0e01\u0301 <b>": b"",
    "job\u0661\u0662": posting(),  # int() takes these digits, and so does TaskFlow
    "job 7": posting(),
    "job1_0": posting(),
}


@pytest.fixture
def owner() -> Iterator[KazooClient]:
    """Who may do everything on the board."""
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"], auth_data=[OWNER])
    client.start()
    yield client
    client.stop()
    client.close()


@pytest.fixture
def path(corner: str) -> str:
    return f"/{corner}/watched/jobs"


@pytest.fixture
def jobboard(environment: dict[str, str]) -> str:
    return environment["OS_CANARY__JOBBOARD"]


def litter(owner: KazooClient, path: str) -> None:
    """Put everything there that a hand, a defect or an enemy may put on a board."""
    owner.ensure_path(path)
    for name, data in (PAYLOADS | OTHERS).items():
        owner.create(f"{path}/{name}", data)
    # Locks that nobody can make sense of.
    for name, data in {
        "job0000000100": b"\xff",
        "job0000000109": b"null",
        "job0000000110": b'{"owner": ["x"]}',
    }.items():
        owner.create(f"{path}/{name}.lock", data)
    owner.create(f"{path}/job0000000150", posting(), acl=[SECRET])
    owner.create(f"{path}/job0000000151", posting())
    owner.create(f"{path}/job0000000151.lock", b'{"owner": "ann"}', acl=[SECRET], ephemeral=True)
    owner.create(f"{path}/other/below", b"", acl=[SECRET])


def tree(owner: KazooClient, path: str) -> dict[str, tuple[int, ...]]:
    """Return what would show any write below ``path``: each node's zxids and versions."""
    stat = owner.exists(path)
    found: dict[str, tuple[int, ...]]
    found = {path: (stat.czxid, stat.mzxid, stat.pzxid, stat.cversion, stat.aversion)}
    for name in owner.get_children(path):
        found |= tree(owner, f"{path}/{name}")
    return found


def freshness(database: Mongo, path: str) -> str | None:
    board = database.boards.find_one({"_id": path})
    return board["freshness"] if board else None


def listed_by_taskflow(zookeeper: KazooClient, path: str) -> set[str]:
    """Return the jobs that TaskFlow can make something of."""
    board = ZookeeperJobBoard("test", {"path": path}, client=zookeeper)
    listed: set[str] = set()
    # One at a time: what can't be read, or ``jobless``, ends TaskFlow's whole listing.
    for name in zookeeper.get_children(path):
        with contextlib.suppress(Exception):  # it lets json's own errors through, and more
            board._on_job_posting([name], delayed=False)
        listed |= {job.path.rpartition("/")[2] for job in board._known_jobs.values()}
    return listed


def assert_taskflow_is_followed(database: Mongo, path: str) -> None:
    """Assert that a real job's life on the board is told right."""
    before = len(kinds(database, path))
    with taskflow_board(path) as board:
        job = board.post("build", details={"password": "hidden", "size": 3})
        name = job.path.rpartition("/")[2]
        eventually(lambda: mirrored(database, path).get(name) == ("UNCLAIMED", None))
        board.claim(job, "ann")
        eventually(lambda: mirrored(database, path).get(name) == ("CLAIMED", "ann"))
        board.abandon(job, "ann")
        eventually(lambda: mirrored(database, path).get(name) == ("UNCLAIMED", None))
        board.claim(job, "bob")
        eventually(lambda: mirrored(database, path).get(name) == ("CLAIMED", "bob"))
        board.consume(job, "bob")
    eventually(lambda: name not in mirrored(database, path))
    assert kinds(database, path)[before:] == [
        "posted",
        "claimed",
        "abandoned",
        "claimed",
        "consumed",
    ]
    seen = database.jobs.find_one({"board": path, "name": name})
    assert seen is not None
    assert seen["uuid"] == job.uuid
    assert json.loads(seen["payload"]["text"])["details"] == {"password": "***", "size": 3}
    assert missed(database, path) == []


class TestGarbage:
    @pytest.mark.parametrize("when", ["before", "while"])
    def test_it_is_shown_and_the_board_goes_on(
        self,
        spawn: Spawn,
        owner: KazooClient,
        zookeeper: KazooClient,
        database: Mongo,
        jobboard: str,
        path: str,
        when: str,
    ) -> None:
        owner.ensure_path(path)
        if when == "before":
            litter(owner, path)
        register(owner, jobboard, path)
        worker = spawn("canary-worker")
        eventually(lambda: freshness(database, path) == "live")
        if when == "while":
            litter(owner, path)
        names = {name for name in owner.get_children(path) if not name.endswith(".lock")}
        jobs = names - {"jobless", "other", *(n for n in names if not n.startswith("job"))}
        eventually(lambda: set(mirrored(database, path)) == jobs)
        before = tree(owner, path)

        shown = {job["name"]: job for job in database.jobs.find({"board": path})}
        malformed = {name for name, job in shown.items() if (job["payload"] or {}).get("malformed")}
        assert malformed == {
            *(f"job0000000{number}" for number in (100, 101, 102, 103, 104, 105, 106, 107)),
            "job0000000112",
            "job0000000115",
        }
        assert shown["job0000000150"]["uuid"] is None, "it may not be read"
        assert shown["job0000000150"]["state"] == "UNCLAIMED"
        claimed = {name: job["owner"] for name, job in shown.items() if job["state"] == "CLAIMED"}
        assert claimed == dict.fromkeys(
            ("job0000000100", "job0000000109", "job0000000110", "job0000000151")
        )
        # TaskFlow takes what Canary calls well-formed; Canary asks the uuid and name to be strings.
        told = {name for name, job in shown.items() if job["payload"]} - malformed
        assert listed_by_taskflow(zookeeper, path) == told | {"job0000000115"}
        for job in shown.values():
            assert len(json.dumps(job["payload"])) < 200_000
        nodes = {node["name"] for node in database.nodes.find({"board": path})}
        assert {"jobless", "other", "job0000000199.lock", "job-x.lock"} <= nodes
        assert missed(database, path) == []

        assert_taskflow_is_followed(database, path)
        assert set(mirrored(database, path)) == jobs
        after = tree(owner, path)
        changed = {name for name in before if before[name] != after.get(name)}
        assert changed == {path}, "the job of this test, and nothing else"
        assert set(after) == set(before)
        assert freshness(database, path) == "live"
        assert "Traceback" not in worker.output


class TestAccess:
    READER = ("canary", "reader")

    def acl(self, *, may_read: bool) -> list[ACL]:
        credential = make_digest_acl_credential(*self.READER)
        reader = ACL(Permissions.READ, Id("digest", credential))
        return [SECRET, reader] if may_read else [SECRET]

    def test_reading_is_all_it_needs(
        self,
        spawn: Spawn,
        owner: KazooClient,
        database: Mongo,
        jobboard: str,
        path: str,
        corner: str,
    ) -> None:
        """Also of what is above and beside the board."""
        acl = self.acl(may_read=True)
        parent = f"/{corner}/watched"
        owner.ensure_path(f"/{corner}")
        for each in (parent, path, f"{parent}/.trash", f"{parent}/.entities"):
            owner.create(each, acl=acl)
        owner.create(f"{parent}/.entities/conductor", acl=acl)
        credentials = {
            "OS_ZOOKEEPER__USERNAME": self.READER[0],
            "OS_ZOOKEEPER__PASSWORD": self.READER[1],
        }
        register(owner, jobboard, path)
        worker = spawn("canary-worker", **credentials)
        eventually(lambda: freshness(database, path) == "live")
        name = owner.create(f"{path}/job", posting(), sequence=True, acl=acl).rpartition("/")[2]
        eventually(lambda: mirrored(database, path) == {name: ("UNCLAIMED", None)})
        lock = f"{path}/{name}.lock"
        owner.create(lock, b'{"owner": "ann"}', ephemeral=True, acl=acl)
        eventually(lambda: mirrored(database, path) == {name: ("CLAIMED", "ann")})
        owner.create(f"{parent}/.entities/conductor/ann@h:1", b"{}", ephemeral=True, acl=acl)
        eventually(lambda: (database.conductors.find_one({"_id": path}) or {}).get("conductors"))
        before = tree(owner, parent)
        transaction = owner.transaction()
        transaction.create(f"{parent}/.trash/{name}", owner.get(f"{path}/{name}")[0], acl=acl)
        transaction.delete(lock)
        transaction.delete(f"{path}/{name}")
        transaction.commit()
        eventually(lambda: kinds(database, path)[-1] == "trashed")
        assert tree(owner, f"{parent}/.entities") == {
            name: stat for name, stat in before.items() if ".entities" in name
        }
        assert missed(database, path) == []
        assert "WARNING" not in worker.output

    def test_a_denied_board_says_so_and_recovers(
        self, spawn: Spawn, owner: KazooClient, database: Mongo, jobboard: str, path: str
    ) -> None:
        owner.ensure_path(path)
        owner.set_acls(path, [SECRET])
        register(owner, jobboard, path)
        spawn("canary-worker")
        eventually(lambda: freshness(database, path) == "denied")
        hidden = post(owner, path)
        assert mirrored(database, path) == {}
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        eventually(lambda: freshness(database, path) == "live")
        eventually(lambda: mirrored(database, path) == {hidden: ("UNCLAIMED", None)})
        assert_taskflow_is_followed(database, path)

        # And again, while it is watched: ZooKeeper tells nobody, and drops what it had to tell.
        owner.set_acls(path, [SECRET])
        post(owner, path)
        eventually(lambda: freshness(database, path) == "denied", DENIAL)
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        post(owner, path)
        eventually(lambda: freshness(database, path) == "live")
        eventually(lambda: mirrored(database, path) == on_board(owner, path))
        last = post(owner, path)
        eventually(lambda: last in mirrored(database, path), 10)

    @pytest.mark.parametrize("is_noticed", [True, False], ids=["noticed", "unnoticed"])
    def test_a_watch_that_was_dropped_meanwhile_is_made_anew_before_the_board_is_live(
        self,
        spawn: Spawn,
        owner: KazooClient,
        database: Mongo,
        jobboard: str,
        path: str,
        is_noticed: bool,
    ) -> None:
        owner.ensure_path(path)
        job = post(owner, path)
        lock = f"{path}/{job}.lock"
        claim(owner, path, job)
        register(owner, jobboard, path)
        spawn("canary-worker", OS_CANARY__RECONCILE_INTERVAL="3600")
        eventually(lambda: mirrored(database, path) == {job: ("CLAIMED", "ann")})
        eventually(lambda: freshness(database, path) == "live")

        owner.set_acls(path, [SECRET])
        before = now()
        post(owner, path)  # of which nobody is told, and the watch is dropped
        if is_noticed:
            owner.delete(lock)  # which has a watch, and an ACL, of its own
            eventually(lambda: freshness(database, path) == "denied")
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        if not is_noticed:
            owner.delete(lock)
        eventually(lambda: mirrored(database, path) == on_board(owner, path))
        eventually(lambda: freshness(database, path) == "live")
        last = post(owner, path)
        eventually(lambda: last in mirrored(database, path), 10, why="it is watched again")
        if is_noticed:
            [gap] = database.gaps.find({"board": path})
            assert (gap["reason"], gap["creates"], gap["deletes"]) == ("denied", 0, 0)
            assert gap["from"] <= before, "nobody knows since when it was denied"
