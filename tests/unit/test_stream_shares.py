"""How many event streams one client may have."""

import pytest

from canary.config import load
from canary.server.problems import TooOften
from canary.server.protection.gate import CALLER
from canary.server.stream.shares import Shares, client_of, share_of


def test_a_client_has_its_share_and_no_other_less() -> None:
    shares = Shares(2)
    backs = [shares.take("name ann") for _ in range(2)]
    with pytest.raises(TooOften, match=r"\[server\] streams_per_client") as refused:
        shares.take("name ann")
    assert refused.value.wait > 0
    shares.take("name bob")
    shares.take("address 10.0.0.1")
    backs[0]()
    backs[0]()
    shares.take("name ann")
    with pytest.raises(TooOften):
        shares.take("name ann")


def test_who_has_left_is_forgotten() -> None:
    shares = Shares(1)
    for number in range(100):
        shares.take(f"name {number}")()
    assert len(shares) == 0
    shares.take("name ann")
    with pytest.raises(TooOften):
        shares.take("name ann")
    assert len(shares) == 1, "who was refused holds nothing"


@pytest.mark.parametrize(
    ("environ", "client"),
    [
        ({CALLER: "ann", "REMOTE_ADDR": "10.0.0.1"}, "name ann"),
        ({CALLER: None, "REMOTE_ADDR": "10.0.0.1"}, "address 10.0.0.1"),
        ({"REMOTE_ADDR": "::ffff:10.0.0.1"}, "address ::ffff:10.0.0.1"),
        ({"REMOTE_ADDR": "2001:db8:1:2::5"}, "address 2001:db8:1:2::/64"),
        ({}, "address "),
    ],
)
def test_who_asks(environ: dict[str, str | None], client: str) -> None:
    assert client_of(environ) == client


@pytest.mark.parametrize(
    ("limit", "streams", "share"),
    [(0, 1000, 125), (0, 400, 50), (0, 100, 16), (0, 20, 15), (0, 8, 6), (0, 1, 1), (7, 1000, 7)],
)
def test_it_takes_many_clients_to_take_all(limit: int, streams: int, share: int) -> None:
    assert share_of(limit, streams) == share


def test_the_option() -> None:
    assert load(environ={}).server.streams_per_client == 0
    assert load(environ={"OS_SERVER__STREAMS_PER_CLIENT": "5"}).server.streams_per_client == 5
