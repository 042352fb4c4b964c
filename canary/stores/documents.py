"""The documents in MongoDB, field by field, and how the model's values become them and come back.

Every ``_id`` begins with the board's path, so that collections can be sharded by board.

``boards``      one a board: who watches it (``epoch``, ``writer``), how often it was taken
                (``takes``, which unlike the epoch never goes back), why nobody watches it
                (``released``), its ``revision``, the account (``stat``, ``seen_at``, ``told``),
                ``freshness`` since when, ``watched_since``, how much ever had to be mended
                (``drift``), how many gaps there ever were, by reason, and how many creates and
                deletes were unseen in them (``missed``, where there were any).
``jobs``        one a job, by its znode's czxid: what it is, its state ``since`` when, claim and
                payload; ``owner`` is who claims it, or did at its end; after its end ``outcome``
                and ``ended_at`` (ZooKeeper's clock where it tells) and ``ended_seen_at``
                (Canary's), from which its time to live counts. ``waited`` and ``ran`` are seconds
                up to ``since``; of a job that waits or runs, now less ``waiting_from`` or
                ``running_from`` is for how long it has by now.
``nodes``       one a child of a board that is neither a job nor a job's lock, by its path.
``changes``     the log, one a change, by board and revision: what it was, which ``state`` its job
                was in then and before it, and for how long it had waited and run (``entries``);
                ``found`` where it was so already when Canary first looked at the board.
``gaps``        one an interval in which changes were not seen one by one, as they happened.
``conductors``  one a board: the conductors that are registered on it.
``workers``     one a canary-worker: its heartbeat by MongoDB's own clock; everything is stored that
                happened ``until`` a moment on the boards that it watches, but for those ``behind``.

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
from canary.model.jobs import Job, JobState, Lock
from canary.model.names import change_id
from canary.model.observations import Stat
from canary.model.payload import Payload

Document = dict[str, Any]

#: ``jobs.state`` of the jobs that are on their board.
ON_BOARD: Final = [JobState.UNCLAIMED.value, JobState.CLAIMED.value]


@dataclass(frozen=True, slots=True)
class Behind:
    """A board of which less is stored than its worker's heartbeat says of the others.

    ``takes`` tells which watch of it that is about; ``since`` is up to when all is stored, and
    ``noticed`` when it was learnt that there is more. One that is not ``watched`` any more was left
    without MongoDB's taking notice.
    """

    board: str
    takes: int
    since: datetime
    noticed: datetime
    watched: bool

    def document(self) -> Document:
        """Return it as an entry of ``workers.behind``."""
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
        Lock(lock["czxid"], lock["owner"], lock["session"], lock["at"]) if lock else None,
    )


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


def gap_document(board: str, revision: int, number: int, gap: Gap) -> Document:
    """Return a gap as a document of ``gaps``; ``revision`` is the one that it was written with.

    Several writes may bring gaps and no change, at one revision: its interval is in its identity.
    """
    start, end = (int(moment.timestamp() * 1000) for moment in (gap.start, gap.end))
    return {
        "_id": f"{change_id(board, revision)}/{start:x}-{end:x}/{number}",
        "board": board,
        "from": gap.start,
        "to": gap.end,
        "reason": gap.reason.value,
        "creates": gap.creates,
        "deletes": gap.deletes,
    }


def node_document(board: str, name: str) -> Document:
    """Return a child of a board that is no job as a document of ``nodes``."""
    # By its path and not like jobs: its name, which anybody may choose, can have a # in it.
    return {"_id": f"{board}/{name}", "board": board, "name": name}


def has(document: Document | None, values: Mapping[str, Any]) -> TypeGuard[Document]:
    """Tell whether there is a document, with these values."""
    return document is not None and all(document[name] == values[name] for name in values)


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
    }
