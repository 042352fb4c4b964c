"""Pydantic models of conductors and the jobs that they hold, for ``/openapi.json``."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from canary.server.v2.edit_schemas import Answer

FreshnessName = Literal["live", "catching_up", "suspended", "missing", "denied", "unwatched"]


class Held(Answer):
    """A job that a conductor holds."""

    uuid: str | None
    name: str | None
    znode: str
    claimed_at: datetime | None


class Conductor(Answer):
    """A conductor of a board, or the claims of a session without a registered conductor."""

    name: str | None = Field(description="the name under which it is registered; null if it is not")
    owner: str | None = Field(description="the owner in its claims")
    path: str
    host: str | None
    pid: int | None
    session: str | None = Field(description="the ZooKeeper session of the conductor or the claims")
    holder: Literal["registered", "unregistered", "orphaned", "unknown"] = Field(
        description="registered: a conductor that is registered with this session; unregistered:"
        " a session that is alive but with which no conductor is registered; orphaned: no session,"
        " the lock stays until somebody deletes it; unknown: the lock or the registered conductors"
        " could not be read"
    )
    alive: bool | None = Field(
        description="whether the session is alive; it is as long as a claim of it exists; null if"
        " unknown"
    )
    registered_for: list[str] = Field(
        description="the watched boards to which the registration applies: all that share its"
        " `.entities` folder; `holds` shows for which of them the conductor works"
    )
    since: datetime | None
    seen_at: datetime | None
    freshness: FreshnessName = Field(description="the freshness of the board")
    holds: list[Held]
