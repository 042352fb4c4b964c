"""How watch jobs are shared among workers: evenly, by a rule that each worker works out alone.

Every worker sees the same names and so comes to the same shares; nobody hands them out.
"""

from collections.abc import Mapping


def shares(jobs: int, capacities: Mapping[str, int]) -> dict[str, int]:
    """Return how many of ``jobs`` watch jobs each worker is to run, by its name.

    ``capacities`` holds the most that each worker can run. Among those with room for it the shares
    differ by one at most, the larger ones going to the names that sort first; what is more than all
    capacities together is nobody's.
    """
    result: dict[str, int] = {}
    left = jobs
    # Who can take the least first: what they can't take is the others', in equal parts.
    waiting = sorted(capacities, key=lambda name: (capacities[name], name))
    while waiting and capacities[waiting[0]] <= left // len(waiting):
        full = waiting.pop(0)
        result[full] = capacities[full]
        left -= capacities[full]
    for place, name in enumerate(sorted(waiting)):
        result[name] = left // len(waiting) + (place < left % len(waiting))
    return result
