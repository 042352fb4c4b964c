"""A node's watch wakes at everything, and leaves nothing behind."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from gevent.event import Event
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl

from canary.config import ZooKeeperOptions
from canary.errors import BoardDenied, CanaryError, ZooKeeperUnavailable
from canary.zookeeper import Client, connect, disconnect
from canary.zookeeper.node_watch import NodeWatch
from tests.integration.conftest import SESSION_TIMEOUT
from tests.integration.proxy import Proxy
from tests.waiting import eventually

WAKE_LIMIT = 60.0  # seconds; it takes some milliseconds
SECRET = make_digest_acl("somebody", "else", all=True)
OWNER = ("digest", "somebody:else")


@pytest.fixture
def session_timeout() -> float:
    """Seconds."""
    return SESSION_TIMEOUT


@pytest.fixture
def client(proxy: Proxy, session_timeout: float) -> Iterator[Client]:
    options = ZooKeeperOptions(hosts=(proxy.address,), session_timeout=session_timeout)
    client = connect(options)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def path(corner: str) -> str:
    return f"/{corner}/jobs"


@dataclass
class Watched:
    """A watch with its owner's part: what wakes it makes it look."""

    watch: NodeWatch
    woken: Event

    def settle(self) -> None:
        """Come to rest: watching, with nothing left to tell."""
        while True:
            self.watch.refresh()
            if not self.woken.wait(0.3):
                return
            self.woken.clear()

    def assert_wakes(self, change: Callable[[], object]) -> None:
        """Assert that a change wakes it, from rest."""
        self.settle()
        change()
        assert self.woken.wait(WAKE_LIMIT), "nothing woke it"


@pytest.fixture
def watched(client: Client, path: str) -> Iterator[Watched]:
    woken = Event()
    watched = Watched(NodeWatch(client, path, woken.set), woken)
    yield watched
    watched.watch.close()


