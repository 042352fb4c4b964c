"""What one transaction may hold, and the writes that it is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import Int64
from pymongo import DeleteOne, ReplaceOne

from canary.model.changes import Change, Gap
from canary.model.freshness import Freshness
from canary.model.state import BoardState, Step
from canary.stores.documents import Document, stat_document

SLICE_CHANGES: Final = 1_000
SLICE_BYTES: Final = 4 * 2**20
CHANGE_BYTES: Final = 1_500  # what a change and its job weigh in BSON beside names and payload


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of what is to be written that goes in one transaction.

    ``closing`` is the state that the board has once it is written, None while more slices follow.
    """

    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    closing: BoardState | None


def slices(steps: Sequence[Step], limit: int = SLICE_CHANGES) -> Iterator[Slice]:
    """Cut what ``steps`` say into slices; the last one closes the last step."""
    changes = [change for step in steps for change in step.changes]
    gaps = tuple(gap for step in steps for gap in step.gaps)
    part: list[Change] = []
    size = 0
    for change in changes:
        weight = CHANGE_BYTES + 4 * len(change.name)
        if change.payload and change.payload.text:
            weight += len(change.payload.text)
        if part and (len(part) >= limit or size + weight > SLICE_BYTES):
            yield Slice(tuple(part), (), None)
            part, size = [], 0
        part.append(change)
        size += weight
    yield Slice(tuple(part), gaps, steps[-1].state)


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
        incarnation, creates, deletes = self.incarnation, self.creates, self.deletes
        for change in part.changes:
            if change.incarnation != incarnation:
                incarnation, creates, deletes = change.incarnation, 0, 0
            creates += change.creates
            deletes += change.deletes
        return Told(incarnation, creates, deletes)

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
        "revision": {"$add": ["$revision", Int64(len(part.changes))]},
        "freshness": freshness.value,
        "freshness_since": {
            "$cond": [{"$eq": ["$freshness", freshness.value]}, "$freshness_since", now]
        },
        "told": {"$literal": told.document()},
    }
    if part.closing is not None:
        fields["stat"] = {"$literal": stat_document(part.closing.stat)}
        fields["seen_at"] = part.closing.seen_at
        fields["watched_since"] = {"$ifNull": ["$watched_since", part.closing.seen_at]}
    return [{"$set": fields}]


def node_writes(path: str, changes: Sequence[Change]) -> Iterator[Any]:
    """Yield the writes of ``nodes``, in the order of the changes that they come from."""
    for change in changes:
        if change.other_added is not None:
            identity = f"{path}#{change.other_added}"
            document = {"_id": identity, "board": path, "name": change.other_added}
            yield ReplaceOne({"_id": identity}, document, upsert=True)
        if change.other_removed is not None:
            yield DeleteOne({"_id": f"{path}#{change.other_removed}"})
