"""What Canary recorded of a board beside what the load's log says that was done there.

``judge`` finds fault unless all of these hold:

- mirror: the jobs that MongoDB calls alive, their claims and the other children are those on the
  board in ZooKeeper;
- edits: of each job on the board the last edition is stored, with the hash of its data, and the
  edits that were told are as many as ZooKeeper counts, where that is known;
- fold: the changes, folded in a legal order, are the jobs; no revision is there twice or missing;
- no invention: every change matches exactly one operation of the log, in order per job; of the
  edits of a job, which may be told late and several as one, there are no more than were made;
- the account (``account``): what is left of the log, as creates and deletes, is exactly what the
  gaps say;
- the board's document counts the gaps, and the unseen in them, as they are;
- no gap reaches outside the time of the load, nor, unless the load itself was too fast to be seen
  one by one, outside the fault and its recovery;
- the reconciler found nothing to mend.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import ZnodeStat
from pymongo.database import Database

from tests.faults.account import Course, account
from tests.faults.findings import Finding, Verdict, What

ENDS: Final = {"consumed", "trashed", "removed"}
NODES: Final = {"node_created", "node_deleted"}
EDITED: Final = "edited"  # moves nothing, and may be told late
BY_LOAD: Final = {"coalesced", "late", "overflow"}  # reasons that need no fault, only a fast load
SLACK: Final = timedelta(seconds=5)  # a pulse a second, and a machine that stands still at times
AFTER: Final = {
    "posted": "UNCLAIMED",
    "malformed": "UNCLAIMED",
    "claimed": "CLAIMED",
    "abandoned": "UNCLAIMED",
}
LEGAL: Final[dict[str, set[str | None]]] = {
    "posted": {None},
    "malformed": {None},
    "claimed": {"UNCLAIMED"},
    "abandoned": {"CLAIMED"},
    EDITED: {"UNCLAIMED", "CLAIMED"},
    "removed": {"UNCLAIMED"},
    "consumed": {"CLAIMED"},
    "trashed": {"UNCLAIMED", "CLAIMED"},
    "ended": {"UNCLAIMED", "CLAIMED"},
}

Key = tuple[int, str]  # a job: the board's incarnation, and its name
Row = dict[str, Any]


def read_log(path: Path) -> list[Row]:
    """Return the operations that were done, in order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def mirror(database: Database[Row], client: KazooClient, board: str) -> Iterator[Finding]:
    """Yield in what MongoDB differs from ZooKeeper. Raises what kazoo does."""
    jobs = list(database.jobs.find({"board": board, "state": {"$ne": "COMPLETE"}}))
    mirrored = {job["name"] for job in jobs}
    mirrored |= {f"{job['name']}.lock" for job in jobs if job["lock"]}
    mirrored |= {node["name"] for node in database.nodes.find({"board": board})}
    children = set(client.get_children(board)) if client.exists(board) else set()
    if mirrored != children:
        more, less = sorted(mirrored - children), sorted(children - mirrored)
        yield Finding(What.MIRROR, f"too many: {more}; missing: {less}")
        return
    for job in jobs:
        stat = client.exists(f"{board}/{job['name']}")
        if stat is None or stat.czxid != job["czxid"]:
            yield Finding(What.MIRROR, f"{job['name']} is another one")
        if job["lock"]:
            data, lock = client.get(f"{board}/{job['name']}.lock")
            held = (lock.czxid, json.loads(data)["owner"])
            if held != (job["lock"]["czxid"], job["lock"]["owner"]):
                yield Finding(What.MIRROR, f"{job['name']} is claimed by {held}: {job['lock']}")


def is_mirror(database: Database[Row], client: KazooClient, board: str) -> bool:
    """Tell whether MongoDB holds what ZooKeeper does."""
    return not any(mirror(database, client, board))


def edits(database: Database[Row], client: KazooClient, board: str) -> Iterator[Finding]:
    """Yield which edits of jobs on the board are lost. Raises what kazoo does.

    An edit may be told as late as when the board is compared next: ask after that.
    """
    for job in database.jobs.find({"board": board, "state": {"$ne": "COMPLETE"}}):
        told = list(database.changes.find({"job": job["_id"], "kind": EDITED}))
        try:
            data, stat = client.get(f"{board}/{job['name']}")
        except NoNodeError:
            continue  # which ``mirror`` tells
        yield from edits_of(job, told, data, stat)


