"""What one transaction may hold, and the writes in it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bson import Int64
from pymongo import DeleteOne, ReplaceOne

from canary.model.changes import Change, Gap
from canary.model.freshness import Freshness
from canary.model.payload.payload import MAX_TEXT
from canary.model.state import BoardState, Step, told_after
from canary.stores.mongo.documents import Document, node_document, stat_document
from canary.stores.writing.fence import added

BATCH_CHANGES: Final = 1_000
BATCH_BYTES: Final = 4 * 2**20
CHANGE_BYTES: Final = 2_000  # of a change and its job in BSON, beside texts of any length
CUT_FIELDS: Final = " " * 60  # of a cut's document in BSON, beside the pointer
NAME_COPIES: Final = 4  # a name is in the change and in the job, or in the node and its id


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of what is to be written that goes in one transaction.

    ``closing`` is the board's state once it is written; None while more batches follow.
    """

    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    closing: BoardState | None

    def smaller(self) -> "tuple[Batch, ...] | None":
        """Return two halves of it; a single change with less payload; or None."""
        half = len(self.changes) // 2
        if half:
            return (
                Batch(self.changes[:half], (), None),
                Batch(self.changes[half:], self.gaps, self.closing),
            )
        lighter = tuple(change for change in map(_lighter, self.changes) if change is not None)
        return (replace(self, changes=lighter),) if lighter else None


def batches(steps: Sequence[Step], limit: int = BATCH_CHANGES) -> Iterator[Batch]:
    """Cut ``steps`` into batches; the last batch closes the last step."""
    changes = [change for step in steps for change in step.changes]
    gaps = tuple(gap for step in steps for gap in step.gaps)
    part: list[Change] = []
    size = 0
    for change in changes:
        weight = _weight(change)
        if part and (len(part) >= limit or size + weight > BATCH_BYTES):
            yield Batch(tuple(part), (), None)
            part, size = [], 0
        part.append(change)
        size += weight
    yield Batch(tuple(part), gaps, steps[-1].state)


def _weight(change: Change) -> int:
    """Return about how many bytes of BSON a change takes."""
    texts = [*(change.name,) * NAME_COPIES, *(change.uuid, change.owner) * 2]
    if change.payload:
        # The name is in the change as well. Later changes repeat it, at most 4 KiB, uncounted.
        texts += [change.payload.text, change.payload.excerpt, *(change.payload.name,) * 2]
        texts += [f"{cut.pointer}{CUT_FIELDS}" for cut in change.payload.cuts]
    kept = MAX_TEXT if change.edit else 0  # of the data before the edit
    return CHANGE_BYTES + kept + sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _lighter(change: Change) -> Change | None:
    """Return ``change`` with a payload cut to the job's identity; None if nothing can be cut."""
    payload = change.payload
    lighter = payload and payload.shortened()
    return None if lighter is None or lighter == payload else replace(change, payload=lighter)


@dataclass(frozen=True, slots=True)
class Told:
    """What changes written since the board's stat explain: see ``BoardState``.

    ``incarnation`` is theirs; if there are none, it is that of the stat.
    """

    incarnation: int | None = None
    creates: int = 0
    deletes: int = 0

    @classmethod
    def of(cls, state: BoardState) -> "Told":
        """Return what is explained in a state beyond its stat."""
        return cls(state.incarnation, state.told_creates, state.told_deletes)

    def after(self, part: Batch) -> "Told":
        """Return what is explained once ``part`` is written."""
        if part.closing is not None:
            return Told.of(part.closing)
        return Told(*told_after(self.incarnation, self.creates, self.deletes, part.changes))

    def document(self) -> Document:
        """Return it as ``boards.told``."""
        incarnation = None if self.incarnation is None else Int64(self.incarnation)
        return {
            "incarnation": incarnation,
            "creates": Int64(self.creates),
            "deletes": Int64(self.deletes),
        }


def board_update(part: Batch, told: Told, freshness: Freshness, now: datetime) -> list[Document]:
    """Return the update of the board's document, as a pipeline: some fields depend on others."""
    fields: Document = {
        **shown(freshness, now),
        "revision": {"$add": ["$revision", Int64(len(part.changes))]},
        "told": {"$literal": told.document()},
    }
    fields |= missed(part.gaps)
    if part.closing is not None:
        fields["stat"] = {"$literal": stat_document(part.closing.stat)}
        fields["seen_at"] = part.closing.seen_at
        fields["watched_since"] = {"$ifNull": ["$watched_since", part.closing.seen_at]}
    return [{"$set": fields}]


def missed(gaps: Sequence[Gap]) -> Document:
    """Return what gaps add to ``boards.missed``."""
    counts = Counter(f"missed.gaps.{gap.reason.value}" for gap in gaps)
    counts["missed.creates"] = sum(gap.creates or 0 for gap in gaps)
    counts["missed.deletes"] = sum(gap.deletes or 0 for gap in gaps)
    return {name: added(name, count) for name, count in counts.items() if count}


def freshness_update(freshness: Freshness, now: datetime) -> list[Document]:
    """Return the update of the board's document that changes only its freshness."""
    return [{"$set": shown(freshness, now)}]


def shown(freshness: Freshness, now: datetime) -> Document:
    """Return the fields that set the freshness, since ``now`` unless it is stored already."""
    is_already = {"$eq": ["$freshness", freshness.value]}
    return {
        "freshness": freshness.value,
        "freshness_since": {"$cond": [is_already, "$freshness_since", now]},
    }


def node_writes(path: str, changes: Sequence[Change]) -> Iterator[Any]:
    """Yield the writes of ``nodes``, one per name: the last change about a name decides."""
    last: dict[str, bool] = {}
    for change in changes:
        if change.other_added is not None:
            last[change.other_added] = True
        if change.other_removed is not None:
            last[change.other_removed] = False
    for name, is_there in last.items():
        document = node_document(path, name)
        identity = {"_id": document["_id"]}
        yield ReplaceOne(identity, document, upsert=True) if is_there else DeleteOne(identity)
