"""How many answers may be under way, and who has to wait for whom."""

from collections.abc import Callable

import pytest

from canary.server.problems import Crowded, TooOften
from canary.server.protection.places import Bound, Places
from canary.server.protection.turns import PAUSE, Turns


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def nobody() -> None:
    raise AssertionError("this one was not to be cut off")


class TestPlaces:
    @pytest.fixture
    def make(self, time: Time) -> Callable[..., Places]:
        return lambda **bound: Places(Bound(**bound), time)

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

    def test_who_takes_long_makes_room(self, make: Callable[..., Places], time: Time) -> None:
        places = make(whole=3, each=2, patience=5.0)
        cut: list[str] = []
        leave = places.take("a", lambda: cut.append("a1"))
        time.now += 1
        places.take("a", lambda: cut.append("a2"))
        time.now += 1
        places.take("b", nobody)
        time.now += 2.9
        for client, error in (("a", TooOften), ("c", Crowded)):
            with pytest.raises(error):
                places.take(client, nobody)
        time.now += 0.1
        assert not places.is_full("a")
        places.take("a", nobody)  # that of its own which is under way longest
        assert cut == ["a1"]
        leave()  # it ends, and its place is another's by now
        time.now += 1
        places.take("c", nobody)
        assert cut == ["a1", "a2"]
        with pytest.raises(Crowded):
            places.take("d", nobody)


class TestTurns:
    def test_who_comes_alone_does_not_wait(self, time: Time) -> None:
        turns = Turns(time, time.sleep)
        begun = time.now
        with turns:
            pass
        time.now += PAUSE
        with turns:
            pass
        assert time.now == begun + PAUSE

    def test_the_others_have_half_of_the_time(self, time: Time) -> None:
        turns = Turns(time, time.sleep)
        begun = time.now
        for _ in range(10):
            with turns:
                time.now += 0.5
        assert time.now - begun == pytest.approx(10 * 0.5 + 9 * 0.5)
        with pytest.raises(ValueError, match="x"), turns:
            raise ValueError("x")
        with turns:
            pass
