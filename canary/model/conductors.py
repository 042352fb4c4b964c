"""A conductor as TaskFlow registers it: ``<name>@<host>:<pid>``, with the same as JSON inside."""

import json
from dataclasses import dataclass
from datetime import datetime

from canary.model import payload

MAX_PID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Conductor:
    """A registered conductor.

    ``name`` is that of its entity. ``host`` and ``pid`` are what it says of itself, None where that
    is garbage. ``session`` is the ZooKeeper session that registered it, by which its claims can be
    told: a lock holds only the first part of the name.
    """

    name: str
    host: str | None
    pid: int | None
    since: datetime
    session: int


def conductor(name: str, data: bytes, since: datetime, session: int) -> Conductor:
    """Return the conductor that the znode called ``name`` registers; never raises."""
    host = pid = None
    try:
        metadata = json.loads(data.decode("utf-8"))["metadata"]
        said_host, said_pid = metadata.get("hostname"), metadata.get("pid")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Conductor(name, None, None, since, session)
    if isinstance(said_host, str):
        host = payload.text(said_host, payload.MAX_NAME)
    if isinstance(said_pid, int) and not isinstance(said_pid, bool) and 0 <= said_pid <= MAX_PID:
        pid = said_pid
    return Conductor(name, host, pid, since, session)
