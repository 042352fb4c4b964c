"""How boards, jobs, changes, gaps and conductors look in JSON.

Promises: each name is always there, and its value always of its type, whatever a payload holds;
those of ``/v1.0`` are what pollers of the original Canary know, and more beside; times are ISO 8601
in UTC with milliseconds. Text of a payload is passed on as it was stored, masked and bounded: who
shows it treats it as text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from canary.model.freshness import Freshness
from canary.model.jobs import JobState
from canary.model.names import job_sequence, lock_name
from canary.stores.boards import BoardNow
from canary.stores.reading import JobSeen

JSON = dict[str, Any]
Fields = Mapping[str, Any]

_UINT64 = 2**64 - 1


def iso(moment: datetime) -> str:
    """Return ``moment`` as ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_iso(moment: datetime | None) -> str | None:
    """Return ``moment`` as ISO 8601 in UTC, None as None."""
    return None if moment is None else iso(moment)


def job(path: str, seen: JobSeen) -> JSON:
    """Return a job of the board at ``path`` as one of ``/v1.0/jobs``."""
    document, then = seen.document, seen.then
    name: str = document["name"]
    payload = document["payload"] or {}
    posted = posting(payload)
    book = posted.get("book")
    posted_at = document["at"] or document["seen_at"]
    return {
        "_backend": {},
        "_book": _book(book),
        "_book_data": book if isinstance(book, dict) else None,
        "_created_on": iso(posted_at),
        "_details": as_object(posted.get("details")),
        "_lock_path": f"{path}/{lock_name(name)}",
        "_name": document["job_name"] or name,
        "_node_not_found": then.state is JobState.COMPLETE,
        "_path": f"{path}/{name}",
        "_root": f"{path}/",
        "_sequence": job_sequence(name) or 0,
        "_uuid": document["uuid"],
        "status": then.state.value,
        "owner": then.owner,
        "outcome": then.outcome.value if then.outcome else None,
        "malformed": payload.get("malformed"),
        "priority": as_text(posted.get("priority")),
        "posted_at": iso(posted_at),
        "claimed_at": optional_iso(then.claimed_at),
        "ended_at": optional_iso(then.ended_at),
        "waiting": seconds(then.waiting),
        "running": seconds(then.running),
    }


def board_state(path: str, now: BoardNow | None) -> JSON:
    """Return a board as the event stream tells it; None stands for one that was unregistered."""
    return {
        "path": path,
        "registered": now is not None and now.registered,
        "freshness": (now.freshness if now else Freshness.UNWATCHED).value,
        "freshness_since": iso(now.freshness_since) if now else None,
        "watcher": now.watcher if now else None,
        "epoch": now.epoch if now else None,
    }


def change(document: Fields) -> JSON:
    """Return a document of ``changes`` as one of ``/v2/changes``."""
    return {
        "path": document["board"],
        "revision": int(document["revision"]),
        "kind": document["kind"],
        "state": document["state"],
        "state_before": document["state_before"],
        "uuid": document["uuid"],
        "name": document["name"],
        "job_name": document["job_name"],
        "owner": document["owner"],
        "session": hexadecimal(document["session"]),
        "outcome": document["outcome"],
        "at": optional_iso(document["at"]),
        "seen_at": iso(document["seen_at"]),
        "posted_at": optional_iso(document["posted_at"]),
        "waiting": seconds(document["waiting"]),
        "running": seconds(document["running"]),
        "creates": document["creates"],
        "deletes": document["deletes"],
    }


def gap(document: Fields) -> JSON:
    """Return a document of ``gaps`` as one of ``/v2/gaps``."""
    return {
        "path": document["board"],
        "from": iso(document["from"]),
        "to": iso(document["to"]),
        "reason": document["reason"],
        "creates": document["creates"],
        "deletes": document["deletes"],
    }


def conductors(document: Fields, freshness: Freshness) -> list[JSON]:
    """Return a board's conductors as those of ``/v1.0/conductor``.

    ``freshness`` is the board's: what is not live is what they were at ``seen_at``.
    """
    return [
        {
            "name": conductor["name"],
            "path": document["board"],
            "host": conductor.get("host"),
            "pid": conductor.get("pid"),
            "since": optional_iso(conductor.get("since")),
            "session": hexadecimal(conductor.get("session")),
            "seen_at": iso(document["seen_at"]),
            "freshness": freshness.value,
        }
        for conductor in document["conductors"]
    ]


def posting(payload: Fields) -> JSON:
    """Return the object that a payload is, {} for one that is malformed."""
    text = payload.get("text")
    return as_object(json.loads(text)) if text else {}


def as_object(value: Any) -> JSON:
    """Return ``value`` if it is an object, else {}."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Return ``value`` if it is text, else None."""
    return value if isinstance(value, str) else None


def _book(book: Any) -> JSON | None:
    if not isinstance(book, dict):
        return None
    return {"name": as_text(book.get("name")), "uuid": as_text(book.get("uuid"))}


def seconds(duration: float | None) -> float | None:
    """Return a duration to the millisecond."""
    return None if duration is None else round(duration, 3)


def hexadecimal(session: int | None) -> str | None:
    """Return a session as ZooKeeper's own tools write it."""
    return None if session is None else f"0x{session & _UINT64:x}"
