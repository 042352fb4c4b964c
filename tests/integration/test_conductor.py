"""The conductor: what it claims, when it looks, and what does not stop it."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kazoo.client import KazooClient

from canary.config import Config
from canary.model.names import conductor_folder
from canary.worker import backoff, conductor
from canary.zookeeper import Client, connect, disconnect
from tests.integration.conducted import Conducted, add
from tests.integration.conftest import FOR_EVER
from tests.integration.proxy import Proxy
from tests.waiting import eventually


@pytest.fixture
def client(config: Config, proxy: Proxy) -> Iterator[Client]:
    client = connect(replace(config.zookeeper, hosts=(proxy.address,)))
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def jobboard(config: Config) -> str:
    return config.canary.jobboard


@pytest.fixture
def conducted(client: Client, jobboard: str) -> Iterator[Conducted]:
    conducted = Conducted(client, jobboard)
    yield conducted
    conducted.conductor.stop()
    conducted.greenlet.join(60)
    assert set(conducted.most.values()) <= {1}, "one run of a watch job at a time"


def assert_it_rests(conducted: Conducted) -> None:
    """Assert that it does not look when nothing happens."""
    before = conducted.looks
    with pytest.raises(AssertionError):
        eventually(lambda: conducted.looks > before + 2, 0.5)


def test_it_claims_what_is_free_and_rests(
    conducted: Conducted, zookeeper: KazooClient, jobboard: str
) -> None:
    names = add(zookeeper, jobboard, "/a", "/b", "/a")
    eventually(lambda: conducted.boards() == ["/a", "/b"])
    eventually(lambda: not zookeeper.exists(f"{jobboard}/{names[2]}"), why="the second is ended")
    assert_it_rests(conducted)
    locks = [name for name in zookeeper.get_children(jobboard) if name.endswith(".lock")]
    assert sorted(locks) == [f"{names[0]}.lock", f"{names[1]}.lock"]
    eventually(lambda: zookeeper.get_children(conductor_folder(jobboard)))


def test_it_claims_no_more_than_it_may(
    client: Client, zookeeper: KazooClient, jobboard: str
) -> None:
    conducted = Conducted(client, jobboard, max_boards=2)
    names = add(zookeeper, jobboard, "/a", "/b", "/c")
    eventually(lambda: len(conducted.running) == 2)
    assert_it_rests(conducted)
    assert conducted.boards() == ["/a", "/b"]
    for name in (f"{names[0]}.lock", names[0]):
        zookeeper.delete(f"{jobboard}/{name}")
    eventually(lambda: conducted.boards() == ["/b", "/c"])
    conducted.conductor.stop()
    conducted.greenlet.get(timeout=30)
    assert sorted(zookeeper.get_children(jobboard)) == names[1:]


def test_what_fails_comes_back_with_backoff_and_holds_nothing_up(
    conducted: Conducted,
    zookeeper: KazooClient,
    jobboard: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(backoff, "RETRY_DELAY", 0.2)
    conducted.fails = {"/a"}
    started = time.monotonic()
    add(zookeeper, jobboard, "/a", "/b")
    eventually(lambda: conducted.boards() == ["/b"])
    eventually(lambda: len(conducted.claims) >= 5)
    assert time.monotonic() - started > 0.2 + 0.4 + 0.8
    tries = [claim for claim in conducted.claims if claim.job.path == "/a"]
    assert len({claim.epoch for claim in tries}) == len(tries), "abandoned and claimed each time"
    conducted.fails = set()
    eventually(lambda: conducted.boards() == ["/a", "/b"])
    assert 'raise RuntimeError("it fails")' in caplog.text, "a defect is logged with its traceback"
    assert "/b" not in [claim.job.path for claim in conducted.claims[2:]]


def test_a_job_that_failed_here_and_runs_elsewhere_is_not_polled(
    conducted: Conducted, zookeeper: KazooClient, jobboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "RETRY_DELAY", 0.5)
    conducted.fails = {"/a"}
    [name] = add(zookeeper, jobboard, "/a")
    eventually(lambda: conducted.claims)
    eventually(lambda: not zookeeper.exists(f"{jobboard}/{name}.lock"))
    zookeeper.create(f"{jobboard}/{name}.lock", b"{}", ephemeral=True)
    eventually(lambda: conducted.conductor._backoffs.left(name) > 0)
    eventually(lambda: conducted.conductor._backoffs.left(name) == 0)
    assert_it_rests(conducted)
    zookeeper.delete(f"{jobboard}/{name}.lock")
    eventually(lambda: len(conducted.claims) == 2)


def test_a_lost_session_ends_each_run_and_begins_it_once(
    conducted: Conducted, client: Client, proxy: Proxy, zookeeper: KazooClient, jobboard: str
) -> None:
    add(zookeeper, jobboard, "/a", "/b")
    eventually(lambda: conducted.boards() == ["/a", "/b"])
    before = {claim.epoch for claim in conducted.running}
    session = client.session
    with proxy.away():
        eventually(lambda: all(not n.endswith(".lock") for n in zookeeper.get_children(jobboard)))
    eventually(lambda: client.session not in {None, session})
    eventually(
        lambda: (
            conducted.boards() == ["/a", "/b"]
            and not before & {claim.epoch for claim in conducted.running}
        )
    )
    assert len(conducted.claims) == 4
    assert {claim.session for claim in conducted.running} == {client.session}
    entities = conductor_folder(jobboard)
    [name] = eventually(lambda: zookeeper.get_children(entities))
    assert zookeeper.exists(f"{entities}/{name}").ephemeralOwner == client.session


def test_a_lock_taken_away_by_hand_is_claimed_again(
    conducted: Conducted, zookeeper: KazooClient, jobboard: str
) -> None:
    [name] = add(zookeeper, jobboard, "/a")
    eventually(lambda: conducted.boards() == ["/a"])
    zookeeper.delete(f"{jobboard}/{name}.lock")
    eventually(lambda: len(conducted.claims) == 2 and conducted.boards() == ["/a"])
    assert conducted.claims[1].epoch > conducted.claims[0].epoch
    assert zookeeper.exists(f"{jobboard}/{name}.lock").czxid == conducted.claims[1].epoch
    assert_it_rests(conducted)


def test_an_entity_of_a_session_before_is_outlived(
    client: Client, zookeeper: KazooClient, jobboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts again with the number of the one before, as in a container."""
    monkeypatch.setattr(conductor, "RETRY_DELAY", 0.1)
    before = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    before.start()
    entity = f"{conductor_folder(jobboard)}/test@{os.uname().nodename}:{os.getpid()}"
    before.create(entity, b"{}", ephemeral=True, makepath=True)
    conducted = Conducted(client, jobboard)
    add(zookeeper, jobboard, "/a")
    eventually(lambda: conducted.boards() == ["/a"])
    assert zookeeper.exists(entity).ephemeralOwner != client.session
    before.stop()
    before.close()
    eventually(
        lambda: (found := zookeeper.exists(entity)) and found.ephemeralOwner == client.session
    )
    conducted.conductor.stop()
    conducted.greenlet.get(timeout=30)


def test_a_defect_ends_it_visibly_and_frees_its_jobs(
    conducted: Conducted, zookeeper: KazooClient, jobboard: str
) -> None:
    names = add(zookeeper, jobboard, "/a")
    eventually(lambda: conducted.boards() == ["/a"])

    def defect() -> None:
        raise ZeroDivisionError

    conducted.during_look = defect
    add(zookeeper, jobboard, "/b")
    conducted.greenlet.join(60)
    assert isinstance(conducted.greenlet.exception, ZeroDivisionError)
    assert conducted.boards() == []
    assert not zookeeper.exists(f"{jobboard}/{names[0]}.lock")


def test_it_stops_at_once_while_zookeeper_is_silent(
    conducted: Conducted, client: Client, proxy: Proxy, zookeeper: KazooClient, jobboard: str
) -> None:
    eventually(lambda: conducted.looks)
    client.call_timeout = FOR_EVER
    with proxy.frozen():
        conducted.conductor._wake.set()
        add(zookeeper, jobboard, "/a")
        conducted.conductor.stop()
        conducted.greenlet.get(timeout=60)
    assert conducted.conductor.wait(0)
