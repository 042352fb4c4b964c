"""Boards, jobs, changes, gaps and conductors as JSON.

Promises: every field is always present, and its value always has its type, whatever a payload
holds. The fields of ``/v1.0`` are those that pollers of the original Canary know, and some more.
Times are ISO 8601 in UTC with milliseconds. Text from a payload is returned as it was stored,
masked and bounded, but not escaped: whoever shows it must treat it as text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from canary.model.freshness import Freshness
from canary.model.jobs import JobState
from canary.model.names import job_sequence, lock_name
from canary.stores.mongo.documents import moment_of
from canary.stores.mongo.shapes import fitting
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.jobs_at import JobSeen

JSON = dict[str, Any]
Fields = Mapping[str, Any]

_UINT64 = 2**64 - 1


def iso(moment: datetime) -> str:
    """Return ``moment`` as ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_iso(moment: datetime | None) -> str | None:
    """Return ``moment`` as ISO 8601 in UTC with milliseconds, or None if it is None."""
    return None if moment is None else iso(moment)


def job(path: str, seen: JobSeen) -> JSON:
    """Return a job of the board at ``path`` as in ``/v1.0/jobs``."""
    document, then = seen.document, seen.then
    name: str = document["name"]
    payload = document["payload"] or {}
    posted = posting(payload)
    book = posted.get("book")
    return {
        "_backend": {},
        "_book": _book(book),
        "_book_data": book if isinstance(book, dict) else None,
        "_created_on": iso(document["at"] or document["seen_at"]),
        "_details": as_object(posted.get("details")),
        "_lock_path": f"{path}/{lock_name(name)}",
        "_name": document["job_name"] or name,
        "_node_not_found": then.state is JobState.COMPLETE,
        "_path": f"{path}/{name}",
        "_root": f"{path}/",
        "_sequence": job_sequence(name) or 0,
        "_uuid": document["uuid"],
        "status": then.state.value,
        "flow_status": [],  # a {task: state} per task; Canary knows none
        "owner": then.owner,
        "outcome": then.outcome.value if then.outcome else None,
        "malformed": as_text(payload.get("malformed")),
        "priority": as_text(posted.get("priority")),
        "posted_at": iso(document["posted_at"]),
        "claimed_at": optional_iso(then.claimed_at),
        "ended_at": optional_iso(then.ended_at),
        "waiting": seconds(then.waiting),
        "running": seconds(then.running),
    }


def board_state(path: str, now: BoardNow | None) -> JSON:
    """Return a board as in the event stream; ``now`` is None if the board was unregistered."""
    return {
        "path": path,
        "registered": now is not None and now.registered,
        "freshness": (now.freshness if now else Freshness.UNWATCHED).value,
        "freshness_since": iso(now.freshness_since) if now else None,
        "watcher": now.watcher if now else None,
        "epoch": now.epoch if now else None,
    }


def change(document: Fields) -> JSON:
    """Return a document of ``changes`` as in ``/v2/changes``.

    A field that may be null may be absent from the document.
    """
    return {
        "path": document["board"],
        "revision": int(document["revision"]),
        "kind": document["kind"],
        "state": document.get("state"),
        "state_before": document.get("state_before"),
        "uuid": document.get("uuid"),
        "name": document["name"],
        "job_name": document.get("job_name"),
        "owner": document.get("owner"),
        "session": hexadecimal(document.get("session")),
        "outcome": document.get("outcome"),
        "at": optional_iso(document.get("at")),
        "seen_at": iso(document["seen_at"]),
        "moment": iso(moment_of(document)),
        "posted_at": optional_iso(document.get("posted_at")),
        "waiting": seconds(document.get("waiting")),
        "running": seconds(document.get("running")),
        "creates": document["creates"],
        "deletes": document["deletes"],
        "edit": _edit(document.get("edit")),
    }


