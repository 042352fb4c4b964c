"""How watch jobs are shared among workers: evenly, by a rule that each worker applies alone.

Every worker sees the same names and so computes the same shares; none assigns them to others.
"""

from collections.abc import Mapping


def shares(jobs: int, capacities: Mapping[str, int]) -> dict[str, int]:
    """Return how many of ``jobs`` watch jobs each worker has to run, by its name.

    ``capacities`` is the maximum that each worker can run. The shares of workers that have room for
    more differ by at most one; the larger ones go to the names that sort first. Jobs beyond all
    capacities together belong to no worker.
    """
    result: dict[str, int] = {}
    left = jobs
    # Smallest capacity first: what these workers can't take is shared equally by the others.
    waiting = sorted(capacities, key=lambda name: (capacities[name], name))
    while waiting and capacities[waiting[0]] <= left // len(waiting):
        full = waiting.pop(0)
        result[full] = capacities[full]
        left -= capacities[full]
    for place, name in enumerate(sorted(waiting)):
        result[name] = left // len(waiting) + (place < left % len(waiting))
    return result
