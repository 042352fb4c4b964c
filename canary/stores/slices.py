"""What one transaction may hold, and the writes that it is made of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bson import Int64
from pymongo import DeleteOne, ReplaceOne

from canary.model.changes import Change, Gap
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step, told_after
from canary.stores.documents import Document, node_document, stat_document

SLICE_CHANGES: Final = 1_000
SLICE_BYTES: Final = 4 * 2**20
CHANGE_BYTES: Final = 2_000  # what a change and its job weigh in BSON beside texts of any length
NAME_COPIES: Final = 4  # a name is in the change and in the job, or in the node and its identity


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of what is to be written that goes in one transaction.

    ``closing`` is the state that the board has once it is written, None while more slices follow.
    """

    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    closing: BoardState | None

    def smaller(self) -> "tuple[Slice, ...] | None":
        """Return the same in two halves; a single change with less of its payload; else None."""
        half = len(self.changes) // 2
        if half:
            return (
                Slice(self.changes[:half], (), None),
                Slice(self.changes[half:], self.gaps, self.closing),
            )
        lighter = tuple(change for change in map(_lighter, self.changes) if change is not None)
        return (replace(self, changes=lighter),) if lighter else None


def slices(steps: Sequence[Step], limit: int = SLICE_CHANGES) -> Iterator[Slice]:
    """Cut what ``steps`` say into slices; the last one closes the last step."""
    changes = [change for step in steps for change in step.changes]
    gaps = tuple(gap for step in steps for gap in step.gaps)
    part: list[Change] = []
    size = 0
    for change in changes:
        weight = _weight(change)
        if part and (len(part) >= limit or size + weight > SLICE_BYTES):
            yield Slice(tuple(part), (), None)
            part, size = [], 0
        part.append(change)
        size += weight
    yield Slice(tuple(part), gaps, steps[-1].state)


def _weight(change: Change) -> int:
    """Return about how many bytes of BSON a change is written as."""
    texts = [*(change.name,) * NAME_COPIES, *(change.uuid, change.owner) * 2]
    if change.payload:
        # The name is in the change as well. Later changes repeat it, at most 4 KiB, uncounted.
        texts += [change.payload.text, change.payload.excerpt, *(change.payload.name,) * 2]
    return CHANGE_BYTES + sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _lighter(change: Change) -> Change | None:
    """Return ``change`` with a payload cut to who the job is; None if there is nothing to cut."""
    payload = change.payload
    lighter = payload and payload.shortened()
    return None if lighter is None or lighter == payload else replace(change, payload=lighter)


@dataclass(frozen=True, slots=True)
class Told:
    """What changes written since the board's stat explain: see ``BoardState``.

    ``incarnation`` is the one that they are about, that of the stat where there are none.
    """

    incarnation: int | None = None
    creates: int = 0
    deletes: int = 0

    @classmethod
    def of(cls, state: BoardState) -> "Told":
        """Return what a state was told beyond its stat."""
        return cls(state.incarnation, state.told_creates, state.told_deletes)

    def after(self, part: Slice) -> "Told":
        """Return what is told once ``part`` is written."""
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


def board_update(part: Slice, told: Told, freshness: Freshness, now: datetime) -> list[Document]:
    """Return the update of the board's document, as a pipeline: some fields depend on others."""
    fields: Document = {
        **_shown(freshness, now),
        "revision": {"$add": ["$revision", Int64(len(part.changes))]},
        "told": {"$literal": told.document()},
    }
    fields |= _missed(part.gaps)
    if part.closing is not None:
        fields["stat"] = {"$literal": stat_document(part.closing.stat)}
        fields["seen_at"] = part.closing.seen_at
        fields["watched_since"] = {"$ifNull": ["$watched_since", part.closing.seen_at]}
    return [{"$set": fields}]


def _missed(gaps: Sequence[Gap]) -> Document:
    """Return what gaps add to ``boards.missed``."""
    counts = Counter(f"missed.gaps.{gap.reason.value}" for gap in gaps)
    counts["missed.creates"] = sum(gap.creates or 0 for gap in gaps)
    counts["missed.deletes"] = sum(gap.deletes or 0 for gap in gaps)
    return {
        name: {"$add": [{"$ifNull": [f"${name}", Int64(0)]}, Int64(count)]}
        for name, count in counts.items()
        if count
    }


def freshness_update(freshness: Freshness, now: datetime) -> list[Document]:
    """Return the update of the board's document that changes nothing but its freshness."""
    return [{"$set": _shown(freshness, now)}]


def _shown(freshness: Freshness, now: datetime) -> Document:
    is_already = {"$eq": ["$freshness", freshness.value]}
    return {
        "freshness": freshness.value,
        "freshness_since": {"$cond": [is_already, "$freshness_since", now]},
    }


def node_writes(path: str, changes: Sequence[Change]) -> Iterator[Any]:
    """Yield the writes of ``nodes``, one a name: what the last change that is about it says."""
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
