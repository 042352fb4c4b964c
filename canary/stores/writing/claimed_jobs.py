"""The claimed jobs of a board, and what is recorded of them apart from the board's own writes.

These writes are not fenced: they record what is in the trash, whoever reads it, and no account
depends on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pymongo.database import Database

from canary.model.jobs import JobState
from canary.stores.mongo.client import errors_as_ours
from canary.stores.mongo.documents import Document

MOST: Final = 1_000  # jobs; those with the oldest claims come first


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A claimed job. ``in_trash`` is the uuid of another job in the trash under its name, or None.

    ``identity`` is the ``_id`` of its document.
    """

    identity: str
    name: str
    uuid: str
    in_trash: str | None


class ClaimedJobs:
    """The claimed jobs of the board at ``path``."""

    def __init__(self, database: Database[Document], path: str) -> None:
        self._database, self._path = database, path

    def all(self) -> Sequence[ClaimedJob]:
        """Return the claimed jobs whose uuid is known, ``MOST`` at most."""
        query = {"board": self._path, "state": JobState.CLAIMED.value, "uuid": {"$ne": None}}
        fields = ["name", "uuid", "in_trash"]
        with errors_as_ours():
            found = self._database.jobs.find(query, fields).sort("claimed_at", 1).limit(MOST)
            return [
                ClaimedJob(job["_id"], job["name"], job["uuid"], job.get("in_trash"))
                for job in found
            ]

    def note(self, job: ClaimedJob, in_trash: str | None) -> None:
        """Record the uuid that is in the trash under the job's name; None if none is any more."""
        mine = {"_id": job.identity, "state": JobState.CLAIMED.value}
        with errors_as_ours():
            self._database.jobs.update_one(mine, {"$set": {"in_trash": in_trash}})
