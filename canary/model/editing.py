"""Edits: somebody sets the data of a job or of its lock, which TaskFlow writes only once.

The znode's stat shows edits: its version counts them, and it has the zxid and time of the last one.
An edit neither creates nor deletes a child of the board, so no account counts it. What was there
between two edits without a round in between is unknown.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from canary.model.changes import Change, Edit, Kind
from canary.model.jobs import Edition, Job, Lock
from canary.model.observations import JobRead, LockRead, Unread
from canary.model.payload.payload import Payload

MAX_DIFFERENCES: Final = 20  # recorded per edit
MAX_SHOWN: Final = 200  # characters of a value, or of its field
CUT: Final = "…"


def edited(job: Job, change: Change) -> Job:
    """Return ``job`` as it is after a change that is an edit."""
    edit = change.edit
    if edit is None:
        return job
    if not edit.of_lock:
        name = change.payload.name if change.payload else None
        return replace(job, uuid=change.uuid, job_name=name or job.job_name, edition=edit.edition)
    if job.lock is None:
        return job
    return replace(job, lock=replace(job.lock, owner=change.owner, edition=edit.edition))


def edits_of(
    job: Job,
    known: Job | None,
    read: JobRead | Unread | None,
    lock_read: LockRead | Unread | None,
    incarnation: int,
    seen_at: datetime,
) -> Iterator[Change]:
    """Yield the edits of ``job`` and its lock as changes, in an order that is legal.

    ``known`` is what was known under its name before; ``job`` is the job now, without its edits.
    """
    is_known = known is not None and (known.czxid, known.at) == (job.czxid, job.at)
    lock = job.lock
    is_claim_known = known is not None and lock is known.lock
    if isinstance(read, JobRead) and _is_same(job, read) and _is_edited(job, read):
        is_later = lock and read.edition and (lock.czxid or 0) > read.edition.mzxid
        then = replace(job, lock=None) if is_later and not is_claim_known else job
        edit = _edit(then, job.edition, read.edition, of_lock=False, is_first=not is_known)
        yield _change(then, read.payload, edit, incarnation, seen_at)
        job = replace(job, uuid=_uuid(job, read.payload))
    if lock is None or not isinstance(lock_read, LockRead) or not _is_same(lock, lock_read):
        return
    if lock_read.edition != lock.edition:
        is_first = not is_claim_known
        edit = _edit(job, lock.edition, lock_read.edition, of_lock=True, is_first=is_first)
        after = replace(job, lock=replace(lock, owner=lock_read.owner))
        yield _change(after, None, edit, incarnation, seen_at)


def _is_same(known: Job | Lock, read: JobRead | LockRead) -> bool:
    return known.czxid is not None and (read.czxid, read.at) == (known.czxid, known.at)


def _is_edited(job: Job, read: JobRead) -> bool:
    """Return whether a job's data are other than the known data.

    The edition says so. If uuid or name differ although the edition says that nobody ever edited
    the data, an ensemble was restored: the edit that is gone was recorded in part.
    """
    if read.edition is not None or job.edition is not None:
        return read.edition != job.edition
    return read.payload is not None and is_of_another(job, read.payload)


def is_of_another(job: Job, payload: Payload) -> bool:
    """Return whether a readable payload has another uuid or name than ``job``."""
    told = payload.uuid, payload.name
    return payload.malformed is None and told != (job.uuid, job.job_name)


def _uuid(job: Job, payload: Payload | None) -> str | None:
    return (payload.uuid if payload else None) or job.uuid


def _edit(
    job: Job, before: Edition | None, after: Edition | None, *, of_lock: bool, is_first: bool
) -> Edit:
    versions = [edition.version if edition else 0 for edition in (before, after)]
    zxids = [edition.mzxid if edition else 0 for edition in (before, after)]
    # Both only grow, unless an ensemble was restored.
    is_later = versions[0] < versions[1] and zxids[0] < zxids[1]
    edits = versions[1] - versions[0] if is_later else None
    owner = job.lock.owner if job.lock else None
    return Edit(after, edits, of_lock, is_first, job.uuid, owner)


def _change(
    job: Job, payload: Payload | None, edit: Edit, incarnation: int, seen_at: datetime
) -> Change:
    lock = job.lock
    return Change(
        Kind.EDITED,
        job.name,
        incarnation,
        job.czxid,
        job.uuid if edit.of_lock else _uuid(job, payload),
        edit.edition.at if edit.edition else None,
        seen_at,
        owner=lock.owner if lock else None,
        session=lock.session if lock else None,
        lock_czxid=lock.czxid if lock else None,
        payload=payload,
        made_at=job.made_at,
        edit=edit,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that an edit changed: its field, and both values as JSON, None if absent."""

    field: str
    before: str | None
    after: str | None


def differences(before: str | None, after: str | None) -> list[Difference]:
    """Return how two payloads differ in the form that is kept: masked, cut and bounded.

    The list is empty if one of them is None. What is masked or was cut in both may differ all the
    same.
    """
    if before is None or after is None:
        return []
    return list(_differences("", json.loads(before), json.loads(after), [MAX_DIFFERENCES]))


_NONE: Final = object()


def _differences(where: str, before: Any, after: Any, left: list[int]) -> Iterator[Difference]:
    if not left[0] or _is_equal(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            inner = f"{where}.{key}" if where else key
            yield from _differences(inner, before.get(key, _NONE), after.get(key, _NONE), left)
    else:
        left[0] -= 1
        yield Difference(_cut(where), _shown(before), _shown(after))


def _is_equal(before: Any, after: Any) -> bool:
    """Return whether two values are the same in JSON: to Python, 1 is equal to true."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _is_equal(value, after[key]) for key, value in before.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_is_equal, before, after))
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)


def _shown(value: Any) -> str | None:
    return None if value is _NONE else _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + CUT
