"""Whether the clocks agree: this machine's, MongoDB's and ZooKeeper's.

ZooKeeper tells its time only in what is written on it, and a doctor writes nothing. What others
wrote tells it: a change that Canary saw before it was made says that ZooKeeper's clock is ahead;
where even the quickest of the last changes seems to have been seen late, it may be behind.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from canary.cli.checks.finding import Finding, ok, skipped, warning
from canary.cli.checks.replica_set import Store

TOLERANCE: Final = timedelta(seconds=0.5)  # as of canary.clock
LATE: Final = timedelta(seconds=2)  # a change is seen within milliseconds, at most a second
NONE: Final = timedelta(0)


def check(store: Store) -> Iterator[Finding]:
    """Compare them."""
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
    advice = "let NTP set the clocks of both: the times of posts and claims are ZooKeeper's"
    return warning(words, advice)


def _seconds(ahead: timedelta) -> str:
    way = "before" if ahead > NONE else "behind"
    return f"{abs(ahead).total_seconds():.1f} s {way}"