class TestWaking:
    def test_children_and_data(self, watched: Watched, zookeeper: KazooClient, path: str) -> None:
        zookeeper.create(path, makepath=True)
        for number in range(2):  # a watch of ZooKeeper fires once; this one goes on
            watched.assert_wakes(partial(zookeeper.create, f"{path}/job{number}"))
            watched.assert_wakes(partial(zookeeper.delete, f"{path}/job{number}"))
            watched.assert_wakes(lambda: zookeeper.set(path, b"data"))

    def test_the_node_itself(self, watched: Watched, zookeeper: KazooClient, path: str) -> None:
        for _ in range(2):
            watched.assert_wakes(lambda: zookeeper.create(path, makepath=True))
            watched.assert_wakes(lambda: zookeeper.create(f"{path}/job"))
            watched.assert_wakes(lambda: zookeeper.delete(path, recursive=True))

    def test_a_node_deleted_and_made_again_at_once(
        self, watched: Watched, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)

        def again() -> None:
            transaction = zookeeper.transaction()
            transaction.delete(path)
            transaction.create(path)
            transaction.commit()

        for _ in range(3):
            watched.assert_wakes(again)
            watched.assert_wakes(lambda: zookeeper.create(f"{path}/job"))
            watched.assert_wakes(lambda: zookeeper.delete(f"{path}/job"))

    def test_a_dropped_connection(
        self, watched: Watched, client: Client, proxy: Proxy, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        session = client.session
        for number in range(3):

            def drop() -> None:
                proxy.drop()
                eventually(lambda: not client.connected)

            watched.assert_wakes(drop)
            eventually(lambda: client.connected)
            watched.assert_wakes(partial(zookeeper.create, f"{path}/job{number}"))
        assert client.session == session

    def test_what_happened_while_it_was_away_is_found_by_who_looks(
        self, watched: Watched, client: Client, proxy: Proxy, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        watched.settle()
        with proxy.away():
            eventually(lambda: not client.connected)
            zookeeper.delete(path)
            watched.woken.clear()
            with pytest.raises(ZooKeeperUnavailable):
                watched.watch.check()
        assert watched.woken.wait(WAKE_LIMIT), "the connection is back"
        watched.assert_wakes(lambda: zookeeper.create(path))
        watched.assert_wakes(lambda: zookeeper.create(f"{path}/job"))

    @pytest.mark.parametrize("session_timeout", [2.0])  # so that it is soon over
    def test_a_session_that_expired(
        self, watched: Watched, client: Client, proxy: Proxy, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        client.create(f"{path}/mine", ephemeral=True)
        watched.settle()
        session = client.session
        with proxy.away():
            eventually(lambda: zookeeper.exists(f"{path}/mine") is None)
        eventually(lambda: client.session not in {None, session})
        watched.assert_wakes(lambda: zookeeper.create(f"{path}/job"))
        watched.assert_wakes(lambda: zookeeper.delete(f"{path}/job"))


class TestDenied:
    @pytest.fixture
    def owner(self) -> Iterator[KazooClient]:
        owner = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"], auth_data=[OWNER])
        owner.start()
        yield owner
        owner.stop()
        owner.close()

    def test_it_raises_and_is_alive_once_reading_is_allowed(
        self, watched: Watched, owner: KazooClient, path: str
    ) -> None:
        owner.create(path, makepath=True, acl=[SECRET])
        for _ in range(2):
            with pytest.raises(BoardDenied):
                watched.watch.refresh()
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        watched.assert_wakes(lambda: owner.create(f"{path}/job"))

    def test_a_retry_after_a_denial_does_not_find_itself_woken(
        self, watched: Watched, owner: KazooClient, path: str
    ) -> None:
        """Or a denied board would be tried again without a pause."""
        owner.create(path, makepath=True, acl=[SECRET])
        with pytest.raises(BoardDenied):
            watched.watch.refresh()
        watched.woken.clear()
        with pytest.raises(BoardDenied):
            watched.watch.refresh()
        assert not watched.woken.wait(0.3)

    def test_a_watch_that_was_dropped_under_an_acl_is_found_by_check(
        self, watched: Watched, owner: KazooClient, path: str
    ) -> None:
        """ZooKeeper drops the event and the watch, and no change of an ACL makes an event."""
        owner.create(path, makepath=True)
        watched.settle()
        owner.set_acls(path, [SECRET])
        owner.create(f"{path}/unseen")
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        owner.create(f"{path}/unseen-too")
        assert not watched.woken.wait(0.5), "ZooKeeper tells by now: check() may go"
        assert watched.watch.check()
        watched.assert_wakes(lambda: owner.create(f"{path}/job"))

    def test_check_tells_that_reading_is_denied(
        self, watched: Watched, owner: KazooClient, path: str
    ) -> None:
        owner.create(path, makepath=True)
        watched.settle()
        owner.set_acls(path, [SECRET])
        with pytest.raises(BoardDenied):
            watched.watch.check()
        with pytest.raises(BoardDenied):
            watched.watch.refresh()
        owner.set_acls(path, OPEN_ACL_UNSAFE)
        watched.assert_wakes(lambda: owner.create(f"{path}/job"))

    def test_check_at_rest_wakes_nobody(
        self, watched: Watched, owner: KazooClient, path: str
    ) -> None:
        for change in (
            partial(owner.create, path, makepath=True),
            partial(owner.create, f"{path}/job"),
            partial(owner.set, path, b"data"),
        ):
            watched.settle()
            watched.assert_wakes(change)
            watched.settle()
            if watched.watch.check():  # it may be so once, for what was told already
                watched.settle()
            assert not watched.watch.check()
            assert not watched.woken.wait(0.3)


class TestLeaks:
    def test_two_hundred_rebuilds_leave_one_pair_of_watches(
        self, watched: Watched, client: Client, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        watched.settle()
        listeners, watches = len(client.state_listeners), watches_of(client)
        for _ in range(200):
            watched.watch._stale = True  # as after every error
            watched.watch.refresh()
        assert watches_of(client) == watches
        assert len(client.state_listeners) == listeners
        assert len(client._data_watchers[path]) == 1
        assert len(client._child_watchers[path]) == 1

    def test_nothing_is_left_where_reading_is_denied(
        self, watched: Watched, client: Client, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.ensure_path(path.rpartition("/")[0])
        zookeeper.create(path, acl=[SECRET])
        listeners, watches = len(client.state_listeners), watches_of(client)
        for _ in range(50):
            with pytest.raises(CanaryError):
                watched.watch.refresh()
        assert len(client.state_listeners) == listeners
        assert watches_of(client) == watches

    def test_nodes_that_come_and_go_leave_nothing(
        self, watched: Watched, client: Client, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.ensure_path(path.rpartition("/")[0])
        for _ in range(50):
            zookeeper.create(path)
            watched.watch.refresh()
            zookeeper.delete(path)
            watched.watch.refresh()
        watched.settle()
        assert watches_of(client) <= 1
        assert len(client._data_watchers[path]) <= 3

    def test_a_closed_watch_calls_nobody(
        self, client: Client, zookeeper: KazooClient, path: str
    ) -> None:
        zookeeper.create(path, makepath=True)
        before = set(client.state_listeners)
        woken = Event()
        watch = NodeWatch(client, path, woken.set)
        watch.refresh()
        woken.clear()
        watch.close()
        zookeeper.create(f"{path}/job")
        zookeeper.set(path, b"data")
        assert client.get_children(path) == ["job"]
        assert not woken.wait(0.3)
        assert client.state_listeners == before
        assert not client._data_watchers[path]
        assert not client._child_watchers[path]


def watches_of(client: Client) -> int:
    """Return how many watches the server holds for a client."""
    session = client.session
    assert session is not None
    owner = f"0x{session:x}"
    count = 0
    is_mine = False
    for line in client.command(b"wchc").splitlines():
        if line.startswith("0x"):
            is_mine = line == owner
        elif line.strip() and is_mine:
            count += 1
    return count
