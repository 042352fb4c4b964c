"""Whether the clocks agree: this machine's, MongoDB's and ZooKeeper's.

ZooKeeper gives its time only to what is written to it, and ``doctor`` writes nothing. The workers
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
    "set the clocks of both with NTP: the times of posts and claims are ZooKeeper's, and jobs from"
    " before Canary watched are shown with these times"
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
    return warning(
        words, "set both clocks with NTP; Canary uses MongoDB's, except for the times in its logs"
    )


def _zookeeper(store: Store) -> Finding:
    boards = [board for board in store.inspection.boards() if board.clock_offset is not None]
    if boards:
        return _measured(boards)
    late = store.inspection.lateness()
    if late is None:
        return skipped("ZooKeeper's time is unknown, because there is no recent change")
    if late.least < -TOLERANCE:
        words = f"ZooKeeper's clock is {_seconds(-late.least)} MongoDB's"
    elif late.least > LATE:
        words = (
            f"the last {late.changes} changes were seen {late.least.total_seconds():.1f} s or more"
            " after the times that ZooKeeper gave them"
        )
    else:
        return ok(f"ZooKeeper's clock and MongoDB's agree in the last {late.changes} changes")
    return warning(words, ADVICE)


def _measured(boards: Sequence[BoardNow]) -> Finding:
    off = [board for board in boards if board.clock_off]
    if not off:
        return ok("ZooKeeper's clock and MongoDB's agree, as measured by the workers")
    worst = max((board.clock_offset or 0.0 for board in off), key=abs)
    words = f"ZooKeeper's clock is {_seconds(timedelta(seconds=worst))} MongoDB's"
    return warning(f"{words}: until they agree, times count by MongoDB's clock alone", ADVICE)


def _seconds(ahead: timedelta) -> str:
    way = "ahead of" if ahead > NONE else "behind"
    return f"{abs(ahead).total_seconds():.1f} s {way}"
