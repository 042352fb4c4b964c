"""Canary's own board: one watch job a board, whoever adds and whatever lies there."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from canary.config import Config
from canary.errors import BoardDenied, UsageError, ZooKeeperUnavailable
from canary.registry.jobboard import Registrar, WatchJobBoard
from canary.registry.registry import LOCK_FOLDER, Registry
from canary.worker.claims import Claims
from canary.zookeeper import Client, connect, disconnect
from tests.integration.boards import posting, register
from tests.integration.proxy import Proxy
from tests.waiting import eventually


@pytest.fixture
def client(config: Config, proxy: Proxy) -> Iterator[Client]:
    options = replace(config.zookeeper, hosts=(proxy.address,), call_timeout=3.0)
    client = connect(options)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def board(client: Client, config: Config) -> WatchJobBoard:
    return WatchJobBoard("test", client, config.canary.jobboard)


@pytest.fixture
def registry(board: WatchJobBoard) -> Registrar:
    return Registrar(board)


def paths(registry: Registrar) -> list[str]:
    return [job.path for job in registry.look().jobs]


@pytest.mark.parametrize("board", ["-jobs/jobs", "/jobs/jobs", "/a.jobs.b/jobs", "-jobs"])
def test_the_lock_is_beside_the_board(
    client: Client, zookeeper: KazooClient, corner: str, board: str
) -> None:
    """Only the last part of the path is replaced, wherever else its text is in it."""
    own = f"/{corner}{board}"
    parent = own.rpartition("/")[0]
    before = set(zookeeper.get_children("/"))
    with Registry(client, own).locked():
        assert len(zookeeper.get_children(f"{parent}/{LOCK_FOLDER}")) == 1
    assert set(zookeeper.get_children("/")) - before <= {f"{parent}/{LOCK_FOLDER}".split("/")[1]}


class TestAddAndRemove:
    def test_a_board_has_one_watch_job(self, registry: Registrar) -> None:
        assert registry.add(["/a/jobs", "/b/jobs", "/a/jobs"]) == ["/a/jobs", "/b/jobs"]
        assert registry.add(["/b/jobs", "/c/jobs"]) == ["/c/jobs"]
        assert paths(registry) == ["/a/jobs", "/b/jobs", "/c/jobs"]
        assert registry.is_registered("/a/jobs")
        assert registry.remove(["/a/jobs", "/never/jobs"]) == ["/a/jobs"]
        assert paths(registry) == ["/b/jobs", "/c/jobs"]
        assert not registry.is_registered("/a/jobs")

    def test_two_watch_jobs_of_one_board_go_together(
        self, registry: Registrar, board: WatchJobBoard
    ) -> None:
        registry.add(["/a/jobs"])
        board.post("watch", details={"path": "/a/jobs"})
        assert len(registry.look().jobs) == 2
        assert registry.remove(["/a/jobs"]) == ["/a/jobs"]
        assert registry.look().jobs == ()

    def test_a_claimed_watch_job_is_removed_with_its_lock(
        self, registry: Registrar, board: WatchJobBoard, zookeeper: KazooClient
    ) -> None:
        registry.add(["/a/jobs"])
        [job] = registry.look().jobs
        assert Claims(board, "worker").make(job) is not None
        [claimed] = registry.look().jobs
        assert claimed.claimed
        registry.remove(["/a/jobs"])
        assert zookeeper.get_children(board.path) == []

    def test_a_board_that_is_not_there_yet_has_no_jobs(self, registry: Registrar) -> None:
        seen = registry.look()
        assert (seen.stat, seen.jobs) == (None, ())
        assert registry.remove(["/a/jobs"]) == []

    def test_canarys_own_board_is_refused(self, registry: Registrar, board: WatchJobBoard) -> None:
        with pytest.raises(UsageError, match="own board"):
            registry.add(["/a/jobs", board.path])
        assert registry.look().jobs == ()

    def test_who_cannot_have_the_lock_posts_nothing(
        self, registry: Registrar, zookeeper: KazooClient, board: WatchJobBoard
    ) -> None:
        folder = f"{board.path.rpartition('/')[0]}/{LOCK_FOLDER}"
        with zookeeper.Lock(folder, "another"), pytest.raises(ZooKeeperUnavailable, match="again"):
            registry.add(["/a/jobs"])
        assert registry.look().jobs == ()
        assert registry.add(["/a/jobs"]) == ["/a/jobs"]

    def test_without_a_connection_it_says_so_in_time(
        self, registry: Registrar, client: Client, proxy: Proxy
    ) -> None:
        registry.add(["/a/jobs"])
        with proxy.away():
            eventually(lambda: not client.connected)
            with gevent.Timeout(4), pytest.raises(ZooKeeperUnavailable):
                registry.add(["/b/jobs"])
        with proxy.frozen(), gevent.Timeout(8), pytest.raises(ZooKeeperUnavailable):
            registry.add(["/b/jobs"])
        eventually(lambda: client.connected)
        assert paths(registry) == ["/a/jobs"]

    def test_an_acl_is_called_an_acl(self, zookeeper: KazooClient, board: WatchJobBoard) -> None:
        """TaskFlow calls every error of ZooKeeper an internal one."""
        zookeeper.ensure_path(board.path)
        zookeeper.ensure_path(board.trash_path)
        read_only = make_digest_acl("a", "b", create=True)
        zookeeper.set_acls(board.path, [read_only])
        with pytest.raises(BoardDenied), board.limited(3):
            board.post("watch", details={"path": "/a/jobs"})


class TestGarbage:
    def test_what_is_no_watch_job_is_passed_over(
        self, registry: Registrar, zookeeper: KazooClient, board: WatchJobBoard
    ) -> None:
        registry.add(["/a/jobs"])
        secret = make_digest_acl("somebody", "else", all=True)
        for name, data in {
            "job0000000100": b"no json",
            "job0000000101": b"null",
            "job0000000102": b"[1]",
            "job0000000103": b"\xff\xfe",
            "job0000000104": b"[" * 100_000,
            "job0000000105": posting(path="relative"),
            "job0000000106": posting(path=board.path),
            "job0000000107": posting(path=["/x"]),
            "job0000000108": None,
            "jobless": posting(path="/x/jobs"),
            "job0000000000.lock.lock": b"",
            "other": posting(path="/x/jobs"),
        }.items():
            zookeeper.create(f"{board.path}/{name}", data)
        zookeeper.create(f"{board.path}/job0000000200", posting(path="/y/jobs"), acl=[secret])
        assert paths(registry) == ["/a/jobs"]
        assert registry.add(["/a/jobs", "/b/jobs"]) == ["/b/jobs"]

    def test_a_board_that_was_made_again_is_read_again(
        self, registry: Registrar, zookeeper: KazooClient, board: WatchJobBoard
    ) -> None:
        """Its jobs have the names of those that were there before."""
        registry.add(["/a/jobs"])
        assert paths(registry) == ["/a/jobs"]
        zookeeper.delete(board.path, recursive=True)
        other = Registrar(board)
        other.add(["/b/jobs"])
        assert [job.name for job in other.look().jobs] == ["job0000000000"]
        assert paths(registry) == ["/b/jobs"]


class TestClaims:
    @pytest.fixture
    def other_board(self, config: Config) -> Iterator[WatchJobBoard]:
        """The same board, to another worker."""
        client = connect(config.zookeeper)
        client.start(timeout=30)
        yield WatchJobBoard("test", client, config.canary.jobboard)
        disconnect(client, 1.0)

    def test_one_of_two_has_it(
        self, registry: Registrar, board: WatchJobBoard, other_board: WatchJobBoard
    ) -> None:
        registry.add(["/a/jobs"])
        [job] = registry.look().jobs
        claims, others = Claims(board, "worker"), Claims(other_board, "worker")
        claim = claims.make(job)
        assert claim is not None
        assert others.make(job) is None
        assert claims.holds(claim)
        claims.abandon(claim)
        assert not claims.holds(claim)
        again = others.make(job)
        assert again is not None
        assert again.epoch > claim.epoch
        claims.abandon(claim)
        assert others.holds(again), "a claim is abandoned by who holds that very lock"

    def test_a_claim_whose_answer_was_lost_is_found(
        self, registry: Registrar, board: WatchJobBoard, client: Client, proxy: Proxy
    ) -> None:
        registry.add(["/a/jobs"])
        [job] = registry.look().jobs
        claims = Claims(board, "worker")
        with proxy.silent_after(b".lock"), pytest.raises(ZooKeeperUnavailable):
            claims.make(job)
        eventually(lambda: client.connected)
        [seen] = registry.look().jobs
        assert claims.may_be_made(seen)
        found = claims.make(seen)
        assert found is not None
        assert claims.holds(found)
        assert found.session == client.session

    def test_a_claim_that_never_arrived_is_made_at_once(
        self, registry: Registrar, board: WatchJobBoard, client: Client, proxy: Proxy
    ) -> None:
        registry.add(["/a/jobs"])
        [job] = registry.look().jobs
        claims = Claims(board, "worker")
        with proxy.away():
            eventually(lambda: not client.connected)
            with pytest.raises(ZooKeeperUnavailable):
                claims.make(job)
        eventually(lambda: client.connected)
        claim = claims.make(job)
        assert claim is not None
        assert claims.holds(claim)


def test_two_may_look_at_once_while_the_board_is_made_anew(
    registry: Registrar, client: Client, zookeeper: KazooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names begin anew then: what the first has read is not what the second finds."""
    own = registry.path
    register(zookeeper, own, "/before/jobs")
    get, looks = client.get_async, list[list[str]]()

    def slow(path: str, *words: Any, **more: Any) -> Any:
        answer = get(path, *words, **more)
        answer.wait(5)
        if not looks:
            looks.append([])
            zookeeper.delete(own, recursive=True)
            register(zookeeper, own, "/after/jobs")
            looks[0] = paths(registry)
        return answer

    monkeypatch.setattr(client, "get_async", slow)
    assert paths(registry) == ["/before/jobs"]
    assert looks == [["/after/jobs"]]
    assert paths(registry) == ["/after/jobs"]
    assert registry.paths() == {"/after/jobs"}
