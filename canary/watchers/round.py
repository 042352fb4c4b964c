"""The result of one round, whatever kind of source the board is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canary.model.state import Step

Sizes = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round.

    ``again`` are the locks that the next round must read again. ``wrong`` describes what was
    known wrongly. ``sizes`` are the data sizes in bytes of the jobs that were checked, by name and
    the zxid that set the data.
    """

    step: Step
    is_part: bool = False
    again: frozenset[str] = frozenset()
    wrong: tuple[str, ...] = ()
    sizes: Sizes = field(default_factory=dict)
