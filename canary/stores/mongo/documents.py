"""The documents in MongoDB, field by field, and their conversion from and to the model's values.

Every ``_id`` begins with the board's path, so that collections can be sharded by board.

``boards``      one per board: who watches it (``epoch``, ``writer``), how often it was taken
                (``takes``, which unlike the epoch never goes back), why nobody watches it
                (``released``), its ``revision``, the number of its last write (``writes``, by
                which a writer recognises a write whose answer was lost), the account (``stat``,
                ``seen_at``, ``told``), ``freshness`` and since when, ``watched_since``, the number
                of repairs ever (``drift``), the number of gaps ever, by reason, and the number of
                creates and deletes that were unseen in them (``missed``, if there were any).
``jobs``        one per job, by its znode's czxid: what it is, its state and ``since`` when, claim
                and payload. ``owner`` is who claims it, or did at its end. After its end it has
                ``outcome``, ``ended_at`` and ``ended_seen_at``, from which its time to live counts.
                ``in_trash`` is, for a claimed job, the uuid of another job that is in the trash
                under its name. ``at`` is when it was posted by ZooKeeper's clock; all other
                moments are by Canary's. ``waited`` and ``ran`` are seconds up to ``since``. While a
                job waits or runs, its seconds so far are now less ``waiting_from`` or
                ``running_from``. ``edition``, of the job and of its lock, says which
                data the znode holds; null if nobody has set them since its creation.
``nodes``       one per child of a board that is neither a job nor a job's lock, by its path.
``changes``     the log, one per change, by board and revision: its kind, its time ``at`` by
                ZooKeeper's clock and its ``moment`` by Canary's, the ``state`` of its job
                then and before it, and how long the job had waited and run (``entries``).
                ``found`` if it was so already when Canary first read the board. ``edit`` says
                what an edit has changed (``edits``).
``gaps``        one per interval in which changes were not seen one by one, as they happened.
``conductors``  one per board: the conductors that are registered on it.
``dataset``     one in all: the mark of this data set, which stream ids contain (``dataset``).
``workers``     one per canary-worker: its heartbeat by MongoDB's own clock. Everything that
                happened up to ``until`` on the boards that it watches is stored, except on
                those ``behind``.

Payloads are JSON text, never sub-documents: what is hostile to BSON stays text. Zxids and sessions
are stored as the signed 64-bit numbers that ZooKeeper uses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

from bson import Int64

from canary.model.changes import Gap
from canary.model.conductors import Conductor
from canary.model.jobs import Edition, Job, JobState, Lock
from canary.model.names import change_id
from canary.model.observations import Stat
from canary.model.payload.payload import Payload
from canary.stores.mongo.shapes import NO_MOMENT

Document = dict[str, Any]

#: ``jobs.state`` of the jobs that are on their board.
ON_BOARD: Final = [JobState.UNCLAIMED.value, JobState.CLAIMED.value]


@dataclass(frozen=True, slots=True)
class Behind:
    """A board of which less is stored than its worker's heartbeat says of the others.

    ``takes`` identifies the watch. ``since`` is up to when everything is stored. ``noticed`` is
    when the worker learnt that there is more. A board that is not ``watched`` any more was left
    while MongoDB could not record it.
    """

    board: str
    takes: int
    since: datetime
    noticed: datetime
    watched: bool

    def document(self) -> Document:
        """Return an entry of ``workers.behind``."""
        return {
            "board": self.board,
            "takes": Int64(self.takes),
            "since": self.since,
            "noticed": self.noticed,
            "watched": self.watched,
        }


def long(value: int | None) -> Int64 | None:
    """Return a zxid or a session as MongoDB's 64-bit integer."""
    return None if value is None else Int64(value)


def stat_document(stat: Stat | None) -> Document | None:
    """Return a board's stat as ``boards.stat``."""
    if stat is None:
        return None
    return {
        "czxid": Int64(stat.czxid),
        "pzxid": Int64(stat.pzxid),
        "cversion": stat.cversion,
        "num_children": stat.num_children,
    }


