"""All checks of an installation, in the order in which they are printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from canary.cli.access import Access
from canary.cli.checks import (
    boards,
    clocks,
    ensemble,
    options,
    replica_set,
    ring,
    server,
    watching,
)
from canary.cli.checks.examination import Examination, Group
from canary.cli.checks.finding import Row, Status, skipped
from canary.config import Config


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings. ``is_over`` is False if a check still hangs."""

    rows: list[Row]
    is_over: bool

    @property
    def has_failed(self) -> bool:
        """Whether a check failed."""
        return any(row.finding.status is Status.FAILED for row in self.rows)


def diagnose(
    config_files: Sequence[str], environ: Mapping[str, str], access: Access, limit: float
) -> Diagnosis:
    """Run all checks within ``limit`` seconds, and return the findings."""
    config, findings = options.read(config_files, environ)
    examination = Examination([*_behind(config), _server(access)])
    rows = [Row("options", finding) for finding in findings]
    rows += [*_left_out(config), *examination.rows(limit)]
    return Diagnosis(rows, examination.is_over)


def _behind(config: Config | None) -> Iterator[Group]:
    """Yield the checks of ZooKeeper, MongoDB and Cassandra; none without options."""
    if config is None:
        return
    yield Group(
        partial(ensemble.opened, config),
        [("zookeeper", ensemble.check), ("boards", boards.check)],
        ensemble.HOW_TO_REACH,
    )
    yield Group(
        partial(replica_set.opened, config.mongo),
        [
            ("mongodb", replica_set.check),
            ("clocks", clocks.check),
            ("workers", watching.workers),
            ("freshness", watching.freshness),
        ],
        replica_set.HOW_TO_REACH,
    )
    if config.cassandra.enabled:
        yield Group(
            partial(ring.opened, config.cassandra), [("cassandra", ring.check)], ring.HOW_TO_REACH
        )


def _server(access: Access) -> Group:
    return Group(partial(server.opened, access), [("server", server.check)], server.HOW_TO_REACH)


def _left_out(config: Config | None) -> Iterator[Row]:
    if config is None:
        for name in ("zookeeper", "boards", "mongodb", "clocks", "workers", "freshness"):
            yield Row(name, skipped("not checked: see options"))
        yield Row("cassandra", skipped("not checked: see options"))
    elif not config.cassandra.enabled:
        words = "[cassandra] enabled = false: no checkpoints are written"
        yield Row("cassandra", skipped(words))
