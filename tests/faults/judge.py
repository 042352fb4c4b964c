"""What Canary recorded of a board beside what the load's log says that was done there.

``judge`` raises an AssertionError unless all of these hold:

- mirror: the jobs that MongoDB calls alive, their claims and the other children are those on the
  board in ZooKeeper;
- fold: the changes, folded in order, are the jobs;
- no invention: every change matches exactly one operation of the log, in order per job;
- the account: what is left of the log, as creates and deletes, is exactly what the gaps say.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from pymongo.database import Database

ENDS: Final = {"consumed", "trashed", "removed"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one run."""

    operations: int
    changes: int
    unseen_creates: int
    unseen_deletes: int
    gaps: tuple[str, ...]


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
    database: Database[dict[str, Any]], client: KazooClient, board: str, log: Path
) -> Verdict:
    """Compare everything; return the figures."""
    assert is_mirror(database, client, board)
    changes = list(database.changes.find({"board": board}).sort("revision"))
    assert [change["revision"] for change in changes] == list(range(1, len(changes) + 1))
    done: dict[str, list[dict[str, Any]]] = defaultdict(list)
    operations = read_log(log)
    for operation in operations:
        done[operation["name"]].append(operation)
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        told[change["name"]].append(change)
    for name, seen in told.items():
        _match(name, seen, done[name])
    _fold(database, board, told)
    left = [
        sum(operation[count] for operation in operations) - sum(change[count] for change in changes)
        for count in ("creates", "deletes")
    ]
    gaps = list(database.gaps.find({"board": board}))
    creates, deletes = (sum(gap[count] for gap in gaps) for count in ("creates", "deletes"))
    assert left == [creates, deletes], f"left of the log {left}, in the gaps: {gaps}"
    reasons = tuple(sorted({gap["reason"] for gap in gaps}))
    return Verdict(len(operations), len(changes), creates, deletes, reasons)


def _match(name: str, seen: list[dict[str, Any]], done: list[dict[str, Any]]) -> None:
    """Find for each change of a job its own operation, each later than the one before."""
    position = 0
    if [change["kind"] for change in seen[-1:]] == ["consumed"] and _is_removed_late(seen, done):
        seen = seen[:-1]
    for change in seen:
        while position < len(done) and not _is_told(change, done[position]):
            position += 1
        rows = [(row["kind"], row["owner"]) for row in done]
        assert position < len(done), f"{name}: invented {change['kind']}; done: {rows}"
        position += 1


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
    if change["kind"] != operation["kind"]:
        return False
    if change["uuid"] not in {None, operation["uuid"]}:
        return False
    if change["kind"] in {"claimed", "abandoned"}:
        return change["owner"] in {None, operation["owner"]}
    return True


def _fold(
    database: Database[dict[str, Any]], board: str, told: dict[str, list[dict[str, Any]]]
) -> None:
    """Fold each job's changes, which must come in a legal order, and compare with the job."""
    jobs = {job["name"]: job for job in database.jobs.find({"board": board})}
    after = {"posted": "UNCLAIMED", "claimed": "CLAIMED", "abandoned": "UNCLAIMED"}
    legal: dict[str, set[str | None]] = {
        "posted": {None},
        "claimed": {"UNCLAIMED"},
        "abandoned": {"CLAIMED"},
        "removed": {"UNCLAIMED"},
        "consumed": {"CLAIMED"},
        "trashed": {"UNCLAIMED", "CLAIMED"},
        "ended": {"UNCLAIMED", "CLAIMED"},
    }
    for name, changes in told.items():
        state = None
        for change in changes:
            assert state in legal[change["kind"]], f"{name}: {change['kind']} after {state}"
            state = after.get(change["kind"], "COMPLETE")
        assert jobs[name]["state"] == state
    assert jobs.keys() == told.keys()
