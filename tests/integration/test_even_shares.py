"""Several conductors on one board: who runs how much, and who takes over from whom."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from kazoo.client import KazooClient

from canary.config import Config
from canary.model.names import conductor_folder
from canary.worker import conductor
from canary.zookeeper import Client, connect, disconnect
from tests.integration.conducted import Conducted, add
from tests.integration.conftest import SESSION_TIMEOUT
from tests.integration.proxy import Proxy
from tests.waiting import allowed, eventually

JOIN_LIMIT = 150.0  # seconds until one that joins has its share, which takes four; 15 are promised

Join = Callable[..., Conducted]


@pytest.fixture
def join(config: Config, proxy: Proxy) -> Iterator[Join]:
    """Start a conductor of that name, with a client of its own; "a" is behind the proxy."""
    with ExitStack() as stack:

        def start(name: str, max_boards: int = 100) -> Conducted:
            hosts = (proxy.address,) if name == "a" else config.zookeeper.hosts
            client: Client = connect(replace(config.zookeeper, hosts=hosts))
            client.start(timeout=30)
            stack.callback(disconnect, client, 1.0)
            conducted = Conducted(client, config.canary.jobboard, max_boards, name)
            stack.callback(leave, conducted)
            return conducted

        yield start


def leave(conducted: Conducted) -> None:
    conducted.conductor.stop()
    conducted.greenlet.join(60)


def counts(*conducted: Conducted) -> list[int]:
    return [len(each.running) for each in conducted]


def names(count: int) -> list[str]:
    return [f"/board-{number}" for number in range(count)]


def test_the_first_hold_one_more(join: Join, zookeeper: KazooClient, config: Config) -> None:
    folder = conductor_folder(config.canary.jobboard)
    zookeeper.ensure_path(folder)
    first, second, third = join("c"), join("a"), join("b")
    eventually(lambda: len(zookeeper.get_children(folder)) == 3, why="all are listed")
    add(zookeeper, config.canary.jobboard, *names(7))
    eventually(lambda: counts(second, third, first) == [3, 2, 2], JOIN_LIMIT)
    watched = [board for each in (first, second, third) for board in each.boards()]
    assert sorted(watched) == names(7)


def test_who_joins_gets_a_share_and_who_leaves_gives_it_back(
    join: Join, zookeeper: KazooClient, config: Config
) -> None:
    b = join("b")
    add(zookeeper, config.canary.jobboard, *names(5))
    eventually(lambda: counts(b) == [5])
    a = join("a")
    eventually(lambda: counts(a, b) == [3, 2], JOIN_LIMIT)
    assert len(a.claims) == 3, "nothing went to and fro"
    assert len(b.claims) == 5
    leave(a)
    eventually(lambda: counts(b) == [5], why="who leaves says so before it gives up its boards")


def test_who_dies_is_replaced_when_its_session_ends(
    join: Join, zookeeper: KazooClient, config: Config, proxy: Proxy
) -> None:
    a, b = join("a"), join("b")
    add(zookeeper, config.canary.jobboard, *names(4))
    eventually(lambda: counts(a, b) == [2, 2], JOIN_LIMIT)
    with proxy.away():
        eventually(lambda: counts(b) == [4], allowed(SESSION_TIMEOUT + 5.0))
    eventually(lambda: counts(a, b) == [2, 2], JOIN_LIMIT, "and comes back")


def test_nobody_takes_more_than_it_can(join: Join, zookeeper: KazooClient, config: Config) -> None:
    a, b = join("a", max_boards=1), join("b")
    add(zookeeper, config.canary.jobboard, *names(5))
    eventually(lambda: counts(a, b) == [1, 4], JOIN_LIMIT)


def test_who_is_unfit_leaves_its_boards_to_who_is_fit(
    join: Join, zookeeper: KazooClient, config: Config
) -> None:
    a, b = join("a"), join("b")
    add(zookeeper, config.canary.jobboard, *names(4))
    eventually(lambda: counts(a, b) == [2, 2], JOIN_LIMIT)
    a.conductor.set_fit(is_fit=False)
    eventually(lambda: counts(a, b) == [0, 4], JOIN_LIMIT)
    a.conductor.set_fit(is_fit=True)
    eventually(lambda: counts(a, b) == [2, 2], JOIN_LIMIT)


def test_where_nobody_is_fit_all_stays_where_it_is(
    join: Join, zookeeper: KazooClient, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = join("a"), join("b")
    add(zookeeper, config.canary.jobboard, *names(4))
    eventually(lambda: counts(a, b) == [2, 2], JOIN_LIMIT)
    claims = len(a.claims) + len(b.claims)
    folder = conductor_folder(config.canary.jobboard)
    monkeypatch.setattr(conductor, "SETTLE_DELAY", JOIN_LIMIT)  # one is unfit before the other
    for each in (a, b):
        each.conductor.set_fit(is_fit=False)
    eventually(lambda: zookeeper.get_children(folder) == [])
    look_again(zookeeper, config, a, b)  # the look before may have seen one of them listed
    monkeypatch.setattr(conductor, "SETTLE_DELAY", 0.0)  # what is given up is given up at once
    look_again(zookeeper, config, a, b)
    assert counts(a, b) == [2, 2], "nothing is taken"
    monkeypatch.setattr(conductor, "SETTLE_DELAY", JOIN_LIMIT)
    for each in (a, b):
        each.conductor.set_fit(is_fit=True)
    # Who is listed first takes both of what is new; who gives one of them up has settled before.
    eventually(lambda: len(zookeeper.get_children(folder)) == 2)
    eventually(lambda: sum(counts(a, b)) == 6)
    assert len(a.claims) + len(b.claims) == claims + 2, "nothing was given up"


def look_again(zookeeper: KazooClient, config: Config, *conducted: Conducted) -> None:
    """Post a watch job, and wait until each has looked at the board because of it."""
    looks = [each.looks for each in conducted]
    number = len(zookeeper.get_children(config.canary.jobboard))
    add(zookeeper, config.canary.jobboard, f"/more-{number}")
    eventually(lambda: all(each.looks > look for each, look in zip(conducted, looks, strict=True)))


def test_a_stranger_among_the_workers_gets_no_share(
    join: Join, zookeeper: KazooClient, config: Config
) -> None:
    folder = conductor_folder(config.canary.jobboard)
    for name, data in {
        "a-stock@host:1": b'{"kind": "conductor", "metadata": {"pid": 1}}',
        "garbage": b"[" * 100_000,
        "negative": b'{"metadata": {"max_boards": -5}}',
        "empty": b"",
        "text": b'{"metadata": {"max_boards": "many"}}',
    }.items():
        zookeeper.create(f"{folder}/{name}", data, makepath=True)
    b = join("b")
    add(zookeeper, config.canary.jobboard, *names(3))
    eventually(lambda: counts(b) == [3])
