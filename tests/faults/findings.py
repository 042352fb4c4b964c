"""What can be wrong with what Canary recorded, showed or did, and the verdict on one run."""

from dataclasses import dataclass
from enum import Enum


class What(Enum):
    """Which promise a finding is about; the value is what it says is broken."""

    MIRROR = "MongoDB does not hold what ZooKeeper does, and the watcher says that all is stored"
    FOLD = "the changes of a job are in no legal order, or are not what its document says"
    INVENTED = "a change that nobody made"
    LOST = "creates and deletes that neither changes nor gaps tell"
    EDIT = "a job's data were edited, and what is stored or told of it is from before that"
    GAP = "a gap outside the fault and its recovery, or one of unknown size without need"
    COUNTED = "the board's document counts other gaps, or more or less in them, than there are"
    DRIFT = "the reconciler had something to mend"
    STREAM = "the stream, folded, is not what MongoDB holds"
    STALE = "the API or the stream went on calling the board what it was not"
    HELD = "a worker went on watching a board that was another's"
    BOUND = "more waited in memory than may"
    DIED = "a worker ended by itself"
    UNSEEN = "something was not seen one by one, though it came so"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in words."""

    what: What
    words: str

    def __str__(self) -> str:
        return f"{self.what.name}: {self.what.value}: {self.words}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one run; creates and deletes of the board's children, but for the first two.

    ``invented`` are changes without an operation, and creates and deletes that were told and not
    made; ``lost`` is what neither changes nor gaps tell.
    """

    operations: int
    changes: int
    made: int
    seen: int
    unseen: int
    invented: int
    lost: int
    gaps: tuple[str, ...]
    findings: tuple[Finding, ...]
