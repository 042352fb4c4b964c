"""What a watcher observed, as plain values: the model's only input."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from canary.model.jobs import Edition
from canary.model.payload.payload import Payload

_UINT32: Final = 2**32


@dataclass(frozen=True, slots=True)
class Stat:
    """The part of a board's znode stat that the account needs.

    ZooKeeper returns ``cversion = 2 * creates - numChildren`` in 32 bits (its
    ``DataNode.copyStat``), so the number of creates is known modulo 2³¹, and with it that of
    deletes. That is enough: at 2³¹ - 1 creates ZooKeeper itself stops counting, and posting to such
    a board fails.
    """

    czxid: int
    pzxid: int
    cversion: int
    num_children: int

    @property
    def creates(self) -> int:
        """How many children were ever created."""
        return (self.cversion + self.num_children) % _UINT32 // 2

    @property
    def deletes(self) -> int:
        """How many children were ever deleted."""
        return self.creates - self.num_children


class Condition(NamedTuple):
    """What changes with a znode, its data, its children's names and its ACL."""

    czxid: int
    mzxid: int
    pzxid: int
    aversion: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A board's children and stat, from one call, so that they are consistent.

    No account depends on ``condition``; it only shows whether watches are alive.
    """

    stat: Stat
    children: frozenset[str]
    seen_at: datetime
    condition: Condition | None = None


class Unread(Enum):
    """Why a requested znode could not be read.

    Servers before 3.9 show everybody the stat of a job or a lock, whatever its ACL: the result is
    then a ``JobRead`` without payload, or a ``LockRead`` without owner. Of a DENIED znode only the
    name is known, and that it stays the same as long as it is listed.
    """

    GONE = "no such node"
    DENIED = "its ACL does not let Canary read it"


@dataclass(frozen=True, slots=True)
class JobRead:
    """A job's znode, read. ``payload`` is None if its ACL hides it, or if only the stat was read.

    ``size`` is the size of the data in bytes in the stat, if only the stat was read. It belongs to
    a known job as long as its ``edition`` is the known one.
    """

    czxid: int
    at: datetime
    payload: Payload | None
    size: int | None = None
    edition: Edition | None = None


@dataclass(frozen=True, slots=True)
class LockRead:
    """A lock's znode, read. ``session`` is its ephemeralOwner, 0 if it is not ephemeral."""

    czxid: int
    at: datetime
    session: int
    owner: str | None
    edition: Edition | None = None


@dataclass(frozen=True, slots=True)
class TrashRead:
    """A znode in the trash, read: the newest, if it may be in several places.

    ``is_all`` is whether nothing hides what may be in other places.
    """

    czxid: int
    at: datetime
    uuid: str | None
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class ReadSet:
    """Names of the znodes to read before a listing can be understood."""

    jobs: frozenset[str]
    locks: frozenset[str]  # by the lock's own name
    trash: frozenset[str]  # by the job's name


@dataclass(frozen=True, slots=True)
class Reads:
    """The results of these reads, one key per name.

    ``unedited`` are jobs that are gone and were certainly not edited since they were last read.
    """

    jobs: Mapping[str, JobRead | Unread] = field(default_factory=dict)
    locks: Mapping[str, LockRead | Unread] = field(default_factory=dict)
    trash: Mapping[str, TrashRead | Unread] = field(default_factory=dict)
    unedited: frozenset[str] = frozenset()
