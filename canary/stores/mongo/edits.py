"""How an edit is stored in its change: what was there before, and what is there since.

In a document of ``changes``, ``edit`` is null unless the change is an edit. It holds ``of`` (a job
or a lock), ``edits`` (how many edits it stands for), ``before`` and ``after`` (the job's uuid, name
and payload, and its claim's owner), and ``changed`` (the differences between them). ``before`` is
null if nobody knows what was there.

The payload before an edit is in the job's document, which holds only the latest one. So it is read
in the transaction that writes the new one. If the job is posted in that same transaction, the
payload before is the one that it was posted with.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from canary.model.changes import Change, Edit, Kind
from canary.model.editing import Difference, differences
from canary.stores.mongo.documents import Document, moment_of, payload_document


def edit_document(edit: Edit, change: Change, was: str | None, name: str | None) -> Document:
    """Return an edit as ``changes.edit``.

    ``was`` and ``name`` are the job's name before and after. ``complete`` adds the payload before
    the edit later.
    """
    before: Document = {"uuid": edit.uuid, "name": was, "owner": edit.owner, "payload": None}
    after: Document = {"uuid": change.uuid, "name": name, "owner": change.owner, "payload": None}
    changed = []
    if edit.of_lock and not edit.is_first and edit.owner != change.owner:
        changed = [_difference(Difference("owner", _json(edit.owner), _json(change.owner)))]
    if not edit.of_lock:
        after["payload"] = payload_document(change.payload)
    return {
        "of": "lock" if edit.of_lock else "job",
        "edits": edit.edits,
        "before": None if edit.is_first else before,
        "after": after,
        "changed": changed,
    }


def complete(
    database: Database[Document],
    log: Sequence[Document],
    posted: Mapping[str, Document | None],
    session: ClientSession,
) -> None:
    """Add to the edits of ``log``, changes in order, what was there before each.

    ``posted`` are the payloads of jobs that are posted in ``log`` itself, by the change's id.
    """
    edits = [each for each in log if each["edit"] and each["edit"]["of"] == "job"]
    if not edits:
        return
    names = sorted({each["job"] for each in edits})
    stored = database.jobs.find({"_id": {"$in": names}}, ["payload"], session=session)
    payloads: dict[str, Document | None] = {each["_id"]: each.get("payload") for each in stored}
    for each in log:
        edit, job = each["edit"], each["job"]
        if each["_id"] in posted:
            payloads[job] = posted[each["_id"]]
        if not edit or edit["of"] != "job":
            continue
        before, after = edit["before"], edit["after"]["payload"]
        if before is not None:
            before["payload"] = _with_priority(payloads.get(job))
            texts = (payload["text"] if payload else None for payload in (before["payload"], after))
            edit["changed"] = [_difference(found) for found in differences(*texts)]
        payloads[job] = after
        # The job's document holds the text, or the next edit does.
        told = _with_priority(after)
        edit["after"]["payload"] = told and {name: told[name] for name in _TOLD}


def unedited(
    database: Database[Document],
    board: str,
    jobs: Sequence[Document],
    at: datetime,
    session: ClientSession,
) -> list[Document]:
    """Return documents of ``jobs`` as they were at ``at``, as far as the log of changes says."""
    match: Document = {"board": board, "job": {"$in": [job["_id"] for job in jobs]}}
    match |= {"kind": Kind.EDITED.value, "edit.of": "job"}
    edits = database.changes.find(match, session=session).sort("revision", -1)
    before: dict[str, Document] = {}
    for each in edits:  # the last one read is the first after that moment
        held = each["edit"].get("before") if isinstance(each["edit"], dict) else None
        is_sound = isinstance(held, dict) and isinstance(each["job"], str)
        if held and is_sound and moment_of(each) > at:
            names = {"uuid": held.get("uuid"), "job_name": held.get("name")}
            before[each["job"]] = names | {"payload": held.get("payload")}
    return [job | before.get(str(job["_id"]), {}) for job in jobs]


_TOLD: Final = ("malformed", "size", "sha256", "priority")


def _with_priority(payload: Document | None) -> Document | None:
    if payload is None:
        return None
    posted = json.loads(payload["text"]) if payload["text"] else {}
    return payload | {"priority": posted.get("priority")}


def _difference(found: Difference) -> Document:
    return {"field": found.field, "before": found.before, "after": found.after}


def _json(value: str | None) -> str | None:
    return None if value is None else json.dumps(value)