def _edit(edit: Fields | None) -> JSON | None:
    """Return an edit by hand as in ``/v2/changes``, or None if there was none."""
    if edit is None:
        return None
    before, changed = as_object(edit.get("before")), edit.get("changed")
    return {
        "of": "lock" if edit.get("of") == "lock" else "job",
        "edits": fitting(edit.get("edits"), int),
        "before": _edited(before) if before else None,
        "after": _edited(as_object(edit.get("after"))),
        "changed": [
            {
                "field": as_text(each.get("field")) or "",
                "before": as_text(each.get("before")),
                "after": as_text(each.get("after")),
            }
            for each in (changed if isinstance(changed, list) else [])
            if isinstance(each, Mapping)
        ],
    }


def _edited(side: Fields) -> JSON:
    payload = as_object(side.get("payload"))
    return {
        "uuid": as_text(side.get("uuid")),
        "name": as_text(side.get("name")),
        "owner": as_text(side.get("owner")),
        "priority": as_text(payload.get("priority")),
        "malformed": as_text(payload.get("malformed")),
        "size": fitting(payload.get("size"), int),
        "sha256": as_text(payload.get("sha256")),
    }


def gap(document: Fields) -> JSON:
    """Return a document of ``gaps`` as in ``/v2/gaps``."""
    return {
        "path": document["board"],
        "from": iso(document["from"]),
        "to": iso(document["to"]),
        "reason": document["reason"],
        "creates": document.get("creates"),
        "deletes": document.get("deletes"),
    }


def conductors(document: Fields, freshness: Freshness) -> list[JSON]:
    """Return a board's conductors as in ``/v1.0/conductor``.

    ``freshness`` is the board's. Unless it is live, the conductors are those of ``seen_at``.
    """
    found = document.get("conductors")
    return [
        {
            "name": as_text(conductor.get("name")) or "",
            "path": document["_id"],
            "host": as_text(conductor.get("host")),
            "pid": fitting(conductor.get("pid"), int),
            "since": optional_iso(fitting(conductor.get("since"), datetime)),
            "session": hexadecimal(fitting(conductor.get("session"), int)),
            "seen_at": optional_iso(fitting(document.get("seen_at"), datetime)),
            "freshness": freshness.value,
        }
        for conductor in (found if isinstance(found, list) else [])
        if isinstance(conductor, Mapping)
    ]


def posting(payload: Fields) -> JSON:
    """Return a payload as an object, or {} if it is malformed."""
    text = payload.get("text")
    try:
        return as_object(json.loads(text)) if text else {}
    except (ValueError, TypeError, RecursionError):  # not as Canary wrote it
        return {}


def cuts(payload: Fields) -> list[JSON]:
    """Return the places at which a payload was cut."""
    found = payload.get("cuts")
    return [
        {
            "pointer": as_text(cut.get("pointer")) or "",
            "kept": as_number(cut.get("kept")),
            "size": None if cut.get("size") is None else as_number(cut.get("size")),
        }
        for cut in (found if isinstance(found, list) else [])
        if isinstance(cut, Mapping)
    ]


def as_number(value: Any) -> int:
    """Return ``value`` if it is an integer, otherwise 0."""
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else 0


def as_object(value: Any) -> JSON:
    """Return ``value`` if it is an object, otherwise {}."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Return ``value`` if it is text, otherwise None."""
    return value if isinstance(value, str) else None


def _book(book: Any) -> JSON | None:
    if not isinstance(book, dict):
        return None
    return {"name": as_text(book.get("name")), "uuid": as_text(book.get("uuid"))}


def seconds(duration: float | None) -> float | None:
    """Return a duration in seconds, rounded to milliseconds; None if it is None."""
    return None if duration is None else round(duration, 3)


def hexadecimal(session: int | None) -> str | None:
    """Return a session id in hexadecimal, as ZooKeeper's own tools write it."""
    return None if session is None else f"0x{session & _UINT64:x}"
