"""Quantiles of durations that are counted in buckets, each a little wider than the one before.

The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile
sketch with relative-error guarantees", VLDB 2019): bucket i holds what is above gamma to the power
of i - 1, and up to gamma to the power of i. Promises: a quantile is off by at most ``ACCURACY`` of
itself, however many durations there are; buckets of any origin may be added up.
"""

from collections.abc import Mapping
from typing import Final

ACCURACY: Final = 0.01
GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
SHORTEST: Final = 0.001  # seconds; less counts as zero: moments are in milliseconds


def quantile(buckets: Mapping[int | None, int], q: float) -> float | None:
    """Return the duration in seconds below which the part ``q`` of all lies; None if none.

    ``buckets`` maps a bucket's number to its count. The number None is the bucket of zero
    durations.
    """
    total = sum(buckets.values())
    if total == 0:
        return None
    rank = q * (total - 1)
    seen = buckets.get(None, 0)
    if seen > rank:
        return 0.0
    for number in sorted(each for each in buckets if each is not None):
        seen += buckets[number]
        if seen > rank:
            return float(2 * GAMMA**number / (GAMMA + 1))
    raise ValueError("q is no part: it must be from 0 to 1")