def stat_from(document: Mapping[str, Any] | None) -> Stat | None:
    """Return ``boards.stat`` as a stat."""
    if document is None:
        return None
    return Stat(
        int(document["czxid"]),
        int(document["pzxid"]),
        document["cversion"],
        document["num_children"],
    )


def job_from(document: Mapping[str, Any]) -> Job:
    """Return a document of ``jobs`` that has not ended as a job."""
    lock = document["lock"]
    return Job(
        document["name"],
        document["czxid"],
        document["uuid"],
        document["job_name"],
        document["at"],
        document["seen_at"],
        lock_from(lock) if lock else None,
        edition_from(document.get("edition")),
    )


def moment_of(change: Mapping[str, Any]) -> datetime:
    """Return when a document of ``changes`` happened, by Canary's clock.

    Older documents do not hold that. Then ZooKeeper's time is returned, or ``seen_at`` without one.
    """
    told = (change.get(name) for name in ("moment", "at", "seen_at"))
    return next((each for each in told if isinstance(each, datetime)), NO_MOMENT)


def lock_from(document: Mapping[str, Any]) -> Lock:
    """Return ``jobs.lock`` as a lock."""
    return Lock(
        document["czxid"],
        document["owner"],
        document["session"],
        document["at"],
        edition_from(document.get("edition")),
    )


def edition_document(edition: Edition | None) -> Document | None:
    """Return an edition as ``jobs.edition`` or ``jobs.lock.edition``."""
    if edition is None:
        return None
    return {"version": edition.version, "mzxid": Int64(edition.mzxid), "at": edition.at}


def edition_from(document: Mapping[str, Any] | None) -> Edition | None:
    """Return a stored edition, or None; documents from before editions existed have none."""
    if document is None:
        return None
    return Edition(document["version"], int(document["mzxid"]), document["at"])


def conductors_document(
    board: str, epoch: int, takes: int, conductors: Iterable[Conductor], now: datetime
) -> Document:
    """Return a board's conductors as a document of ``conductors``."""
    return {
        "_id": board,
        "board": board,
        "epoch": Int64(epoch),
        "takes": Int64(takes),
        "seen_at": now,
        "conductors": [
            {
                "name": conductor.name,
                "host": conductor.host,
                "pid": long(conductor.pid),
                "since": conductor.since,
                "session": Int64(conductor.session),
            }
            for conductor in conductors
        ],
    }


def gap_document(board: str, write: int, number: int, gap: Gap) -> Document:
    """Return a gap as a document of ``gaps``.

    ``write`` is the number of the write that contains it (``boards.writes``); ``number`` is its
    place in that write. So no two gaps have the same id, even at one revision.
    """
    start, end = (int(moment.timestamp() * 1000) for moment in (gap.start, gap.end))
    return {
        "_id": f"{change_id(board, write)}/{start:x}-{end:x}/{number}",
        "board": board,
        "from": gap.start,
        "to": gap.end,
        "reason": gap.reason.value,
        "creates": gap.creates,
        "deletes": gap.deletes,
    }


def node_document(board: str, name: str) -> Document:
    """Return a child of a board that is no job as a document of ``nodes``."""
    # By its path, unlike jobs: anybody may choose its name, which can contain a #.
    return {"_id": f"{board}/{name}", "board": board, "name": name}


def has(document: Document | None, values: Mapping[str, Any]) -> TypeGuard[Document]:
    """Return whether there is a document, with these values."""
    return document is not None and all(
        name in document and document[name] == value for name, value in values.items()
    )


def payload_document(payload: Payload | None) -> Document | None:
    """Return a payload as ``jobs.payload``."""
    if payload is None:
        return None
    return {
        "text": payload.text,
        "malformed": payload.malformed,
        "excerpt": payload.excerpt,
        "size": payload.size,
        "sha256": payload.sha256,
        "truncated": payload.truncated,
        "cuts": [
            {"pointer": cut.pointer, "kept": cut.kept, "size": cut.size} for cut in payload.cuts
        ],
        "cut_count": payload.cut_count,
    }
