"""Check whether claimed jobs can be trashed.

TaskFlow trashes a job by creating a znode with the job's own name in the board's trash. Boards
under one parent share their trash, and a board that was deleted and created again numbers its jobs
anew. If the name exists already, TaskFlow's ``trash`` fails, the conductor goes on, and the job
stays claimed for ever by a conductor that is alive and does nothing about it.

Promises: a claimed job is checked within ``INTERVAL`` seconds, and from then on every ``INTERVAL``,
as long as its claim is among the oldest of the board (``canary.stores.writing.claimed_jobs``). What
is in the trash may be large, so it is read once, and again only if it was set. If an ACL hides it,
nothing is recorded.
"""

import logging
import random
from collections.abc import Callable
from typing import Final

from gevent.event import Event

from canary.errors import CanaryError
from canary.model.observations import TrashRead, Unread
from canary.stores.writing.claimed_jobs import ClaimedJobs
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.pipeline import Pipeline
from canary.watchers.zookeeper.trash import KnownTrash

LOG = logging.getLogger(__name__)

INTERVAL: Final = 15.0  # seconds between two checks; a collision lasts until somebody ends it
UNREADABLE: Final = "unknown"  # used as the uuid of a znode in the trash that has none


class CollisionsWatch:
    """Checks the claimed jobs of the board at ``path``.

    ``has_claims`` returns whether there are any. Most boards have none most of the time, and
    querying MongoDB for the claims of 300 boards costs a worker more than everything else that it
    does at rest.
    """

    def __init__(
        self,
        context: WatchContext,
        path: str,
        jobs: ClaimedJobs,
        has_claims: Callable[[], bool],
        interval: float = INTERVAL,
    ) -> None:
        self._trash = KnownTrash(context, path, Pipeline(context.budget))
        self._jobs, self._has_claims, self._clock = jobs, has_claims, context.clock
        self._interval, self._extra = interval, {"board": path}
        # The boards of a worker are taken at once, but need not be checked in the same second.
        self.first = random.uniform(0, interval)  # noqa: S311 -- no secret
        self._stop = Event()

    def stop(self) -> None:
        """Ask ``run`` to return. May be called from any greenlet, and twice."""
        self._stop.set()

    def run(self) -> None:
        """Check every ``interval`` seconds, until ``stop``."""
        pause = self.first
        while not self._clock.wait(self._stop, pause):
            pause = self._interval
            try:
                if self._has_claims():
                    self.look()
            except CanaryError as error:
                LOG.debug("the trash could not be read: %s", error, extra=self._extra)
            except Exception:
                LOG.exception("the trash could not be read", extra=self._extra)

    def look(self) -> None:
        """Check once, and record what has changed. Raises CanaryError."""
        jobs = self._jobs.all()
        found = self._trash.read(job.name for job in jobs)
        for job in jobs:
            in_trash = _uuid_of(found[job.name])
            if found[job.name] is Unread.DENIED or in_trash == job.uuid:
                continue  # unknown, or the job was trashed this very moment
            if in_trash != job.in_trash:
                self._jobs.note(job, in_trash)


def _uuid_of(read: TrashRead | Unread) -> str | None:
    """Return the uuid of a znode in the trash, or None if there is no znode."""
    return (read.uuid or UNREADABLE) if isinstance(read, TrashRead) else None
