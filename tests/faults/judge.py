"""What Canary recorded of a board beside what the load's log says that was done there.

``judge`` raises an AssertionError unless all of these hold:

- mirror: the jobs that MongoDB calls alive, their claims and the other children are those on the
  board in ZooKeeper;
- fold: the changes, folded in a legal order, are the jobs; no revision is there twice or missing;
- no invention: every change matches exactly one operation of the log, in order per job;
- the account: what is left of the log, as creates and deletes, is exactly what the gaps say; at
  least that, where a gap says that it can't be known;
- no gap reaches outside the time of the load, nor, unless the load itself was too fast to be seen
  one by one, outside the fault and its recovery.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from pymongo.database import Database

ENDS: Final = {"consumed", "trashed", "removed"}
NODES: Final = {"node_created", "node_deleted"}
BY_LOAD: Final = {"coalesced", "late", "overflow"}  # reasons that need no fault, only a fast load
SLACK: Final = timedelta(seconds=5)  # a pulse a second, and a machine that stands still at times

Key = tuple[int, str]  # a job: the board's incarnation, and its name
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one run; creates and deletes of the board's children, but for the first two.

    ``invented`` are changes without an operation, ``lost`` is what neither changes nor gaps tell.
    """

    operations: int
    changes: int
    made: int
    seen: int
    unseen_creates: int
    unseen_deletes: int
    invented: int
    lost: int
    gaps: tuple[str, ...]


