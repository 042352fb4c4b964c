"""How many answers may be under way, and who has to wait for whom."""

from collections.abc import Callable

import pytest

from canary.server.problems import Crowded, TooOften
from canary.server.protection.places import HEALTH, STRANGERS, Bound, Places
from canary.server.protection.turns import PAUSE, Turns
from tests.virtual_clock import SoloClock


@pytest.fixture
def clock() -> SoloClock:
    return SoloClock()


def nobody() -> None:
    raise AssertionError("this one was not to be cut off")


class TestPlaces:
    @pytest.fixture
    def make(self, clock: SoloClock) -> Callable[..., Places]:
        return lambda **bound: Places(Bound(**bound), clock)

    def test_one_client_has_so_many_and_others_theirs(self, make: Callable[..., Places]) -> None:
        places = make(whole=10, each=2)
        leave = [places.take("a", nobody), places.take("a", nobody)]
        assert places.is_full("a")
        assert not places.is_full("b")
        with pytest.raises(TooOften, match="2 responses to this client are in progress") as caught:
            places.take("a", nobody)
        assert caught.value.wait == 1
        places.take("b", nobody)
        leave[0]()
        leave[0]()  # once more changes nothing
        assert not places.is_full("a")
        places.take("a", nobody)
        with pytest.raises(TooOften):
            places.take("a", nobody)

    def test_all_together_have_so_many(self, make: Callable[..., Places]) -> None:
        places = make(whole=3, each=2)
        leave = [places.take(client, nobody) for client in "abc"]
        with pytest.raises(Crowded):
            places.take("d", nobody)
        leave[1]()
        places.take("d", nobody)

    def test_who_takes_long_makes_room(self, make: Callable[..., Places], clock: SoloClock) -> None:
        places = make(whole=3, each=2, patience=5.0)
        cut: list[str] = []
        leave = places.take("a", lambda: cut.append("a1"))
        clock.seconds += 1
        places.take("a", lambda: cut.append("a2"))
        clock.seconds += 1
        places.take("b", nobody)
        clock.seconds += 2.9
        for client, error in (("a", TooOften), ("c", Crowded)):
            with pytest.raises(error):
                places.take(client, nobody)
        clock.seconds += 0.1
        assert not places.is_full("a")
        places.take("a", nobody)  # that of its own which is under way longest
        assert cut == ["a1"]
        leave()  # it ends, and its place is another's by now
        clock.seconds += 1
        places.take("c", nobody)
        assert cut == ["a1", "a2"]
        with pytest.raises(Crowded):
            places.take("d", nobody)

    @pytest.mark.parametrize(
        ("bound", "each", "patience"), [(STRANGERS, 30, 5.0), (HEALTH, 20, 1.0)]
    )
    def test_who_has_not_signed_in_makes_room_after_a_while(
        self, clock: SoloClock, bound: Bound, each: int, patience: float
    ) -> None:
        places, cut = Places(bound, clock), list[str]()
        for _ in range(each):
            places.take("a", lambda: cut.append("a"))
        clock.seconds += patience - 0.01
        with pytest.raises(TooOften):
            places.take("a", nobody)
        clock.seconds += 0.01
        places.take("a", nobody)
        assert cut == ["a"]


class TestTurns:
    def test_who_comes_alone_does_not_wait(self, clock: SoloClock) -> None:
        turns = Turns(clock)
        begun = clock.seconds
        with turns:
            pass
        clock.seconds += PAUSE
        with turns:
            pass
        assert clock.seconds == begun + PAUSE

    def test_the_others_have_half_of_the_time(self, clock: SoloClock) -> None:
        turns = Turns(clock)
        begun = clock.seconds
        for _ in range(10):
            with turns:
                clock.seconds += 0.5
        assert clock.seconds - begun == pytest.approx(10 * 0.5 + 9 * 0.5)
        with pytest.raises(ValueError, match="x"), turns:
            raise ValueError("x")
        with turns:
            pass
