"""What was done on a board, whoever says so: the load's ledger or Canary's record."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doing:
    """One thing that was done on a board; `owner` only of a claim."""

    kind: str
    uuid: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Unseen:
    """What Canary says that it did not see: how many gaps, and what is unseen in all of them.

    None where Canary says that it can't know.
    """

    gaps: int
    creates: int | None
    deletes: int | None

    @property
    def is_nothing(self) -> bool:
        """Whether everything was seen."""
        return self.creates == 0 and self.deletes == 0
