"""``canary stats``: how much happened, and how long jobs waited and ran, over a window."""

import argparse

from canary.cli.columns import Column, quantiles, rates, seconds
from canary.cli.listing import Listing


class Stats(Listing):
    """List counts, rates and times within a window, by board, name or owner."""

    resource = "stats"
    columns = (
        Column("group"),
        Column("posted"),
        Column("claimed"),
        Column("ended"),
        Column("per_minute", rates),
        Column("waiting", quantiles),
        Column("running", quantiles),
        Column("backlog"),
        Column("oldest_unclaimed", seconds),
    )
    few = (
        *("group", "posted", "claimed", "ended", "waiting", "running"),
        *("backlog", "oldest_unclaimed"),
    )
    sorts = ("group",)
    has_window = True
    epilog = "waiting and running are the 50th, 95th and 99th percentiles, in seconds."

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that only this list has."""
        parser.add_argument(
            "--group",
            default="path",
            choices=("path", "name", "owner"),
            help="what each row is about: a board's path (default), a job name or an owner",
        )

    def query(self, options: argparse.Namespace) -> list[tuple[str, str]]:
        """Return the query parameters for ``options``. Raises UsageError."""
        return [*super().query(options), ("group", options.group)]
