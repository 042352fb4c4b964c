"""Whether the clocks agree: this machine's, MongoDB's and ZooKeeper's.

ZooKeeper shows its time only in what is written to it, and ``doctor`` writes nothing. The workers
measure ZooKeeper's clock (``canary.model.skew``). If no worker runs, the last changes are compared:
if one was seen before it was made, ZooKeeper's clock is ahead. If even the one that was seen
quickest seems to have been seen late, ZooKeeper's clock may be behind.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from canary.cli.checks.finding import Finding, ok, skipped, warning
from canary.cli.checks.replica_set import Store
from canary.stores.queries.board_status import BoardNow

TOLERANCE: Final = timedelta(seconds=0.5)  # as in canary.clock
LATE: Final = timedelta(seconds=2)  # a change is seen within milliseconds, at most a second
NONE: Final = timedelta(0)
ADVICE: Final = (
    "let NTP set the clocks of both: the times of posts and claims are ZooKeeper's, and what was"
    " there before Canary watched is shown by them"
)


def check(store: Store) -> Iterator[Finding]:
    """Compare the clocks."""
    yield _mongodb(store)
    yield _zookeeper(store)


def _mongodb(store: Store) -> Finding:
    deployment = store.inspection.deployment()
    ahead = deployment.ahead
    if abs(ahead) <= TOLERANCE + deployment.answer / 2:
        return ok("this machine's clock and MongoDB's agree to half a second")
    words = f"this machine's clock is {_seconds(-ahead)} MongoDB's"
    return warning(words, "let NTP set both; Canary goes by MongoDB's, and its logs do not")


def _zookeeper(store: Store) -> Finding:
    boards = [board for board in store.inspection.boards() if board.clock_offset is not None]
    if boards:
        return _measured(boards)
    late = store.inspection.lateness()
    if late is None:
        return skipped("no recent change tells ZooKeeper's time: nothing to compare MongoDB's with")
    if late.least < -TOLERANCE:
        words = f"ZooKeeper's clock is {_seconds(-late.least)} MongoDB's"
    elif late.least > LATE:
        words = (
            f"the last {late.changes} changes were seen {late.least.total_seconds():.1f} s or more"
            " after ZooKeeper's time of them"
        )
    else:
        return ok(f"ZooKeeper's clock and MongoDB's agree, by the last {late.changes} changes")
    return warning(words, ADVICE)


def _measured(boards: Sequence[BoardNow]) -> Finding:
    off = [board for board in boards if board.clock_off]
    if not off:
        return ok("ZooKeeper's clock and MongoDB's agree, as the workers measure them")
    worst = max((board.clock_offset or 0.0 for board in off), key=abs)
    words = f"ZooKeeper's clock is {_seconds(timedelta(seconds=worst))} MongoDB's"
    return warning(f"{words}: times count by MongoDB's alone until they agree", ADVICE)


def _seconds(ahead: timedelta) -> str:
    way = "before" if ahead > NONE else "behind"
    return f"{abs(ahead).total_seconds():.1f} s {way}"
