"""A server that takes no more connections is not asked at each try whether it does."""

from canary.zookeeper.fullness import AGAIN, Fullness
from tests.virtual_clock import VirtualClock


def test_a_look_is_good_for_half_a_minute() -> None:
    clock, looks, full = VirtualClock(), list[tuple[str, int]](), True

    def look(host: str, port: int) -> bool:
        looks.append((host, port))
        return full

    fullness = Fullness(look, clock)
    assert [fullness.of("a", 1), fullness.of("a", 1), fullness.of("b", 1)] == [True] * 3
    full = False
    clock.seconds += AGAIN - 0.1
    assert fullness.of("a", 1) is True
    assert looks == [("a", 1), ("b", 1)]
    clock.seconds += 0.1
    assert fullness.of("a", 1) is False
    assert looks == [("a", 1), ("b", 1), ("a", 1)]