def edits_of(job: Row, told: Sequence[Row], data: bytes, stat: ZnodeStat) -> Iterator[Finding]:
    """Yield in what a job's document, or what was ``told`` of its edits, is not what is there."""
    if stat.czxid != job["czxid"]:
        return  # which ``mirror`` tells, too
    edition = job["edition"] or {"version": 0, "mzxid": stat.czxid}
    stored, there = (edition["version"], edition["mzxid"]), (stat.version, stat.mzxid)
    if stored != there:
        yield Finding(What.EDIT, f"{job['name']}: edition {stored} is stored, {there} is there")
    digest = hashlib.sha256(data).hexdigest()
    if (job["payload"] or {}).get("sha256") != digest:
        yield Finding(What.EDIT, f"{job['name']}: the payload that is stored is not {data!r}")
    counts = [each["edit"]["edits"] for each in told if each["edit"]["of"] == "job"]
    if None not in counts and sum(counts) != stat.version:
        yield Finding(What.EDIT, f"{job['name']}: {counts} edits are told, of {stat.version}")


def judge(
    database: Database[Row], client: KazooClient, board: str, log: Path, course: Course
) -> Verdict:
    """Compare everything."""
    findings = [*mirror(database, client, board), *edits(database, client, board)]
    changes = list(database.changes.find({"board": board}).sort("revision"))
    if [change["revision"] for change in changes] != list(range(1, len(changes) + 1)):
        findings.append(Finding(What.FOLD, "a revision is there twice, or missing"))
    operations = read_log(log)
    jobs = {job["_id"]: job for job in database.jobs.find({"board": board})}
    wrong = list(_compare(changes, operations, jobs))
    gaps = list(database.gaps.find({"board": board}))
    told = account(operations, changes, gaps, course)
    if told.lost or told.beyond:
        findings.append(Finding(What.LOST, f"{told}; in the gaps: {gaps}"))
    findings += wrong
    findings += _windows(gaps, course)
    document = database.boards.find_one({"_id": board}) or {"drift": 0}
    findings += counts(document, gaps)
    if document["drift"]:
        findings.append(Finding(What.DRIFT, f"{document['drift']} differences"))
    return Verdict(
        len(operations),
        len(changes),
        told.made,
        told.seen,
        told.unseen,
        told.beyond + sum(finding.what is What.INVENTED for finding in wrong),
        told.lost,
        tuple(sorted({gap["reason"] for gap in gaps})),
        tuple(findings),
    )


def counted(board: Row) -> Row:
    """Return what a board's document counts of its gaps, with what is not there as 0."""
    missed = board.get("missed", {})
    by_reason = {f"gaps.{reason}": count for reason, count in missed.get("gaps", {}).items()}
    return by_reason | {name: missed.get(name, 0) for name in ("creates", "deletes")}


def counts(board: Row, gaps: Sequence[Row]) -> Iterator[Finding]:
    """Yield in what a board's document counts other gaps than there are."""
    there = Counter(f"gaps.{gap['reason']}" for gap in gaps)
    there["creates"] = sum(gap["creates"] or 0 for gap in gaps)
    there["deletes"] = sum(gap["deletes"] or 0 for gap in gaps)
    told = counted(board)
    for name in sorted(there.keys() | told.keys()):
        if told.get(name, 0) != there[name]:
            words = f"{name}: {told.get(name, 0)} in the board's document, {there[name]} in gaps"
            yield Finding(What.COUNTED, words)


def _windows(gaps: Sequence[Row], course: Course) -> Iterator[Finding]:
    """Yield which gaps are where none may be, or say that they do not know what they could."""
    for gap in gaps:
        windows = [course.load] if gap["reason"] in BY_LOAD else course.faults
        if not any(
            start - SLACK <= gap["from"] <= gap["to"] <= end + SLACK for start, end in windows
        ):
            yield Finding(What.GAP, f"{gap} is in none of {windows}")
        if gap["creates"] is None and gap["reason"] not in course.unknowable:
            yield Finding(What.GAP, f"{gap} could be counted")


