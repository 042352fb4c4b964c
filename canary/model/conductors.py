"""A conductor as TaskFlow registers it: ``<name>@<host>:<pid>``, with the same data as JSON inside.

Also: who holds a claim. A lock is ephemeral, so as long as it exists its session has not expired:
somebody holds it, registered or not. TaskFlow leaves a conductor unregistered if its name is
already taken, as in a container that restarts with the same host name and pid.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from canary.model.payload import payload
from canary.model.payload.masking import Masker

MAX_PID = 2**63 - 1
#: The ephemeralOwner of znodes without a session: plain znodes, and containers.
NO_SESSIONS: Final = (0, -(2**63))


class Holder(StrEnum):
    """Who holds a claim, or might hold it."""

    REGISTERED = "registered"  # a conductor that is registered with its session
    UNREGISTERED = "unregistered"  # a living session, with which no conductor is registered
    ORPHANED = "orphaned"  # no session: created by hand, it stays until it is deleted by hand
    UNKNOWN = "unknown"  # the lock, or the registered conductors, could not be read

    @property
    def is_alive(self) -> bool | None:
        """Whether its session is alive; None if that is not known."""
        if self is Holder.UNKNOWN:
            return None
        return self is not Holder.ORPHANED


def holder_of(session: int | None, *, is_known: bool) -> Holder:
    """Return who holds a claim with a session that no known conductor is registered with.

    ``session`` is the ephemeralOwner of its lock, None if it was not read. ``is_known`` is whether
    all registered conductors are known.
    """
    if session in NO_SESSIONS:
        return Holder.ORPHANED
    return Holder.UNKNOWN if session is None or not is_known else Holder.UNREGISTERED


@dataclass(frozen=True, slots=True)
class Conductor:
    """A registered conductor.

    ``name`` is that of its entity. ``host`` and ``pid`` are its own statements, None if they are
    garbage. ``session`` is the ZooKeeper session that registered it. It identifies the conductor's
    claims: a lock holds only the first part of the name.
    """

    name: str
    host: str | None
    pid: int | None
    since: datetime
    session: int


def conductor(
    name: str, data: bytes, since: datetime, session: int, masker: Masker | None = None
) -> Conductor:
    """Return the conductor that the znode called ``name`` registers; never raises."""
    masker = masker or Masker()
    host = pid = None
    metadata = payload.small_object(data).get("metadata")
    if not isinstance(metadata, dict):
        return Conductor(name, None, None, since, session)
    said_host, said_pid = metadata.get("hostname"), metadata.get("pid")
    if isinstance(said_host, str):
        host = masker.identity(payload.text(said_host, payload.MAX_NAME))
    if isinstance(said_pid, int) and not isinstance(said_pid, bool) and 0 <= said_pid <= MAX_PID:
        pid = said_pid
    return Conductor(name, host, pid, since, session)
