"""When memory is given back."""

import sys
from functools import partial

import pytest

from canary.server import memory
from canary.server.memory import CROWD, Crowd
from tests.waiting import eventually


def test_it_is_given_back_once_a_crowd_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(memory, "give_back", lambda: given.append(True))
    monkeypatch.setattr(memory, "SETTLING", 0.0)
    crowd = Crowd()
    for most, times in ((1, 0), (CROWD - 1, 0), (CROWD, 1), (1, 1), (10 * CROWD, 2)):
        for size in (*range(1, most + 1), *range(most - 1, -1, -1)):
            assert len(given) <= times
            crowd.is_now(size)
        eventually(partial(has, given, times), 20, why=f"{most} clients")


def has(given: list[bool], times: int) -> bool:
    return len(given) == times


def test_names_that_were_looked_up_are_given_back() -> None:
    name = "".join(["uncommon", "name"])
    before = sys.getrefcount(name)
    assert getattr(self_made := object(), name, None) is None, self_made
    assert sys.getrefcount(name) > before, "Python remembers it"
    memory.give_back()
    assert sys.getrefcount(name) == before
