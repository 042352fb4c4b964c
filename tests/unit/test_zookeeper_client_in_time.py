"""When a client takes its session for over, and when it tries to connect: in virtual time."""

from dataclasses import dataclass
from itertools import pairwise

import gevent
import pytest
from kazoo.exceptions import ConnectionDropped, ConnectionLoss, SessionClosedRequireSaslError
from kazoo.protocol.states import KazooState
from kazoo.retry import ForceRetryError

from canary.config import ZooKeeperOptions
from canary.zookeeper import Client, connect
from canary.zookeeper.fullness import Fullness
from tests.virtual_clock import SoloClock, VirtualClock

SEEN = 7  # the last zxid that the client has seen


@dataclass
class Answer:
    """What a call ended with."""

    exception: Exception | None = None


@pytest.fixture
def clock() -> SoloClock:
    return SoloClock()


@pytest.fixture
def client(clock: SoloClock) -> Client:
    client = connect(ZooKeeperOptions(session_timeout=10.0), clock)
    client.handler.sleep_func = clock.sleep
    client._fullness = Fullness(lambda _host, _port: False, clock)
    client.last_zxid = SEEN
    return client


def is_given_up(client: Client) -> bool:
    """Return whether the client gives its session up where a server ends its connection."""

    def drop(_host: str, _address: str, _port: int) -> tuple[float, float]:
        raise ConnectionDropped

    with pytest.raises(ConnectionDropped):
        client._connected(drop, "zk", "192.0.2.7", 2181)
    given_up = client.last_zxid == 0
    client.last_zxid = SEEN
    return given_up


def grant(client: Client, seconds: float) -> None:
    """Connect to a server that grants this session timeout."""
    client._connected(lambda *_: (seconds * 1000 * 2 / 3, seconds), "zk", "192.0.2.7", 2181)


class TestSession:
    def test_it_is_over_when_nothing_was_answered_for_its_timeout(
        self, client: Client, clock: SoloClock
    ) -> None:
        clock.seconds += 9.9
        assert not is_given_up(client)
        clock.seconds += 0.1
        assert is_given_up(client)

    def test_the_timeout_is_what_the_server_grants(self, client: Client, clock: SoloClock) -> None:
        grant(client, 4.0)
        clock.seconds += 3.9
        assert not is_given_up(client)
        clock.seconds += 0.1
        assert is_given_up(client)

    def test_it_counts_from_when_what_was_answered_had_been_sent(
        self, client: Client, clock: SoloClock
    ) -> None:
        sent = clock.elapsed()
        clock.seconds += 6.0
        client._answered(sent + 5.0, Answer())
        client._answered(sent + 2.0, Answer())  # an answer to an earlier call
        clock.seconds += 8.9
        assert not is_given_up(client)
        clock.seconds += 0.1
        assert is_given_up(client)

    def test_what_got_no_answer_does_not_count(self, client: Client, clock: SoloClock) -> None:
        clock.seconds += 5.0
        client._answered(clock.elapsed(), Answer(ConnectionLoss()))
        clock.seconds += 5.0
        assert is_given_up(client)

    def test_a_connection_counts(self, client: Client, clock: SoloClock) -> None:
        clock.seconds += 9.0
        client._on_state(KazooState.CONNECTED)
        clock.seconds += 9.9
        assert not is_given_up(client)
        clock.seconds += 0.1
        assert is_given_up(client)


class TestConnecting:
    def test_it_is_tried_at_least_every_two_seconds_for_ever(self) -> None:
        clock, tries = VirtualClock(), list[float]()
        client = connect(ZooKeeperOptions(), clock)
        client._stopped.clear()  # as `start` does
        retry = client._connection.retry_sleeper.copy()
        retry.sleep_func = clock.sleep  # kazoo lets nobody else choose it

        def fail() -> None:
            tries.append(clock.elapsed())
            raise ForceRetryError

        trying = gevent.spawn(retry, fail)
        clock.advance(600.0)
        assert not trying.ready()
        trying.kill()
        pauses = [after - before for before, after in pairwise([*tries, clock.elapsed()])]
        assert max(pauses) <= 2.0
        assert min(pauses[10:-1]) >= 0.8, "it is no busy loop"

    def test_a_server_that_demands_credentials_is_tried_every_ten_seconds(
        self, client: Client, clock: SoloClock
    ) -> None:
        for _ in range(6):
            client._answered(clock.elapsed(), Answer(SessionClosedRequireSaslError()))
            grant(client, 10.0)
        assert clock.slept == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
        client._answered(clock.elapsed(), Answer())
        grant(client, 10.0)
        assert len(clock.slept) == 6, "it waits no more once it is let in"
