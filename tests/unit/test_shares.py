"""Even shares, whatever the number of workers and however much each of them can take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.worker.shares import shares

WORKERS = st.dictionaries(st.text("abc", min_size=1), st.integers(0, 50), max_size=8)


@pytest.mark.parametrize(
    ("jobs", "capacities", "expected"),
    [
        (7, {"b": 100, "c": 100, "a": 100}, {"a": 3, "b": 2, "c": 2}),
        (2, {"a": 100, "b": 100, "c": 100}, {"a": 1, "b": 1, "c": 0}),
        (0, {"a": 100}, {"a": 0}),
        (5, {}, {}),
        (10, {"a": 2, "b": 100, "c": 100}, {"a": 2, "b": 4, "c": 4}),
        (10, {"a": 3, "b": 3, "c": 100}, {"a": 3, "b": 3, "c": 4}),
        (10, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        (3, {"a": 0, "b": 5}, {"a": 0, "b": 3}),
        (4, {"a": 100, "b": 1, "c": 100}, {"a": 2, "b": 1, "c": 1}),
    ],
)
def test_shares(jobs: int, capacities: dict[str, int], expected: dict[str, int]) -> None:
    assert shares(jobs, capacities) == expected


@given(st.integers(0, 300), WORKERS)
def test_all_is_shared_that_can_be(jobs: int, capacities: dict[str, int]) -> None:
    shared = shares(jobs, capacities)
    assert shared.keys() == capacities.keys()
    assert all(0 <= shared[name] <= capacities[name] for name in shared)
    assert sum(shared.values()) == min(jobs, sum(capacities.values()))


@given(st.integers(0, 300), WORKERS)
def test_who_has_room_has_as_much_as_anybody(jobs: int, capacities: dict[str, int]) -> None:
    shared = shares(jobs, capacities)
    for name, share in shared.items():
        if share < capacities[name]:
            for other in shared:
                assert shared[other] <= share + 1
                assert other < name or shared[other] <= share


@given(st.integers(0, 300), st.sets(st.text("abc", min_size=1), min_size=1, max_size=8))
def test_the_first_hold_one_more(jobs: int, names: set[str]) -> None:
    shared = shares(jobs, dict.fromkeys(names, 1000))
    more = jobs % len(names)
    assert [shared[name] for name in sorted(names)] == (
        [jobs // len(names) + 1] * more + [jobs // len(names)] * (len(names) - more)
    )
