"""How long a client waits that ZooKeeper refuses for want of a sign-in."""

from canary.zookeeper.client import RECONNECT_DELAY, REFUSED_DELAY, refused_delay


def test_it_grows_to_a_bound_and_stays_there() -> None:
    assert [refused_delay(number) for number in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 10.0]
    assert {refused_delay(number) for number in (5, 1_025, 1_000_000)} == {REFUSED_DELAY}
    assert refused_delay(1) == RECONNECT_DELAY
