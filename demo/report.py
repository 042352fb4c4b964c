"""The comparison of what a load did with what Canary recorded, and how it is printed. No I/O."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from demo.doings import Doing, Unseen
from demo.ledger import CLAIMED, DONE, KINDS, Record

SHOWN = 10  # differences; more are counted


@dataclass(frozen=True, slots=True)
class Comparison:
    """One board's."""

    path: str
    did: Counter[Doing]
    recorded: Counter[Doing]
    unseen: Unseen
    doubtful: Sequence[Record]

    @property
    def agrees(self) -> bool:
        """Whether Canary recorded all that was done, nothing else, and missed nothing."""
        return self.did == self.recorded and self.unseen.is_nothing

    def lines(self) -> Iterator[str]:
        """The table, and under it what does not agree."""
        did, recorded = _by_kind(self.did), _by_kind(self.recorded)
        yield self.path
        yield f"    {'kind':<14}{'the load did':>14}{'Canary recorded':>17}"
        for kind in [*KINDS, *sorted(set(recorded) - set(KINDS))]:
            mark = "" if did[kind] == recorded[kind] else "   differs"
            yield f"    {kind:<14}{did[kind]:>14}{recorded[kind]:>17}{mark}"
        yield f"    {'unseen':<14}{'':>14}{_unseen(self.unseen):>17}{_gaps(self.unseen)}"
        yield from _listed("not recorded", self.did - self.recorded)
        yield from _listed("recorded, but not done by the load", self.recorded - self.did)
        for record in self.doubtful[:SHOWN]:
            yield f"    doubtful: {record.kind} {record.uuid} {record.result}"


def compare(
    path: str, records: Iterable[Record], recorded: Counter[Doing], unseen: Unseen
) -> Comparison:
    """Hold a board's ledger against Canary's record of it."""
    records = list(records)
    did = Counter(
        Doing(record.kind, record.uuid, record.owner if record.kind == CLAIMED else None)
        for record in records
        if record.result == DONE
    )
    doubtful = [record for record in records if record.result != DONE]
    return Comparison(path, did, recorded, unseen, doubtful)


def latency_lines(samples: Sequence[float], expected: int) -> Iterator[str]:
    """What was measured, with how many samples, and how exactly."""
    yield "from commit in ZooKeeper to commit in MongoDB, posted and claimed jobs"
    if not samples:
        yield "    no samples"
        return
    median, high = percentile(samples, 50), percentile(samples, 99)
    yield f"    median {median:g} ms, p99 {high:g} ms, longest {max(samples):g} ms"
    yield (
        f"    {len(samples)} samples of {expected} changes; resolution 1 ms (znode's ctime to "
        "the change stream's wallTime)"
    )


def _by_kind(doings: Counter[Doing]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for doing, count in doings.items():
        counts[doing.kind] += count
    return counts


def _unseen(unseen: Unseen) -> str:
    if unseen.creates is None or unseen.deletes is None:
        return "unknown"
    return str(unseen.creates + unseen.deletes)


def _gaps(unseen: Unseen) -> str:
    if not unseen.gaps:
        return ""
    known = [
        f"{'unknown' if count is None else count} {what}"
        for count, what in ((unseen.creates, "creates"), (unseen.deletes, "deletes"))
    ]
    return f"   in {unseen.gaps} gaps: {', '.join(known)}"


def _listed(title: str, doings: Counter[Doing]) -> Iterator[str]:
    if not doings:
        return
    yield f"    {title}: {doings.total()}"
    for doing in list(doings.elements())[:SHOWN]:
        owner = f" by {doing.owner}" if doing.owner else ""
        yield f"        {doing.kind} {doing.uuid}{owner}"


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of them do not exceed (nearest rank)."""
    return sorted(samples)[max(1, math.ceil(len(samples) * percent / 100)) - 1]
