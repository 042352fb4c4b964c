"""``canary stats``: how much happened, and how long jobs waited and ran, over a window."""

import argparse

from canary.cli.columns import Column, quantiles, rates, seconds
from canary.cli.listing import Listing


class Stats(Listing):
    """Sum up each board, name or owner over a window: rates, backlog, waiting and running times."""

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
    epilog = "waiting and running are the seconds below which 50, 95 and 99 % lie."

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add what only this list takes."""
        parser.add_argument(
            "--group",
            default="path",
            choices=("path", "name", "owner"),
            help="what a row is about: a board's path (the default), a job's name, an owner",
        )

    def query(self, options: argparse.Namespace) -> list[tuple[str, str]]:
        """Return the parameters of the list."""
        return [*super().query(options), ("group", options.group)]
