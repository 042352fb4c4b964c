"""Whether ZooKeeper answers, whatever kazoo says: against a proxy that goes silent."""

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event
from kazoo.exceptions import NoNodeError

from canary.clock import elapsed, now
from canary.config import Config
from canary.zookeeper import Client, Contact, Pulse, connect, disconnect
from tests.integration.proxy import Proxy
from tests.waiting import allowed, eventually

TIMEOUT = 4.0  # seconds: the session's


@pytest.fixture
def client(config: Config, proxy: Proxy) -> Iterator[Client]:
    client = connect(replace(config.zookeeper, hosts=(proxy.address,), session_timeout=TIMEOUT))
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def pulse(client: Client) -> Iterator[Pulse]:
    pulse, stopping = Pulse(client), Event()
    running = gevent.spawn(pulse.run, stopping)
    yield pulse
    stopping.set()
    running.get(timeout=30)


def test_it_goes_on_while_zookeeper_answers(pulse: Pulse, client: Client) -> None:
    before = now()
    eventually(lambda: pulse.until and pulse.until > before)
    after = now()
    eventually(lambda: pulse.until and pulse.until > after)
    assert pulse.contact is Contact.ANSWERS
    assert elapsed() - client.heard < TIMEOUT


def test_silence_is_told_and_at_the_session_s_timeout_it_is_lost(
    pulse: Pulse, client: Client, proxy: Proxy
) -> None:
    told: list[tuple[Contact, float]] = []
    pulse.add_listener(lambda contact: told.append((contact, elapsed() - client.heard)))
    eventually(lambda: pulse.until)
    with proxy.frozen():
        frozen_at = now()
        eventually(lambda: len(told) == 2, allowed(TIMEOUT))
        until = pulse.until
        assert until is not None
        assert until <= frozen_at
    (first, silent_after), (second, lost_after) = told
    assert (first, second) == (Contact.SILENT, Contact.LOST)
    assert silent_after >= 2.0
    assert lost_after >= TIMEOUT
    print(f"silent after {silent_after:.1f} s, lost after {lost_after:.1f} s")
    eventually(lambda: told[2:] and told[-1][0] is Contact.ANSWERS, why="it comes back")
    eventually(lambda: pulse.until and pulse.until > until)


def test_a_silent_server_is_left_for_another(pulse: Pulse, client: Client, proxy: Proxy) -> None:
    """kazoo would stay: it takes a request that it can send for a sign of life."""
    session = client.session
    eventually(lambda: pulse.until)
    attempts = len(proxy.attempts)
    with proxy.frozen():
        eventually(lambda: len(proxy.attempts) > attempts, allowed(TIMEOUT), "it connects anew")
    eventually(lambda: client.session == session, why="and its session is still there")


def test_the_timeout_is_what_the_server_granted(config: Config) -> None:
    client = connect(replace(config.zookeeper, session_timeout=120.0))
    client.start(timeout=30)
    try:
        assert client.session_timeout == pytest.approx(10.0), "the dev stack grants no more"
    finally:
        disconnect(client, 1.0)


def test_answers_of_any_kind_are_signs_of_life(client: Client) -> None:
    before = client.heard
    with pytest.raises(NoNodeError):
        client.get_async("/nothing/there").get(timeout=30)
    assert client.heard > before