def _compare(
    changes: Sequence[Row], operations: Sequence[Row], jobs: dict[str, Row]
) -> Iterator[Finding]:
    """Find each change in the log, and fold each job's into what MongoDB says of it."""
    done: dict[Key, list[Row]] = defaultdict(list)
    for operation in operations:
        done[operation["incarnation"], operation["name"]].append(operation)
    told: dict[str, list[Row]] = defaultdict(list)
    nodes: dict[str, list[Row]] = defaultdict(list)
    for change in changes:
        if change["kind"] in NODES:
            nodes[change["name"]].append(change)
        else:
            told[change["job"]].append(change)
    for identity, seen in told.items():
        job = jobs.get(identity)
        if job is None:
            yield Finding(What.FOLD, f"{identity} has changes and no document")
            continue
        key = (job["incarnation"], job["name"])
        yield from _match(key, seen, _of_one(done[key], job["uuid"]))
        yield from _fold(key, seen, job)
    for identity in jobs.keys() - told.keys():
        yield Finding(What.FOLD, f"{identity} has a document and no changes")
    for name, seen in nodes.items():
        rows = [row for (_, each), rows in done.items() if each == name for row in rows]
        yield from _match((0, name), seen, rows)


def _of_one(done: list[Row], uuid: str | None) -> list[Row]:
    """Return the operations on the job with that uuid, of those on all jobs of one name.

    A restored ensemble gives a name out twice within one incarnation of the board. Without a uuid,
    which Canary could not read, it may have been any of them.
    """
    mine = [row for row in done if row["uuid"] == uuid]
    return mine or done


def _match(key: Key, seen: list[Row], done: list[Row]) -> Iterator[Finding]:
    """Find for each change of a job its own operation, each later than the one before."""
    edits = sum(change["edit"]["edits"] or 0 for change in seen if change["kind"] == EDITED)
    if edits > (made := sum(row["kind"] == EDITED for row in done)):
        yield Finding(What.INVENTED, f"{key}: {edits} edits, of {made}")
    seen, done = ([each for each in rows if each["kind"] != EDITED] for rows in (seen, done))
    position = 0
    if [change["kind"] for change in seen[-1:]] == ["consumed"] and _is_removed_late(seen, done):
        seen = seen[:-1]
    for change in seen:
        found = position
        while found < len(done) and not _is_told(change, done[found]):
            found += 1
        if found < len(done):
            position = found + 1
            continue
        rows = [(row["kind"], row["owner"]) for row in done]
        yield Finding(What.INVENTED, f"{key}: {change['kind']} by {change['owner']}; done: {rows}")


def _is_removed_late(seen: list[Row], done: list[Row]) -> bool:
    """Tell whether *consumed* is the one confusion that ``canary.model.rounds`` admits.

    No listing can tell a job that its owner consumed from one that was abandoned and that a hand
    removed before the next look: lock and job are gone, and two deletes are all there were.
    """
    ends = [(operation["kind"], operation["owner"]) for operation in done[-2:]]
    return [kind for kind, _ in ends] == ["abandoned", "removed"] and (
        seen[-1]["owner"] in {None, ends[0][1]}
    )


def _is_told(change: Row, operation: Row) -> bool:
    if change["kind"] == "ended":
        return operation["kind"] in ENDS
    if operation["kind"] == "malformed" and change["kind"] == "posted":
        return change["uuid"] is None  # it was gone before it could be read
    if change["kind"] != operation["kind"]:
        return False
    if change["uuid"] not in {None, operation["uuid"]}:
        return False
    if change["kind"] in {"claimed", "abandoned"}:
        return change["owner"] in {None, operation["owner"]}
    return True


def _fold(key: Key, changes: list[Row], job: Row) -> Iterator[Finding]:
    """Fold a job's changes, which must come in a legal order, and compare with its document."""
    state = None
    for change in changes:
        if state not in LEGAL[change["kind"]]:
            yield Finding(What.FOLD, f"{key}: {change['kind']} after {state}")
        if change["kind"] != EDITED:
            state = AFTER.get(change["kind"], "COMPLETE")
    if job["state"] != state:
        yield Finding(What.FOLD, f"{key}: its changes say {state}, its document {job['state']}")
