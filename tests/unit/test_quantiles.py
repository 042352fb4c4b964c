"""Quantiles out of buckets."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.quantiles import ACCURACY, GAMMA, SHORTEST, quantile

DURATIONS = st.lists(st.floats(SHORTEST, 1e8), min_size=1, max_size=200)


def bucket(seconds: float) -> int | None:
    """As MongoDB is told to count."""
    return math.ceil(math.log(seconds) / math.log(GAMMA)) if seconds >= SHORTEST else None


@given(DURATIONS, st.floats(0, 1))
def test_a_quantile_is_off_by_no_more_than_it_says(durations: list[float], q: float) -> None:
    exact = sorted(durations)[int(q * (len(durations) - 1))]
    found = quantile(Counter(map(bucket, durations)), q)
    assert found == pytest.approx(exact, rel=ACCURACY * 1.001)


def test_of_nothing_there_is_none() -> None:
    assert quantile({}, 0.5) is None


def test_what_took_no_time_counts() -> None:
    assert quantile({None: 3, bucket(8.0): 1}, 0.5) == 0.0
    assert quantile({None: 1, bucket(8.0): 3}, 0.5) == pytest.approx(8.0, rel=ACCURACY)


def test_a_part_is_no_percentage() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        quantile({1: 1, 2: 1}, 50)