class Wrong(AssertionError):  # noqa: N818 -- it is a verdict
    """Canary told what was not so, or not all; ``verdict`` has the figures."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the operations that were done, in order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_mirror(database: Database[dict[str, Any]], client: KazooClient, board: str) -> bool:
    """Tell whether MongoDB holds what ZooKeeper does; an AssertionError says what differs."""
    jobs = list(database.jobs.find({"board": board, "state": {"$ne": "COMPLETE"}}))
    mirrored = {job["name"] for job in jobs}
    mirrored |= {f"{job['name']}.lock" for job in jobs if job["lock"]}
    mirrored |= {node["name"] for node in database.nodes.find({"board": board})}
    children = set(client.get_children(board)) if client.exists(board) else set()
    assert mirrored == children
    for job in jobs:
        stat = client.exists(f"{board}/{job['name']}")
        assert stat is not None
        assert stat.czxid == job["czxid"]
        if job["lock"]:
            data, lock = client.get(f"{board}/{job['name']}.lock")
            assert (lock.czxid, json.loads(data)["owner"]) == (
                job["lock"]["czxid"],
                job["lock"]["owner"],
            )
    return True


def judge(
    database: Database[dict[str, Any]],
    client: KazooClient,
    board: str,
    log: Path,
    load: Window,
    faults: Sequence[Window],
    *,
    may_be_unknown: bool = False,
) -> Verdict:
    """Compare everything; return the figures. ``load`` and ``faults`` are when they were.

    ``may_be_unknown``: the board was deleted, so that gaps may not know how many they hide. Raises
    Wrong, with the figures, where a change is invented, or something is lost without a word.
    """
    assert is_mirror(database, client, board)
    changes = list(database.changes.find({"board": board}).sort("revision"))
    assert [change["revision"] for change in changes] == list(range(1, len(changes) + 1))
    operations = read_log(log)
    jobs = {job["_id"]: job for job in database.jobs.find({"board": board})}
    invented = _compare(changes, operations, jobs)
    made, seen = (
        [sum(row[count] for row in rows) for count in ("creates", "deletes")]
        for rows in (operations, changes)
    )
    gaps = list(database.gaps.find({"board": board}))
    unseen = [sum(gap[count] or 0 for gap in gaps) for count in ("creates", "deletes")]
    lost = [each - was - not_seen for each, was, not_seen in zip(made, seen, unseen, strict=True)]
    if any(gap["creates"] is None for gap in gaps):
        assert may_be_unknown, f"nobody deleted the board: {gaps}"
        lost = [min(count, 0) for count in lost]
    reasons = tuple(sorted({gap["reason"] for gap in gaps}))
    verdict = Verdict(
        operations=len(operations),
        changes=len(changes),
        made=sum(made),
        seen=sum(seen),
        unseen_creates=unseen[0],
        unseen_deletes=unseen[1],
        invented=len(invented),
        lost=sum(abs(count) for count in lost),
        gaps=reasons,
    )
    if invented or lost != [0, 0]:
        raise Wrong(verdict, f"{invented[:5]}; {made} made, {seen} seen, in the gaps: {gaps}")
    for gap in gaps:
        windows = [load] if gap["reason"] in BY_LOAD else faults
        assert any(
            start - SLACK <= gap["from"] <= gap["to"] <= end + SLACK for start, end in windows
        ), f"{gap} is in none of {windows}"
    document = database.boards.find_one({"_id": board})
    assert document is not None
    assert document["drift"] == 0, "the reconciler had something to mend"
    return verdict


def _compare(
    changes: Sequence[dict[str, Any]],
    operations: Sequence[dict[str, Any]],
    jobs: dict[str, dict[str, Any]],
) -> list[str]:
    """Find each change in the log, and fold each job's into what MongoDB says of it.

    Returns the changes that nothing in the log explains, in words.
    """
    done: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for operation in operations:
        done[operation["incarnation"], operation["name"]].append(operation)
    told: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        if change["kind"] in NODES:
            nodes[change["name"]].append(change)
        else:
            told[jobs[change["job"]]["incarnation"], change["name"]].append(change)
    invented: list[str] = []
    for key, seen in told.items():
        invented += _match(key, seen, done[key])
        _fold(key, seen, jobs[seen[0]["job"]])
    assert len(told) == len(jobs)
    for name, seen in nodes.items():
        rows = [row for (_, each), rows in done.items() if each == name for row in rows]
        invented += _match((0, name), seen, rows)
    return invented


def _match(key: Key, seen: list[dict[str, Any]], done: list[dict[str, Any]]) -> list[str]:
    """Find for each change of a job its own operation, each later than the one before.

    Returns those that have none, in words.
    """
    position, invented = 0, []
    if [change["kind"] for change in seen[-1:]] == ["consumed"] and _is_removed_late(seen, done):
        seen = seen[:-1]
    for change in seen:
        later = range(position, len(done))
        found = next((number for number in later if _is_told(change, done[number])), None)
        if found is None:
            rows = [(row["kind"], row["owner"]) for row in done]
            invented.append(f"{key}: invented {change['kind']}; done: {rows}")
        else:
            position = found + 1
    return invented


def _is_removed_late(seen: list[dict[str, Any]], done: list[dict[str, Any]]) -> bool:
    """Tell whether *consumed* is the one confusion that ``canary.model.rounds`` admits.

    No listing can tell a job that its owner consumed from one that was abandoned and that a hand
    removed before the next look: lock and job are gone, and two deletes are all there were.
    """
    ends = [(operation["kind"], operation["owner"]) for operation in done[-2:]]
    return [kind for kind, _ in ends] == ["abandoned", "removed"] and (
        seen[-1]["owner"] in {None, ends[0][1]}
    )


def _is_told(change: dict[str, Any], operation: dict[str, Any]) -> bool:
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


def _fold(key: Key, changes: list[dict[str, Any]], job: dict[str, Any]) -> None:
    """Fold a job's changes, which must come in a legal order, and compare with its document."""
    after = {
        "posted": "UNCLAIMED",
        "malformed": "UNCLAIMED",
        "claimed": "CLAIMED",
        "abandoned": "UNCLAIMED",
    }
    legal: dict[str, set[str | None]] = {
        "posted": {None},
        "malformed": {None},
        "claimed": {"UNCLAIMED"},
        "abandoned": {"CLAIMED"},
        "removed": {"UNCLAIMED"},
        "consumed": {"CLAIMED"},
        "trashed": {"UNCLAIMED", "CLAIMED"},
        "ended": {"UNCLAIMED", "CLAIMED"},
    }
    assert {change["job"] for change in changes} == {job["_id"]}
    state = None
    for change in changes:
        assert state in legal[change["kind"]], f"{key}: {change['kind']} after {state}"
        state = after.get(change["kind"], "COMPLETE")
    assert job["state"] == state
