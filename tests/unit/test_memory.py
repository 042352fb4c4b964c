"""When memory is given back."""

import pytest

from canary.server import memory
from canary.server.memory import CROWD, Crowd


def test_it_is_given_back_once_a_crowd_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(memory, "give_back", lambda: given.append(True))
    crowd = Crowd()
    for most, times in ((1, 0), (CROWD - 1, 0), (CROWD, 1), (1, 1), (10 * CROWD, 2)):
        for size in (*range(1, most + 1), *range(most - 1, -1, -1)):
            assert len(given) <= times
            crowd.is_now(size)
        assert len(given) == times, most


def test_giving_back_harms_nothing() -> None:
    memory.give_back()
