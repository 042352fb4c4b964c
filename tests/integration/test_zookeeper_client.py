"""The client that survives, against a real server and beside the plain one that does not."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gevent
import pytest
from gevent.lock import Semaphore
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, KazooException, NoNodeError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.security import make_digest_acl

from canary.config import ZooKeeperOptions
from canary.errors import BoardDenied, BoardMissing, CanaryError, ZooKeeperUnavailable
from canary.zookeeper import Client, connect, disconnect, errors_as_ours, ping, wait
from canary.zookeeper.client import KAZOO_LOG, RECONNECT_DELAY
from canary.zookeeper.handler import Handler
from devstack import control
from tests.integration.proxy import Proxy
from tests.waiting import eventually

LIMIT = 5.0  # seconds for one call

Connect = Callable[..., Client]


@pytest.fixture
def connected(proxy: Proxy) -> Iterator[Connect]:
    """Make a client behind the proxy."""
    made: list[Client] = []

    def start(**options: Any) -> Client:
        base = ZooKeeperOptions(hosts=(proxy.address,), session_timeout=4.0, call_timeout=LIMIT)
        client = connect(replace(base, **options))
        made.append(client)
        client.start(timeout=LIMIT)
        return client

    yield start
    for client in made:
        disconnect(client, 1.0)


@dataclass
class Outcome:
    """What came of calling from very many greenlets at once."""

    answered: int = 0
    refused: int = 0  # with an error that says that ZooKeeper did not answer
    hanging: int = 0
    goes_on: bool = False  # whether calls are answered afterwards


def storm(client: KazooClient, path: str, calls: int, during: Callable[[], None]) -> Outcome:
    """Make ``calls`` lock watches at once, each from a greenlet of its own."""
    outcome = Outcome()

    def call() -> None:
        try:
            with errors_as_ours():
                client.get_async(path, watch=lambda _event: None).get(timeout=60)
        except ZooKeeperUnavailable:
            outcome.refused += 1
        else:
            outcome.answered += 1

    greenlets = [gevent.spawn(call) for _ in range(calls)]
    during()
    gevent.joinall(greenlets, timeout=15)
    outcome.hanging = sum(not greenlet.dead for greenlet in greenlets)
    gevent.killall(greenlets, block=False)
    try:
        eventually(lambda: client.connected, 30)
        for _ in range(3):
            client.get_async(path).get(timeout=10)
        outcome.goes_on = True
    except (AssertionError, KazooException, gevent.Timeout):
        outcome.goes_on = False
    return outcome


class TestStorm:
    CALLS = 3_000

    def test_all_lock_watches_are_answered(
        self, connected: Connect, zookeeper: KazooClient, corner: str
    ) -> None:
        zookeeper.create(f"/{corner}", b"x")
        outcome = storm(connected(), f"/{corner}", self.CALLS, lambda: None)
        assert outcome == Outcome(answered=self.CALLS, goes_on=True)

    @pytest.mark.parametrize("max_in_flight", [64, 200])
    def test_a_dropped_connection_is_survived(
        self,
        connected: Connect,
        proxy: Proxy,
        zookeeper: KazooClient,
        corner: str,
        max_in_flight: int,
    ) -> None:
        zookeeper.create(f"/{corner}", b"x")
        client = connected(max_in_flight=max_in_flight)
        for _ in range(3):
            outcome = storm(client, f"/{corner}", self.CALLS, lambda: drop_soon(client, proxy))
            assert outcome.answered + outcome.refused == self.CALLS
            assert outcome.refused > 0, "the connection was dropped too late to matter"
            assert outcome.hanging == 0
            assert outcome.goes_on
        again = storm(client, f"/{corner}", self.CALLS, lambda: None)
        assert again == Outcome(answered=self.CALLS, goes_on=True)

    def test_a_plain_client_wedges(self, proxy: Proxy, zookeeper: KazooClient, corner: str) -> None:
        """If this fails, kazoo has mended it: much of canary/zookeeper/ may go."""
        zookeeper.create(f"/{corner}", b"x")
        plain = KazooClient(proxy.address, timeout=4.0, handler=SequentialGeventHandler())
        plain.start(timeout=LIMIT)
        try:
            started = time.monotonic()
            outcome = storm(plain, f"/{corner}", self.CALLS, lambda: None)
            assert outcome.answered < self.CALLS
            assert outcome.hanging > 0 or not outcome.goes_on
            assert plain.connected, "it does not even know"
            assert time.monotonic() - started < 25
        finally:
            stopping = gevent.spawn(plain.stop)
            proxy.drop()  # or it would wait for ever
            stopping.join(10)
            plain.close()


def drop_soon(client: Client, proxy: Proxy) -> None:
    """Drop the connection once some calls are answered and most are not."""
    eventually(lambda: client._waiting)
    gevent.sleep(0)
    proxy.drop()


class TestWakeup:
    def test_a_full_socket_pair_delays_nobody_and_loses_nothing(self) -> None:
        """As it is after a connection was lost with many requests, several times in a row."""
        read, write = Handler().create_socket_pair()
        sent = 2_000
        loop = gevent.get_hub().loop
        assert loop is not None
        from_hub: list[int] = []
        loop.run_callback(lambda: from_hub.extend(write.send(b"\0") for _ in range(sent // 2)))
        gevent.sleep(0)
        assert from_hub == [1] * (sent // 2), "the hub can't wait, and need not"
        for _ in range(sent // 2):
            write.send(b"\0")
        received = 0
        with gevent.Timeout(5):
            while received < sent:
                received += len(read.recv(sent))
        assert received == sent
        read.close()
        write.close()

    def test_closing_it_ends_who_waits_for_room(self) -> None:
        read, write = Handler().create_socket_pair()
        for _ in range(2_000):
            write.send(b"\0")
        gevent.sleep(0)
        write.close()
        read.close()
        gevent.sleep(0)


class TestInFlight:
    def test_no_more_than_the_limit_is_with_the_server(
        self, connected: Connect, zookeeper: KazooClient, corner: str, monkeypatch: Any
    ) -> None:
        zookeeper.create(f"/{corner}", b"x")
        client = connected(max_in_flight=20)
        most = 0
        call = KazooClient._call

        def counted(self: Any, request: Any, async_object: Any) -> Any:
            nonlocal most
            result = call(self, request, async_object)
            if self is client:
                most = max(most, len(self._queue) + len(self._pending))
            return result

        monkeypatch.setattr(KazooClient, "_call", counted)
        answers = [client.get_async(f"/{corner}") for _ in range(1_000)]
        recipes = [gevent.spawn(client.get_children, f"/{corner}") for _ in range(100)]
        for answer in answers:
            wait(answer, LIMIT)
        gevent.joinall(recipes, timeout=LIMIT, raise_error=True)
        assert most == 20

    def test_a_small_folder_does_not_wait_for_a_large_one(
        self, connected: Connect, zookeeper: KazooClient, corner: str
    ) -> None:
        zookeeper.create(f"/{corner}/large/job", b"x" * 1000, makepath=True)
        zookeeper.create(f"/{corner}/small/job", b"x", makepath=True)
        client = connected()
        answers = [client.get_async(f"/{corner}/large/job") for _ in range(10_000)]
        wait(client.get_async(f"/{corner}/small/job"), LIMIT)
        assert sum(answer.ready() for answer in answers) < 500
        wait(answers[1_000], LIMIT)  # and the large one goes on

    def test_what_a_transaction_makes_is_there_for_the_next_read(
        self, connected: Connect, zookeeper: KazooClient, corner: str
    ) -> None:
        """Or a claim whose answer was lost could be made after it was found not to be there."""
        zookeeper.create(f"/{corner}/job", b"x", makepath=True)
        client = connected(max_in_flight=1)
        others = []
        for number in range(50):
            other = client.transaction()
            other.check(f"/{number}/job", 0)
            others.append(other.commit_async())
        transaction = client.transaction()
        transaction.create(f"/{corner}/job.lock", b"me", ephemeral=True)
        made = transaction.commit_async()
        read = client.get_async(f"/{corner}/job.lock")
        assert wait(read, LIMIT)[0] == b"me"
        assert made.ready()
        for answer in others:
            wait(answer, LIMIT)

    def test_calls_without_a_connection_fail_at_once_and_are_not_kept(
        self, connected: Connect, proxy: Proxy
    ) -> None:
        client = connected()
        with proxy.away():
            eventually(lambda: not client.connected)
            started = time.monotonic()
            for _ in range(2_000):
                with pytest.raises(ZooKeeperUnavailable):
                    wait(client.get_async("/"), LIMIT)
            assert time.monotonic() - started < 4 * LIMIT, "no call waits as long as it may"
            assert len(client._queue) + len(client._pending) + len(client._waiting) == 0
            with pytest.raises(ZooKeeperUnavailable):
                ping(client, LIMIT)
        eventually(lambda: client.connected)
        ping(client, LIMIT)


class TestConnection:
    def test_reconnecting_is_tried_at_least_every_two_seconds(
        self, connected: Connect, proxy: Proxy
    ) -> None:
        client = connected()
        with proxy.away():
            proxy.attempts.clear()
            eventually(lambda: len(proxy.attempts) >= 10, 90.0)
            pauses = [after - before for before, after in itertools.pairwise(proxy.attempts)]
        # The two longest may be this machine's; kazoo's own grow to 3.6, 7.5 and 17 seconds.
        assert sorted(pauses)[-3] < RECONNECT_DELAY + 0.3
        assert min(pauses[4:]) > 0.3, "it hammers the server"
        eventually(lambda: client.connected)
        ping(client, LIMIT)

    def test_an_answer_that_kazoo_cannot_read_is_not_the_end(
        self, connected: Connect, proxy: Proxy
    ) -> None:
        client = connected()
        KAZOO_LOG.disabled = True  # it logs the traceback of its own end, twice
        try:
            proxy.slip_in(b"\0\0\0\x10" + b"\x7f" * 16)
            eventually(lambda: client.is_dead)
        finally:
            KAZOO_LOG.disabled = False
        with pytest.raises(ZooKeeperUnavailable):
            ping(client, LIMIT)
        client.revive()
        eventually(lambda: client.connected)
        assert not client.is_dead
        ping(client, LIMIT)

    def test_a_frozen_server_is_not_waited_for(self, connected: Connect) -> None:
        client = connected()
        control.freeze("zookeeper")
        try:
            started = time.monotonic()
            with pytest.raises(ZooKeeperUnavailable, match=r"does not answer within 0.5 s"):
                wait(client.get_async("/"), 0.5)
            assert time.monotonic() - started < 5.0
            started = time.monotonic()
            disconnect(client, 1.0)
            assert time.monotonic() - started < 9.0, "kazoo's own end takes ten seconds and more"
        finally:
            control.thaw("zookeeper")
            control.wait_ready("zookeeper")

    def test_the_session_ends_with_disconnect(
        self, connected: Connect, zookeeper: KazooClient, corner: str
    ) -> None:
        client = connected()
        client.create(f"/{corner}", ephemeral=True)
        disconnect(client, 1.0)
        assert zookeeper.exists(f"/{corner}") is None

    def test_the_password_is_not_logged(
        self, connected: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        client = connected(username="canary", password="s3cret-word")
        ping(client, LIMIT)
        assert "Connecting to" in caplog.text
        assert "s3cret-word" not in caplog.text


class TestErrors:
    def test_kazoos_answers_become_canarys_own(
        self, connected: Connect, zookeeper: KazooClient, corner: str
    ) -> None:
        client = connected()
        secret = make_digest_acl("somebody", "else", all=True)
        zookeeper.create(f"/{corner}", b"", acl=[secret])
        with pytest.raises(BoardDenied):
            wait(client.get_async(f"/{corner}"), LIMIT)
        with pytest.raises(BoardMissing):
            wait(client.get_async(f"/{corner}-not"), LIMIT)
        with pytest.raises(CanaryError, match="BadVersionError") as caught:
            wait(client.set_async("/", b"", version=99), LIMIT)
        assert isinstance(caught.value.__cause__, BadVersionError)
        with pytest.raises(NoNodeError), errors_as_ours(answers=(NoNodeError,)):
            client.get_async(f"/{corner}-not").get(timeout=LIMIT)

    def test_no_answer_is_unavailable_whatever_kazoo_calls_it(
        self, connected: Connect, proxy: Proxy
    ) -> None:
        client = connected()
        with proxy.away():
            eventually(lambda: not client.connected)
            with pytest.raises(ZooKeeperUnavailable), errors_as_ours():
                client.retry(client.get, "/")  # RetryFailedError
        client.stop()
        with pytest.raises(ZooKeeperUnavailable):
            wait(client.get_async("/"), LIMIT)  # ConnectionClosedError


def test_callbacks_do_not_wait_for_each_other(
    connected: Connect, zookeeper: KazooClient, corner: str
) -> None:
    zookeeper.create(f"/{corner}/a", b"", makepath=True)
    zookeeper.create(f"/{corner}/b", b"")
    client = connected()
    blocked, seen = Semaphore(0), Semaphore(0)
    client.get(f"/{corner}/a", watch=lambda _event: blocked.acquire())
    client.get(f"/{corner}/b", watch=lambda _event: seen.release())
    zookeeper.set(f"/{corner}/a", b"1")
    zookeeper.set(f"/{corner}/b", b"1")
    assert seen.acquire(timeout=LIMIT)
    blocked.release()
